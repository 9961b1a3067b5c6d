import importlib
from pathlib import Path

from tideline import levels

file = Path("src/tideline/levels.py")
file.write_text(file.read_text().replace("sorted(levels)[0]", "max(levels)"))
importlib.reload(levels)
highest = levels.highest
