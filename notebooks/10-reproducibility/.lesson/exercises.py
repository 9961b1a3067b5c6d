"""Exercises of the lesson about reproducibility."""

import hashlib
import re
import tempfile
from importlib.metadata import version
from pathlib import Path

PROMISES = {
    "these very bytes, or an error": "digest",
    "these versions of the Python packages, each checked by its hash": "lock",
    "a name that people can remember, and that may stand for something else tomorrow": "tag",
    "the system libraries under the Python packages, too": "digest",
    "what to install, for every platform that the project supports": "lock",
}


def exercise_1(names):
    """`locked["package"]` is a list of dicts; importlib.metadata.version(name) says what is installed."""
    locked = {each["name"]: each["version"] for each in names["locked"]["package"] if each["name"] != "menu"}
    installed = names["installed"]
    if not isinstance(installed, dict):
        return "`installed` should be a dict: name of a package -> version that is installed."
    if missing := [name for name in locked if name not in installed]:
        return f"{missing[0]} is in the lock, and not in `installed`."
    for name, found in installed.items():
        if name not in locked:
            return f"{name} is not in the lock (and the project itself is no package here): leave it out."
        if found != version(name):
            return f"{name} is installed in version {version(name)}, and `installed` says {found}."
    if set(names["unasked"]) != {"text-unidecode"}:
        return "`unasked` should have the packages of the lock that pyproject.toml does not name: there is one."
    return None


def exercise_2(names):
    """`hashlib.sha256(content).hexdigest()`, with "sha256:" before it; `Path.read_bytes` gives the content."""
    digest = names["digest"]
    if not callable(digest):
        return "`digest` should be a function of a path: def digest(path): …"
    with tempfile.TemporaryDirectory() as folder:
        for content in (b"", b"soup of the day\n", bytes(range(256)) * 300):
            file = Path(folder, "some.bin")
            file.write_bytes(content)
            wanted, answer = f"sha256:{hashlib.sha256(content).hexdigest()}", digest(file)
            if answer != wanted:
                return f"for a file of {len(content)} bytes it should be {wanted[:19]}…, and is {str(answer)[:19]}."
    return None


def exercise_3(names):
    """`shelf.resolve("1.0")` says what the tag stands for at this moment; `first` is what was built first."""
    shelf = names["shelf"]
    if names["now"] != shelf.resolve("1.0"):
        return "`now` should be the digest that the tag 1.0 stands for: ask the shelf."
    if names["moved"] is not (names["now"] != names["first"]):
        return "`moved` should be True or False: is that another image than `first`?"
    if names["still"] != shelf.pull(names["first"]):
        return "`still` should be the files of the first image: pull it by its digest, which nobody can move."
    return None


def exercise_4(names):
    """Name, colon, tag, at sign, digest. Where both are there, the digest decides, and the tag is for people."""
    line = " ".join(str(names["line"]).split())
    if not line.startswith("FROM "):
        return "a Dockerfile begins with FROM and a reference of an image."
    if "@" not in line:
        return "there is no digest in it: it comes after the tag, with an @ before it."
    if not re.fullmatch(r"FROM registry\.example/menu:1\.0@sha256:[0-9a-f]{64}", line):
        return f"“{line[:60]}…” is not registry.example/menu, the tag 1.0 and a digest, in this order."
    if not line.endswith(names["first"]):
        return "that is the digest of another image than the first one."
    return None


def exercise_5(names):
    """A lock knows Python packages. An image has all files, of the system, too; a digest is the image's own name."""
    answers = names["promises"]
    for what, truth in PROMISES.items():
        if answers.get(what) not in ("lock", "digest", "tag"):
            return f'say "lock", "digest" or "tag" for “{what}”.'
        if answers[what] != truth:
            return f"think again about “{what}”: who could break that promise, and how?"
    return None
