"""What the server says: readable lines in its log, and the state of the live install as a file."""

import json
import sys
from pathlib import Path
from typing import Any


def say(text: str) -> None:
    """One line in the server's log."""
    sys.stderr.write(f"workbench: {text}\n")
    sys.stderr.flush()


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value, indent=1), encoding="utf-8")
    part.replace(path)
