"""What runs in notebooks: the Python API of a kernel, the panel, and what a page loads. Standard library only."""
