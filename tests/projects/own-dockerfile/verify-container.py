import os
from pathlib import Path

assert Path("/etc/greeting.txt").read_text().strip() == "from the project's own image"
assert os.environ["GREETED"] == "yes"
