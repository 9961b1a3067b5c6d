"""What runs in the container, and as the local engine's server. Imports only the standard library and Jupyter."""
