"""The images of a project: what `docker/dockerutils.cfg` and `[tool.workbench.images]` say of each."""
