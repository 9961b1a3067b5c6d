"""How each engine is asked for the smallest workbench there can be. One class per kind of engine, all with one face."""

import os
import signal
import socket
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from workbench import process
from workbench.engines.base import Engine
from workbench.engines.dialect import Dialect
from workbench.engines.fake import FakeEngine
from workbench.engines.local import LocalEngine
from workbench.errors import EngineError
from workbench.labels import BUILD, DEVICE, GPUS, INPUTS, NAME, OWNER, PLAN, PROJECT, VERSION
from workbench.model import (
    Bridge,
    Build,
    ContainerRun,
    Delivery,
    ImageBuild,
    Leftover,
    LocalRun,
    Running,
    RunPlan,
    VenvBuild,
)
from workbench.plan.device import Choice, environment

HERE = Path(__file__).parent
TINY = HERE / "image"
TOKEN = "f00d" * 16
SECRET = "a-password-of-the-user"
DELIVERY = Delivery(TOKEN, env={"PASSWORD": SECRET})


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Bench(ABC):
    """An engine, and what a test asks of it for one project that no other test has."""

    engine: Engine
    old_environments = 1
    """How many there are, until they are pruned, after one was replaced."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = uuid4().hex[:8]
        project = folder / f"project {self.key}"
        project.mkdir()
        self.project = str(project)

    @abstractmethod
    def build(self, content: str = "one") -> Build:
        """A build whose inputs change with `content`; `broken` fails with a message that says `broken`."""

    @abstractmethod
    def run(self, name: str = "one", *, build: Build | None = None, stubborn: bool = False, port: int = 0) -> RunPlan:
        """A workbench of this project, on a free port if none is given; a stubborn one ignores SIGTERM."""

    @abstractmethod
    def visible(self, running: Running) -> str:
        """All that another process or person could look at."""

    @abstractmethod
    def traces(self) -> set[str]:
        """Everything on the engine that belongs to this project's workbenches."""

    @abstractmethod
    def crash(self, running: Running) -> None:
        """End the server from outside, without a chance to shut down."""

    @abstractmethod
    def foreign(self) -> Leftover:
        """Something that is not ours, dressed as something to prune."""

    @abstractmethod
    def exists(self, foreign: Leftover) -> bool:
        """Whether it is still there."""

    def clean(self) -> None:
        """Take away all that this bench made."""
        for running in self.engine.find({PROJECT: self.project}):
            self.engine.stop(running.id)
            self.engine.remove(running.id, volumes=True)

    def labels(self, name: str) -> dict[str, str]:
        """Labels as the plan makes them."""
        return {
            PROJECT: self.project,
            NAME: f"{name}-{self.key}",
            PLAN: "plan-1",
            DEVICE: "cpu",
            OWNER: str(os.getuid()),
            VERSION: "1",
        }

    def env(self, name: str, folder: str, ip: str, port: int, *, stubborn: bool) -> dict[str, str]:
        """What the server is told."""
        told = {"WORKBENCH_NAME": f"{name}-{self.key}", "WORKBENCH_RUN": folder, "WORKBENCH_IP": ip}
        return {**told, "WORKBENCH_PORT": str(port), "GREETING": "hello", **({"STUBBORN": "1"} if stubborn else {})}


class LocalBench(Bench):
    """Processes and virtual environments in a temporary folder."""

    engine: LocalEngine

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.engine = LocalEngine(folder / "records", folder / "environments")

    def build(self, content: str = "one") -> VenvBuild:
        requirements = "broken !! is no requirement" if content == "broken" else f"# {content}"
        return VenvBuild(
            folder=str(self.engine.environments / f"tiny-{content}"),
            digest=content,
            inputs={"requirements.txt": content},
            files={"requirements.txt": requirements.encode()},
            project=self.project,
        )

    def run(self, name: str = "one", *, build: Build | None = None, stubborn: bool = False, port: int = 0) -> LocalRun:
        port, folder = port or free_port(), str(self.folder / "run" / name)
        return LocalRun(
            name=f"{name}-{self.key}",
            labels=self.labels(name),
            port=port,
            argv=(sys.executable, str(TINY / "server.py")),
            workdir=self.project,
            folder=folder,
            venv=build.folder if isinstance(build, VenvBuild) else sys.prefix,
            env=self.env(name, folder, "127.0.0.1", port, stubborn=stubborn),
            stop_timeout=1 if stubborn else 10,
        )

    def visible(self, running: Running) -> str:
        server = Path("/proc", running.container)
        records = [path.read_text() for path in (self.folder / "records").iterdir()]
        return "\n".join([*records, (server / "cmdline").read_text(), (server / "environ").read_text(), repr(running)])

    def traces(self) -> set[str]:
        return {str(path) for name in ("records", "run") for path in (self.folder / name).rglob("*") if path.is_file()}

    def crash(self, running: Running) -> None:
        os.kill(int(running.container), signal.SIGKILL)

    def foreign(self) -> Leftover:
        folder = self.engine.environments / "somebody's"
        folder.mkdir(parents=True)
        return Leftover("environment", str(folder), folder.name, "", "")

    def exists(self, foreign: Leftover) -> bool:
        return Path(foreign.id).is_dir()


class ImageBench(Bench):
    """What the container engines and the fake one have in common: they take image builds and container runs."""

    image = ""
    base = ""
    user = "1000:1000"

    def build(self, content: str = "one") -> ImageBuild:
        inputs = {"requirements.txt": content}
        return ImageBuild(
            tag=f"workbench-contract-{self.key}:test",
            digest=content,
            inputs=inputs,
            base=self.base,
            files={path.name: path.read_bytes() for path in TINY.iterdir() if path.is_file()},
            context=str(self.folder / "context"),
            # The key keeps the cache of other tests out of it.
            args={"BASE_IMAGE": self.base, "CONTENT": content, "KEY": self.key},
            labels={
                BUILD: content,
                INPUTS: f'{{"requirements.txt": "{content}"}}',
                PROJECT: self.project,
                NAME: self.key,
                VERSION: "1",
            },
            pull=False,
        )

    def run(
        self, name: str = "one", *, build: Build | None = None, stubborn: bool = False, port: int = 0
    ) -> ContainerRun:
        container = f"workbench-{name}-{self.key}"
        uid, gid = self.user.split(":")
        return ContainerRun(
            name=container,
            image=build.tag if isinstance(build, ImageBuild) else self.image,
            labels=self.labels(name),
            hostname=name,
            port=port or free_port(),
            container_port=8888,
            workdir="/projects/tiny",
            user=self.user,
            env=self.env(name, "/run/workbench", "0.0.0.0", 8888, stubborn=stubborn),  # noqa: S104 - inside
            tmpfs={"/run/workbench": f"rw,noexec,nosuid,nodev,size=16m,mode=0700,uid={uid},gid={gid}"},
            bridge=Bridge(container, self.labels(name), isolated=False),
            stop_timeout=1 if stubborn else 10,
            deliver=("python3", "/opt/tiny/deliver.py"),
        )


class FakeBench(ImageBench):
    """The fake engine, alone in this process."""

    engine: FakeEngine
    old_environments = 0
    image = "tiny:test"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.engine = FakeEngine()

    def build(self, content: str = "one") -> ImageBuild:
        if content == "broken":
            self.engine.fail["provide"] = EngineError("The build failed.", "Read on.", detail=["no package: broken"])
        return super().build(content)

    def visible(self, running: Running) -> str:
        return repr((self.engine.calls, running, list(self.engine.logs(running.id))))

    def traces(self) -> set[str]:
        return {running.id for running in self.engine.find({PROJECT: self.project})}

    def crash(self, running: Running) -> None:
        self.engine.crash(running.id, 137)

    def foreign(self) -> Leftover:
        return Leftover("container", "somebody's", "somebody's", "", "")

    def exists(self, foreign: Leftover) -> bool:
        return True


@dataclass(frozen=True)
class Cli:
    """The engine's own program, for looking at it from outside."""

    dialect: Dialect
    address: str

    def __call__(self, *arguments: str) -> process.Done:
        return process.run((self.dialect.name, *self.dialect.remote, self.address, *arguments), timeout=60)


class ContainerBench(ImageBench):
    """A real container engine. The image is built once for all tests of an engine."""

    def __init__(self, folder: Path, engine: Engine, cli: Cli, base: str, image: str = "") -> None:
        super().__init__(folder)
        self.engine, self.cli, self.base, self.image = engine, cli, base, image

    def visible(self, running: Running) -> str:
        looks = (("inspect", running.id), ("logs", running.id), ("top", running.id))
        found = [self.cli(*look) for look in looks]
        assert [done.code for done in found] == [0, 0, 0], found
        return "\n".join([*(done.out + done.err for done in found), repr(running)])

    def traces(self) -> set[str]:
        mine = f"label={PROJECT}={self.project}"
        containers = self.cli("ps", "-a", "-q", "--filter", mine).out.split()
        return {*containers, *self.cli("network", "ls", "-q", "--filter", mine).out.split()}

    def crash(self, running: Running) -> None:
        assert self.cli("kill", running.id).code == 0

    def foreign(self) -> Leftover:
        name = f"somebodys-{self.key}"
        done = self.cli("create", "--name", name, self.base, "true")
        assert done.code == 0, done.err
        return Leftover("container", done.out.strip(), name, "", "")

    def exists(self, foreign: Leftover) -> bool:
        return self.cli("inspect", foreign.id).code == 0

    def clean(self) -> None:
        super().clean()
        self.cli("rm", "-f", f"somebodys-{self.key}")
        for image in self.cli("images", "-q", "--filter", f"label={PROJECT}={self.project}").out.split():
            self.cli("rmi", "-f", image)


def with_gpus(run: ContainerRun, choice: Choice) -> ContainerRun:
    """The same run on a device, as the plan makes it."""
    return replace(
        run,
        device=choice.device,
        gpu_form=choice.form,
        gpu_ids=choice.ids,
        devices=choice.names,
        env={**run.env, **environment(choice.kind, choice.form, choice.ids)},
        labels={**run.labels, DEVICE: choice.device, GPUS: choice.gpus},
    )


def with_labels(run: RunPlan, extra: Mapping[str, str]) -> RunPlan:
    """The same run with more labels."""
    return replace(run, labels={**run.labels, **extra})
