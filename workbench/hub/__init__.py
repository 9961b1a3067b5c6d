"""Classes: many workbenches through JupyterHub."""
