"""Speak to this lesson's own engine, and to no other. Importing it has `docker` in a cell do so, too."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

SOCKET = Path("/engine/docker.sock")
HANDED = Path("/engine/bin")
"""What the engine has handed over to the notebook."""
STEP = re.compile(r"^#(\d+) (\[.*?\d+/\d+\] (?!FROM ).*)", re.MULTILINE)
"""A step of a Dockerfile. To begin with an image that is there is none."""
END = re.compile(r"^#(\d+) (CACHED|DONE|ERROR)(.*)", re.MULTILINE)
KEPT = 12
"""Last lines of a build that failed, which are shown."""

# Where the notebook is in no container, `docker` may be on its path already, and speak to the user's engine.
os.environ["PATH"] = os.pathsep.join((str(HANDED), os.environ["PATH"]))
os.environ |= {"DOCKER_HOST": f"unix://{SOCKET}", "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}


class Failed(RuntimeError):
    """A command failed. The message is what it said."""

    def _render_traceback_(self) -> list[str]:
        return [f"docker: {self}"]


def docker(*words: object) -> str:
    """What `docker …` prints. Raises Failed with its own words."""
    done = _run(*words)
    if done.returncode:
        raise Failed(done.stderr.strip())
    return done.stdout.strip()


def build(folder: str | Path, tag: str, *options: str) -> dict[str, bool]:
    """`docker build`, told in one line for each step; whether each step came from the cache. Raises Failed."""
    done = _run("build", "--progress", "plain", "--tag", tag, *options, folder)
    ends = {number: (end, took.strip()) for number, end, took in END.findall(done.stderr)}
    steps = {}
    # Which one ends first is chance; their own numbers say what comes after what.
    for name, number in sorted((name, number) for number, name in STEP.findall(done.stderr) if number in ends):
        end, took = ends[number]
        print(f"{took if end == 'DONE' else end.lower():>8}  {name}")
        steps[name] = end == "CACHED"
    if done.returncode:
        raise Failed("\n".join(done.stderr.strip().splitlines()[-KEPT:]))
    return steps


def tiny() -> None:
    """Have the image `tiny` of lesson 02: a Linux of one file, BusyBox."""
    docker("build", "--tag", "tiny", "--file", Path(__file__).with_name("tiny") / "Dockerfile", HANDED)


def fresh(*keep: str) -> None:
    """Remove what the engine has of an earlier run of the lesson; images of these names stay."""
    _remove("container", docker("container", "ls", "--all", "--quiet"), "--force", "--volumes")
    # Images without a name, and networks.
    docker("system", "prune", "--force")
    images = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    _remove("image", " ".join(each for each in images if each.partition(":")[0] not in keep), "--force")
    _remove("volume", docker("volume", "ls", "--quiet"), "--force")
    docker("builder", "prune", "--all", "--force")


def _remove(kind: str, found: str, *options: str) -> None:
    if found:
        docker(kind, "rm", *options, *found.split())


def _run(*words: object) -> subprocess.CompletedProcess[str]:
    if not SOCKET.exists():
        raise Failed(
            "this lesson's engine is not here. On your machine, in the lesson's folder: run-notebook --engine docker"
        )
    command = (HANDED / "docker", "--host", f"unix://{SOCKET}", *words)
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
