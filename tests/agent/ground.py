"""A workbench of a real project on the fake engine, as a launch leaves it; its relay is a real process."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.contract.benches import free_port
from workbench import approved, config, labels, project, recreate
from workbench.engines.fake import FACTS, FakeEngine
from workbench.engines.fake_services import FakeServices
from workbench.flow import Survey, host_facts, make_plan, on_chosen_device, provide, replacing
from workbench.model import (
    Companions,
    Delivery,
    Event,
    Gpu,
    GpuFacts,
    HostFacts,
    LaunchPlan,
    Request,
    Running,
    RunPlan,
    Seed,
    ServiceState,
)
from workbench.plan import naming
from workbench.state import State

TOKEN = "f00d" * 16
SECRET = "the password of somebody"
GPU = GpuFacts(driver="570.1", gpus=(Gpu(0, "GPU-1", "a GPU"),))
WITH_GPU = HostFacts("fake", "1", os.getuid(), os.getgid(), "me", python="3.11", runtimes=("nvidia",), gpu=GPU)
WITHOUT_GPU = HostFacts("fake", "1", os.getuid(), os.getgid(), "me", python="3.11", gpu=FACTS.gpu)
FILES = {
    "requirements.txt": "iniconfig==2.0.0\n",
    "apt.txt": "tree\n",
    "postBuild": "true\n",
    "pyproject.toml": '[project]\nname = "tides"\nversion = "1"\n\n[tool.workbench]\nmemory = "3g"\n',
}


class Engine(FakeEngine):
    """The fake one, whose relay has its run folder on this machine. It can have services."""

    services: FakeServices

    def __init__(self, folder: Path, facts: HostFacts) -> None:
        super().__init__(facts=facts, services=FakeServices())
        self.run_folder = folder / "run"
        self.run_folder.mkdir(mode=0o700)

    def start(self, run: RunPlan, delivery: Delivery) -> Running:
        """Start with the folder that there is."""
        return super().start(replace(run, env={**run.env, "WORKBENCH_RUN": str(self.run_folder)}), delivery)


class Silent:
    """Whom a relaunch talks to; remembers what it went through."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def command(self, argv: tuple[str, ...]) -> None:
        pass

    def work(self, events: Iterator[Event]) -> None:
        for _ in events:
            pass

    def ask(self, question: str) -> bool | None:
        return None

    def phase(self, phase: str) -> None:
        self.phases.append(phase)


class Ground:
    """Everything that an agent needs."""

    def __init__(self, folder: Path, engine: Engine, **flags: Any) -> None:
        self.folder, self.engine = folder, engine
        self.root = folder / "tides"
        self.root.mkdir()
        for name, text in FILES.items():
            (self.root / name).write_text(text)
        self.environ = dict(os.environ)
        self.request = Request(self.root, {"env": ("PASSWORD",), **flags}, cwd=folder)
        self.name = naming.workbench_name("tides", str(self.root))
        self.state = State.of(self.name)
        found = self.survey()
        plan = make_plan(found, Seed(TOKEN, free_port()))
        with self.state.lock(lambda: None):
            provide(found, plan, Silent())
            launched = replacing(found, plan, None, Silent())
        assert launched.running is not None
        self.first: Running = launched.running

    def survey(self, **flags: Any) -> Survey:
        """What `run-notebook` finds, with the flags of the launch or others."""
        request = Request(self.root, flags or self.request.flags, cwd=self.folder)
        found = project.find(self.root)
        settings = config.load(found, self.environ, request.flags, cwd=self.folder)
        facts = host_facts(self.engine, self.environ)
        return Survey(request, found, settings, self.engine, facts, self.state, self.name)

    def planned(self, **flags: Any) -> LaunchPlan:
        """What the next `run-notebook` would start."""
        return make_plan(on_chosen_device(self.survey(**flags)), Seed(TOKEN, self.first.port))

    def beside(self, companions: Companions) -> None:
        """Have these services approved, as a launch does."""
        kept = approved.read(self.state)
        assert kept is not None
        approved.keep(self.state, replace(kept, companions=companions))

    def container(self, service: str, id: str = "", container: str = "", **more: Any) -> ServiceState:
        """A container of a service of this project; with the same id in the place of the one that was there."""
        id, container = id or f"id-{service}", container or f"tides-{service}-1"
        told = {"stack": "tides", "folder": str(self.root), "state": "running", **more}
        made = ServiceState(id=id, container=container, service=service, **told)
        self.engine.services.put(made, *(f"{id} says {number}" for number in range(1000)))
        return made

    def opened(self) -> AbstractContextManager[Engine]:
        """The engine, as an agent opens it."""
        return nullcontext(self.engine)

    def now(self) -> Running:
        """The one container that there is."""
        (found,) = self.engine.find({labels.NAME: self.name})
        return found

    def next_launch(self) -> Running:
        """What the next `run-notebook` finds, after it has put right what was cut off."""
        mine = {labels.PROJECT: str(self.root), labels.OWNER: str(os.getuid())}
        found = recreate.existing(self.engine, self.state, mine, lambda _: None)
        assert found is not None
        return found

    def is_the_same(self, device: str) -> Running:
        """Exactly one runs, under the name, the port and the token of the first; it is what a launch would start."""
        now = self.now()
        assert (now.container, now.port, now.state) == (self.first.container, self.first.port, "running")
        assert self.engine.deliveries[now.id].token == TOKEN
        assert now.device == device
        assert self.planned().digest == now.plan
        assert not (self.state.folder / recreate.JOURNAL).exists()
        return now

    def env(self) -> dict[str, str]:
        """The environment of what runs."""
        return dict(self.engine._memory.benches[self.now().id].env)
