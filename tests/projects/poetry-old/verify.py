from importlib.metadata import version
from pathlib import Path

import orchard

assert "1,000" in orchard.harvest({"apple": 1000})
assert version("orchard") == "3.0.1"
assert version("tabulate").startswith("0.9")
assert version("humanize").startswith("4.12")
assert Path(orchard.__file__).is_relative_to(Path.cwd()), orchard.__file__
