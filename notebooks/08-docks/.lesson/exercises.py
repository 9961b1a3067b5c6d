"""Exercises of the lesson about docks."""

import os
import subprocess

from engine.client import Failed, docker
from far import DESK, HERE, KEY, KNOWN, fingerprint, layers, there

STAYS = (".git/", ".venv/", "__pycache__/", "data/", ".key", ".ckpt")
"""Parts of the names of what is not copied."""


def exercise_1(names):
    """The public half is the file lesson_key.pub. `shutil.copy(FROM, TO)` copies a file."""
    handed = DESK / "authorized_keys"
    if not handed.is_file():
        return f"there is no file {handed} yet: copy {KEY.name}.pub there."
    text = handed.read_text(encoding="utf-8")
    if "PRIVATE KEY" in text:
        return "this is the private half, which never leaves your machine. Make a new pair, by the cell above."
    if KEY.with_suffix(".pub").read_text(encoding="utf-8").strip() not in text:
        return f"what lies on the desk is not the public half of this key: it is what {KEY.name}.pub has in it."
    if not handed.stat().st_mode & 0o004:
        return "it is the right one, but the administrator cannot read it: remove /desk/authorized_keys, and copy anew."
    return None


def exercise_2(names):
    """Compare what the cell prints: the machine whose fingerprint the administrator has written down is the right one.

    `far.KNOWN.write_text(far.key_of(PORT) + "\\n")` has ssh know the key of the machine that answers at PORT.
    """
    told = (DESK / "fingerprint").read_text(encoding="utf-8").strip()
    known = [each for each in KNOWN.read_text(encoding="utf-8").splitlines() if each] if KNOWN.is_file() else []
    if not known:
        return "ssh knows no machine yet: write the line of the right one into known_hosts, by far.KNOWN.write_text(…)."
    for line in known:
        found = fingerprint(line)
        if found != told:
            return f"known_hosts has a key with the fingerprint {found or 'of nothing'}, and the right one is {told}."
    done = _ssh("true")
    if "Permission denied" in done:
        return "ssh knows the machine now, but the machine does not know you yet: exercise 1 comes first."
    return f"ssh still does not get in: {done.splitlines()[-1]}" if done else None


def exercise_3(names):
    """`far.source_dock()`, then `!docker run --detach --name worker tiny sleep 1000`, then `far.castoff()`."""
    try:
        far = _containers(there)
    except Failed:
        return "the engine of bigbox cannot be reached: do exercises 1 and 2, then run the cell with `far.tunnel()`."
    if "worker" in _containers(docker):
        return "there is a `worker` on the engine here. Remove it there, and say far.source_dock() first."
    if "worker" not in far:
        return "bigbox has no container `worker` yet: docker run --detach --name worker tiny sleep 1000"
    if far["worker"] != "running":
        return "the container `worker` on bigbox has ended: it should sleep for a while. `docker logs worker` says why."
    if os.environ["DOCKER_HOST"] != HERE:
        return "all is as it should be there, but `docker` still goes to bigbox: far.castoff() brings you back."
    return None


def exercise_4(names):
    """`far.layers("model", far.there)` are those there: take what is in `far.layers("model")`, and not among them."""
    here = layers("model")
    if not here:
        return "the image `model` is not here any more: run the cell that builds it."
    missing = names["missing"]
    if not isinstance(missing, list):
        return f"`missing` should be a list of layers, such as {here[-1:]!r}, and is {missing!r}."
    if unknown := [each for each in missing if each not in here]:
        return f"{unknown[0]!r} is no layer of the image `model`: look at far.layers('model')."
    if not missing:
        return "`missing` is empty, though bigbox does not have the layer with the new predict.sh."
    if len(missing) > 1:
        return f"`missing` has {len(missing)} layers. Only predict.sh has changed: bigbox has all others already."
    if missing != here[-1:]:
        return "`missing` is not the layer that has changed. predict.sh is copied last: its layer is the last one."
    try:
        far = layers("model", there)
    except Failed:
        far = []
    if far != here:
        return "the new `model` is not on bigbox yet: far.send('model', missing)"
    return None


def exercise_5(names):
    """Look through the table: each line of it leaves something out. Of two versions the newer one keeps the name."""
    from far import PROJECT

    copied = names["copied"]
    if isinstance(copied, str) or not hasattr(copied, "__iter__"):
        return f"`copied` should be a set of names of files, and is {copied!r}."
    copied = {*copied}
    if unknown := sorted(map(str, copied - {*PROJECT["files"]})):
        return f"{unknown[0]} is no file of the project: take names of far.PROJECT['files']."
    right = {each for each in PROJECT["files"] if not any(part in each for part in STAYS)}
    if more := sorted(copied - right):
        return f"{more[0]} stays on its own side: {_why(more[0])}."
    if less := sorted(right - copied):
        return f"{less[0]} is copied: nothing leaves it out."
    if names["named"] != "there":
        return f"`named` is {names['named']!r}: the newer version has the name, and one was written at 10:20."
    if names["versions"] != 2:
        return f"`versions` is {names['versions']!r}: nothing is lost. Count the one with the name, and the one beside."
    return None


def _why(name):
    reasons = {
        "data/": "`data/` in .gitignore",
        ".key": "`*.key` in .dockerignore",
        ".ckpt": "`*.ckpt` in the project's own list",
    }
    return next((reason for part, reason in reasons.items() if part in name), "it belongs to one machine, always")


def _containers(engine):
    """Each container, and whether it runs."""
    found = engine("ps", "--all", "--format", "{{.Names}} {{.State}}").splitlines()
    return dict(each.split() for each in found)


def _ssh(command):
    """What ssh said when it failed."""
    done = subprocess.run(["ssh", "bigbox", command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return (done.stderr.strip() or f"exit code {done.returncode}") if done.returncode else ""
