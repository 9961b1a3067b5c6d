"""Workbench: any project folder to a running JupyterLab. Import costs nothing; see `workbench.launch` for the flow."""

__version__ = "0.1.0"
