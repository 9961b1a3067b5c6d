"""A project and its copy on a dock, kept the same in both directions, by a synchroniser that is not allowed out."""
