"""Reviewable copies of notebooks, seen from the command line: which notebooks, all of them at once, against git."""
