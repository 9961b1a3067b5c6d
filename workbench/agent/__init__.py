"""The host side of the control channel: one agent per workbench."""
