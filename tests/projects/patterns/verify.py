from importlib.metadata import version
from pathlib import Path

import beacon

assert beacon.signals().startswith("north")
assert version("tabulate") == "0.9.0" and version("iniconfig") == "2.1.0"
assert Path(beacon.__file__).is_relative_to(Path.cwd()), beacon.__file__
