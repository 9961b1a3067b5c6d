"""Companion containers of a project, by the engine's own Compose."""

STARTED = "services.json"
"""In the state folder: what was started for a workbench, and stops with it."""
