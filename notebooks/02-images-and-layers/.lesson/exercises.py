"""Exercises of the lesson about images and layers."""

import contextlib
import io
import json
import shutil
import tempfile
import time
from pathlib import Path

from engine.client import Failed, build, docker


def exercise_1(names):
    """`json.loads(docker("image", "inspect", "tiny"))` is a list with one dict.

    Its part "RootFS" lists the layers, and "Config" has the command under "Cmd".
    """
    [told] = json.loads(docker("image", "inspect", "tiny"))
    layers = names["layers"]
    if layers != len(told["RootFS"]["Layers"]):
        return f"`layers` is {layers!r}. Count what the part RootFS lists under Layers."
    command = names["command"]
    if command not in (told["Config"]["Cmd"], " ".join(told["Config"]["Cmd"])):
        return f"`command` is {command!r}, and the image says something else under Config, Cmd."
    return None


def exercise_2(names):
    """Three commands: `docker run --name mine tiny …`, where … writes the file, and `docker cp mine:/name name.txt`.

    A command with `>` in it needs a shell: sh -c "echo ada > /name". `docker rm mine` makes the name free again.
    """
    found = docker("ps", "--all", "--filter", "name=^mine$", "--format", "{{.Image}} {{.State}}")
    if not found:
        return "there is no container with the name `mine` yet: docker run --name mine tiny …"
    image, state = found.split()
    if image != "tiny":
        return f"the container `mine` was started from the image {image}, and not from tiny."
    if state == "running":
        return "the container `mine` is still running: its command should write the file, and end."
    if "A /name" not in docker("diff", "mine").splitlines():
        return "the container `mine` has written no file /name: `docker diff mine` shows what it has written."
    file = Path("name.txt")
    if not file.is_file():
        return "there is no name.txt in this folder yet: `docker cp` takes it out of the container."
    with tempfile.TemporaryDirectory() as folder:
        docker("cp", "mine:/name", f"{folder}/name")
        if file.read_bytes() != Path(folder, "name").read_bytes():
            return "name.txt and /name in the container differ: copy it again."
    if not file.read_text(encoding="utf-8").strip():
        return "name.txt is empty: the command in the container has written no name into it."
    return None


def exercise_3(names):
    """Copy only packages.txt and install.sh, then install, then copy the rest: `COPY packages.txt install.sh ./`."""
    with tempfile.TemporaryDirectory() as folder:
        mine = Path(folder, "report")
        shutil.copytree("report", mine)
        try:
            _built(mine)
            _change(mine / "report.sh", "# changed")
            changed_code = _install(_built(mine))
            said = docker("run", "--rm", "lesson-check")
            _change(mine / "packages.txt", "changed")
            changed_packages = _install(_built(mine))
        except Failed as failed:
            return f"it cannot be built, or does not run: {str(failed).splitlines()[-1]}"
    if changed_code is None or changed_packages is None:
        return "no step of report/Dockerfile runs install.sh any more."
    if not changed_code:
        return "a change in report.sh still makes `RUN sh install.sh` run again, although no package has changed."
    if changed_packages:
        return "a change in packages.txt does not make `RUN sh install.sh` run again: old packages would stay for ever."
    if "4 levels" not in said or "numpy pandas" not in said:
        return f"the report does not say what it said before: {said!r}"
    return None


def exercise_4(names):
    """A line for each name or pattern: `raw` leaves out a folder, `*.key` each file whose name ends so."""
    ignored = Path("survey/.dockerignore")
    if not ignored.is_file():
        return "there is no file survey/.dockerignore yet: write one, with a line for each name or pattern."
    with tempfile.TemporaryDirectory() as folder:
        mine = Path(folder, "survey")
        shutil.copytree("survey", mine)
        mine.joinpath("raw").mkdir(exist_ok=True)
        mine.joinpath("raw/more.bin").write_text("more")
        mine.joinpath("another.key").write_text("not for anybody")
        try:
            _built(mine)
        except Failed as failed:
            return f"it cannot be built any more: {str(failed).splitlines()[-1]}"
        found = docker("run", "--rm", "lesson-check", "find", ".", "-type", "f").split()
    if left := sorted(each for each in found if "/raw/" in each or each.endswith(".key")):
        return f"the image still has {', '.join(left)}: leave out the whole folder raw, and whatever ends in .key."
    if "./survey.sh" not in found:
        return "survey.sh is not in the image any more: it is what the image is for."
    return None


def _built(folder):
    with contextlib.redirect_stdout(io.StringIO()):
        return build(folder, "lesson-check")


def _install(steps):
    """Whether the step that installs came from the cache; None: there is none."""
    found = [cached for step, cached in steps.items() if "RUN" in step and "install.sh" in step]
    return all(found) if found else None


def _change(file, line):
    """Add a line that no build has seen yet."""
    file.write_text(f"{file.read_text(encoding='utf-8').rstrip()}\n{line} {time.time_ns()}\n", encoding="utf-8")
