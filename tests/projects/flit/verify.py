from importlib.metadata import version
from pathlib import Path

import tides

assert tides.station("Saint-Malo (Rance)") == "saint-malo-rance"
assert version("tides") == "0.9"
assert version("python-slugify") == "8.0.4"
assert Path(tides.__file__).is_relative_to(Path.cwd()), tides.__file__
