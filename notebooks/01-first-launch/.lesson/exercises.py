"""Exercises of the first lesson."""

import os
import sys
from importlib.metadata import version
from pathlib import Path

TRUTH = {
    "a file that a notebook wrote into the project folder": True,
    "a package from requirements.txt": True,
    "a package that you installed in a cell with !pip install": False,
    "the variables of this notebook": False,
}


def exercise_1(names):
    """`tabulate.__file__` is where it was imported from, and `sys.prefix` where this kernel's environment is.

    `Path(a).is_relative_to(b)` says whether a file lies in a folder.
    """
    import tabulate

    if str(names["where"]) != tabulate.__file__:
        return f"`where` is {names['where']!r}, but tabulate was imported from another file: ask the module itself."
    if names["ours"] is not Path(tabulate.__file__).is_relative_to(sys.prefix):
        return "`ours` should be True or False: does the file lie in the folder `sys.prefix`?"
    if str(names["release"]) != version("tabulate"):
        return "`release` is not the version that is installed: importlib.metadata.version('tabulate') knows it."
    return None


def exercise_2(names):
    """`Path("mine.txt").write_text("...")` writes a file, and `os.getuid()` is the number of your account."""
    file = Path("mine.txt")
    if not file.is_file():
        return "there is no file mine.txt in this folder yet."
    if file.read_text(encoding="utf-8").strip() != str(os.getuid()):
        return f"mine.txt says {file.read_text(encoding='utf-8')[:40]!r}, and not the number of your account."
    if names["owner"] != file.stat().st_uid:
        return '`owner` is not who owns the file: `Path("mine.txt").stat().st_uid` is.'
    return None


def exercise_3(names):
    """`here.status()` is a dict: memory is in its part "usage", in bytes. A MB is a million of them."""
    from workbench.notebook.api import here

    told = here().status()
    if names["name"] != told["workbench"]["name"]:
        return f"`name` is {names['name']!r}; the panel shows another one. Try here.name."
    megabytes = names["megabytes"]
    if not isinstance(megabytes, (int, float)):
        return f"`megabytes` should be a number, and is {type(megabytes).__name__}."
    wanted = told["usage"]["memory"] / 1_000_000
    if not wanted / 3 < megabytes < wanted * 3:
        return f"`megabytes` is {megabytes:.0f}, and the panel shows about {wanted:.0f}. Is it bytes?"
    return None


def exercise_4(names):
    """A container that is removed takes with it what is only in the container.

    The project folder is on your machine. requirements.txt is in it, and is read again at the next launch.
    """
    answers = names["survives"]
    for what, truth in TRUTH.items():
        if not isinstance(answers.get(what), bool):
            return f"say True or False for “{what}”."
        if answers[what] is not truth:
            return f"think again about “{what}”: where is it kept?"
    return None
