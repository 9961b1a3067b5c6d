from importlib.metadata import version
from pathlib import Path

import seasons

assert seasons.season(7) == "summer"
assert version("seasons") == "1.2"
assert Path(seasons.__file__).is_relative_to(Path.cwd()), seasons.__file__
