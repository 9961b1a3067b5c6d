"""Installed live, once, in the shared environment; seen from both."""

import os
import sys
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("tabulate", "iniconfig", "packaging")


def describe() -> str:
    """Which environment this is, whether it may use a GPU, and which versions it has."""
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES") != ""
    lines = [f"environment  {Path(sys.prefix).name}", f"GPUs         {'not hidden' if gpu else 'hidden'}"]
    return "\n".join([*lines, *(f"{name:<12} {version(name)}" for name in PACKAGES)])
