"""Example projects of the kinds that people have: installed, importable, live, in a kernel of the real server."""

import json
from pathlib import Path

import pytest
from support.person import EXAMPLES, Environment, MakePerson

EVERYWHERE = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
CONTAINER_ONLY = {"own-dockerfile"}
ON_PODMAN = ("hatchling-src", "notebooks-only", "requirements-only")

CASES = [("docker", name) for name in EVERYWHERE]
CASES += [("local", name) for name in EVERYWHERE if name not in CONTAINER_ONLY]
CASES += [("podman", name) for name in ON_PODMAN]

ENVIRONMENT = """
import os, sys
from IPython import get_ipython
inner = get_ipython().getoutput("python -c 'import sys; print(sys.prefix)'")
assert list(inner) == [sys.prefix], (inner, sys.prefix)
piped = get_ipython().getoutput("pip --version")
assert sys.prefix in piped[0], piped
assert not [name for name in os.environ if "TOKEN" in name], "the token is in the kernel's environment"
"""


def cells(path: Path) -> list[str]:
    """The code of a script, or of each code cell of a notebook."""
    if path.suffix == ".py":
        return [path.read_text()]
    found = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]


def files(project: Path) -> set[Path]:
    """All files but those that a build back end or Python itself keeps beside the source."""
    theirs = (".egg-info", "__pycache__")
    return {path for path in project.rglob("*") if not any(part.endswith(theirs) for part in path.parts)}


@pytest.mark.parametrize(("engine", "example"), CASES)
def test_verifies(engine: str, example: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    project = me.project(example)
    before = files(project)

    # These name their Python, and so their base image.
    pinned: Environment = {"WORKBENCH_BASE_IMAGE": None} if example in ("hatchling-src", "uv-lock") else {}
    started = me.launch(project, env=pinned)

    patterns = ["verify.*"] if engine == "local" else ["verify.*", "verify-container.*"]
    scripts = [path for pattern in patterns for path in sorted(EXAMPLES.joinpath(example).glob(pattern))]
    assert scripts
    for script in scripts:
        started.jupyter.run(*cells(script), ENVIRONMENT)
    assert not sorted(files(project) - before), "the launch wrote into the project"
    assert started.url.startswith(f"http://{started.name}.localhost:{started.port}/lab")
