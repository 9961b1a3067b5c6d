"""Exercises of the lesson about a project that is installed live."""

import json
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

NEEDED = {
    "a new cell in the notebook": "nothing",
    "a corrected function in src/tideline/levels.py": "reload",
    "a new package under dependencies in pyproject.toml": "launch",
    "a new line in a data file that a cell reads": "nothing",
}


def exercise_1(names):
    """`json.loads` makes a dict of `told`. Whether an install is editable is in its part "dir_info"."""
    told = json.loads(distribution("tideline").read_text("direct_url.json") or "{}")
    if names["editable"] is not told.get("dir_info", {}).get("editable", False):
        return "`editable` should be the True or False that direct_url.json has under dir_info."
    if str(names["folder"]) != told.get("url", "").replace("file://", ""):
        return f"`folder` is {str(names['folder'])!r}: take the url of direct_url.json, without the file:// before it."
    return None


def exercise_2(names):
    """`sorted` begins with the lowest. Save the file, then reload the module, then take the function from it again."""
    script = "from tideline.levels import highest; print(highest([1.0, 3.0, 2.0]))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    if ran.returncode:
        return f"the file cannot be imported: {ran.stderr.strip().splitlines()[-1]}"
    if ran.stdout.strip() != "3.0":
        return (
            f"in the file, the highest of 1.0, 3.0 and 2.0 is still {ran.stdout.strip()}: correct levels.py and save."
        )
    if names["levels"].highest([1.0, 3.0, 2.0]) != 3.0:
        return "the file is right, and this kernel still has the old module: importlib.reload(levels)."
    if names["highest"]([1.0, 3.0, 2.0]) != 3.0:
        return "the module is right, and the name `highest` still means the old function: import it again."
    return None


def exercise_3(names):
    """A new file in the folder src/tideline is a new module at once. A foot is 0.3048 m."""
    file = Path("src/tideline/units.py")
    if not file.is_file():
        return "there is no file src/tideline/units.py yet."
    feet = names["to_feet"]
    if getattr(feet, "__module__", "") != "tideline.units":
        return "`to_feet` should come from the module: from tideline.units import to_feet"
    if abs(feet(0.3048) - 1) > 1e-6 or abs(feet(3.048) - 10) > 1e-6:
        return f"to_feet(3.048) is {feet(3.048)}, and 3.048 m are 10 feet."
    return None


def exercise_4(names):
    """A module that was imported stays as it was. Packages of pyproject.toml are installed before the server starts."""
    answers = names["needed"]
    for what, truth in NEEDED.items():
        if answers.get(what) not in NEEDED.values():
            return f'say "nothing", "reload" or "launch" for “{what}”.'
        if answers[what] != truth:
            return f"think again about “{what}”: who reads it, and when?"
    return None
