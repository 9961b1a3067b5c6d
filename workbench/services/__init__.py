"""Companion containers of a project, by the engine's own Compose."""
