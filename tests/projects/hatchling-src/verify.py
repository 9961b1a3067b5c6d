import sys
from importlib.metadata import version
from pathlib import Path

import harbour

assert "Beagle" in harbour.ships(["Beagle"])
assert version("harbour") == "2.1"
assert version("tabulate") == "0.9.0"
assert sys.version_info[:2] == (3, 11), sys.version
assert Path(harbour.__file__).is_relative_to(Path.cwd() / "src"), harbour.__file__
