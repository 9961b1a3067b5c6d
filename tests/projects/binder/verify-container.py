import shutil
import sys
from pathlib import Path

assert shutil.which("tree"), "apt.txt was not installed"
prepared = Path(sys.prefix, "share/binder-example/prepared.txt")
assert prepared.read_text().strip() == "1,234,567", "postBuild did not run in the project's environment"
