"""The panel: what a notebook shows of its own workbench."""
