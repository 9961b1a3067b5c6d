from importlib.metadata import version
from pathlib import Path

import gardening

assert gardening.beds() == "12,500"
assert version("humanize") == "4.12.3"
assert Path(gardening.__file__).is_relative_to(Path.cwd()), gardening.__file__
