from importlib.metadata import version
from pathlib import Path

import sizes

assert "1.0 kB" in sizes.table({"a": 1000})
assert version("humanize") == "4.12.3"
assert version("tabulate") == "0.9.0"
assert Path(sizes.__file__).is_relative_to(Path.cwd()), sizes.__file__
