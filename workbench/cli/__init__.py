"""The command line: one file per group of commands; each imports its implementation late."""
