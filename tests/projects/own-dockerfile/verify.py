from importlib.metadata import version

assert version("tabulate") == "0.9.0"
