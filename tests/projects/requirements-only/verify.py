from importlib.metadata import version
from pathlib import Path

import helpers

assert helpers.file_name("Über alles, Zürich") == "uber-alles-zurich.ipynb"
assert version("python-slugify") == "8.0.4"
assert version("tabulate") == "0.9.0"
assert Path(helpers.__file__).is_relative_to(Path.cwd()), helpers.__file__
