import tomllib
from importlib.metadata import version
from pathlib import Path

import lanterns

locked = {package["name"]: package.get("version") for package in tomllib.loads(Path("uv.lock").read_text())["package"]}
assert "main-street" in lanterns.street("Main Street", 3)
assert version("python-slugify") == locked["python-slugify"]
assert version("tabulate") == locked["tabulate"]
assert Path(lanterns.__file__).is_relative_to(Path.cwd() / "src"), lanterns.__file__
