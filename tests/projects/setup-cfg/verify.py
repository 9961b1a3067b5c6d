from importlib.metadata import version
from pathlib import Path

import bridges

assert "2737" in bridges.lengths({"Golden Gate": 2737})
assert version("bridges") == "5.0"
assert version("tabulate") == "0.9.0"
assert Path(bridges.__file__).is_relative_to(Path.cwd()), bridges.__file__
