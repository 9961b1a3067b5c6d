"""What the fake engine remembers, in this process or in a folder that several share."""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from workbench.errors import EngineError
from workbench.labels import DEVICE, GPUS, NAME, OWNER, PLAN, PROJECT
from workbench.model import Build, ContainerRun, ImageBuild, Leftover, Running, RunPlan, RunState, VenvBuild


@dataclass
class Environment:
    """An image or virtual environment that was provided."""

    digest: str
    inputs: Mapping[str, str]
    project: str
    kind: Literal["image", "environment"]
    made: float


@dataclass
class Bench:
    """A workbench. The delivery is not here: what can be looked at holds nothing secret."""

    name: str
    labels: Mapping[str, str]
    port: int
    image: str
    workdir: str
    env: Mapping[str, str]
    state: RunState = "running"
    started: float = 0.0
    exit_code: int | None = None
    log: list[str] = field(default_factory=list)


@dataclass
class Memory:
    """Environments by tag or folder, workbenches by container name."""

    environments: dict[str, Environment] = field(default_factory=dict)
    benches: dict[str, Bench] = field(default_factory=dict)


@contextmanager
def shared(folder: Path) -> Iterator[Memory]:
    """The memory of a folder, held by one process at a time; an error inside changes nothing."""
    from filelock import FileLock
    from msgspec import json

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "fake.json"
    with FileLock(folder / "fake.lock", mode=0o600):
        memory = json.decode(path.read_bytes(), type=Memory) if path.exists() else Memory()
        yield memory
        descriptor, temporary = tempfile.mkstemp(dir=folder)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(json.encode(memory, enc_hook=dict))
        Path(temporary).replace(path)


def get(memory: Memory, id: str) -> Bench:
    """The workbench with this id; an EngineError when there is none."""
    if id not in memory.benches:
        raise EngineError(f"There is no workbench {id}.", "`workbench ps` lists those that there are.")
    return memory.benches[id]


def key(build: Build) -> str:
    """Under what an environment is remembered."""
    return build.folder if isinstance(build, VenvBuild) else build.tag


def inputs(memory: Memory, build: Build) -> Mapping[str, str] | None:
    """Inputs of the environment under the build's key, else of the newest of its project, else None."""
    if there := memory.environments.get(key(build)):
        return there.inputs
    project = environment(build).project
    others = [each for each in memory.environments.values() if project and each.project == project]
    return max(others, key=lambda each: each.made).inputs if others else None


def environment(build: Build) -> Environment:
    """What there is after a build."""
    if isinstance(build, VenvBuild):
        return Environment(build.digest, build.inputs, build.project, "environment", time.time())
    if isinstance(build, ImageBuild):
        return Environment(build.digest, build.inputs, build.labels.get(PROJECT, ""), "image", time.time())
    return Environment(build.tag, {}, "", "image", time.time())


def bench(run: RunPlan) -> Bench:
    """A workbench as it begins."""
    image = run.image if isinstance(run, ContainerRun) else run.venv
    return Bench(run.name, run.labels, run.port, image, run.workdir, run.env)


def running(bench: Bench) -> Running:
    """A workbench as an engine reports it."""
    return Running(
        id=bench.name,
        name=bench.labels.get(NAME, bench.name),
        container=bench.name,
        project=bench.labels.get(PROJECT, ""),
        engine="fake",
        state=bench.state,
        port=bench.port,
        image=bench.image,
        plan=bench.labels.get(PLAN, ""),
        device=bench.labels.get(DEVICE, "cpu"),
        gpus=bench.labels.get(GPUS, ""),
        owner=bench.labels.get(OWNER, ""),
        health="healthy" if bench.state == "running" else "",
        started=bench.started,
        exit_code=bench.exit_code,
        labels=bench.labels,
    )


def leftovers(memory: Memory) -> list[Leftover]:
    """Stopped workbenches, and environments that no workbench has."""
    used = {bench.image for bench in memory.benches.values()}
    stopped = [bench for bench in memory.benches.values() if bench.state != "running"]
    return [
        *(
            Leftover("container", each.name, each.name, each.labels.get(PROJECT, ""), "not running", 0)
            for each in stopped
        ),
        *(
            Leftover(each.kind, tag, tag, each.project, "no workbench has it", 0)
            for tag, each in memory.environments.items()
            if tag not in used
        ),
    ]
