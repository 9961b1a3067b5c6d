import importlib
import sys
from pathlib import Path

import either

files = {name: importlib.import_module(name).__file__ for name in either.PACKAGES}
own = {name for name, file in files.items() if Path(file).is_relative_to(sys.prefix)}
