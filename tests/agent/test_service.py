"""The agent: asked over a real relay, on the fake engine. It answers, acts, comes back, and ends in time."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import psutil
import pytest
from support.control import Control, beside

from tests.agent.conftest import MakeGround
from tests.agent.ground import SECRET, TOKEN, WITHOUT_GPU, Ground
from workbench import __version__, recreate
from workbench.agent import process
from workbench.agent.service import SERVICES, Agent
from workbench.engines.base import NoGpu
from workbench.engines.fake import STATS
from workbench.errors import EngineError, NoEngineError
from workbench.inside import wire
from workbench.model import Companions, Web

PATIENCE = 60.0


class Served:
    """A workbench with its agent, in a thread, and somebody inside."""

    def __init__(self, ground: Ground, *, attached: bool = False) -> None:
        self.ground = ground
        self.agent = Agent(ground.state, ground.opened, attached=attached)
        self.thread = Thread(target=self.agent.run, daemon=True)
        self.thread.start()
        self.control: Control = beside(ground.engine.run_folder, dict(os.environ))

    def result(self, verb: str, **arguments: object) -> dict[str, object]:
        reply = self.control.ask(verb, **arguments)
        assert reply["ok"], reply
        found: dict[str, object] = reply["result"]
        return found

    def refused(self, verb: str, **arguments: object) -> dict[str, str]:
        reply = self.control.ask(verb, **arguments)
        assert not reply["ok"], reply
        found: dict[str, str] = reply["error"]
        return found

    def relay(self) -> psutil.Process:
        """The relay's process."""

        def found() -> list[psutil.Process]:
            children = psutil.Process().children()
            return [each for each in children if "workbench.inside.relay" in _words(each)]

        until(lambda: bool(found()))
        return found()[0]

    def close(self) -> None:
        self.control.close()
        self.agent.end()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


MakeServed = Callable[[Ground], Served]


@pytest.fixture
def serve() -> Iterator[MakeServed]:
    made: list[Served] = []

    def make(ground: Ground) -> Served:
        made.append(Served(ground))
        return made[-1]

    yield make
    for each in made:
        each.ground.engine.fail.clear()
        each.close()


@pytest.fixture
def served(ground: Ground, serve: MakeServed) -> Served:
    return serve(ground)


def test_what_it_tells(served: Served) -> None:
    assert served.result("hello") == {"protocol": 1, "version": __version__}
    assert served.result("stats")["memory"] == STATS.memory
    assert served.result("logs", tail=1) == {"lines": list(served.ground.engine.logs(served.ground.first.id))[-1:]}
    first = served.ground.first
    status = served.result("status")
    assert status == served.control.status
    assert {name: status[name] for name in ("name", "engine", "container", "port", "device", "gpus")} == {
        "name": first.name,
        "engine": "fake",
        "container": first.container,
        "port": first.port,
        "device": "cpu",
        "gpus": "all",
    }
    assert status["url"] == f"http://{first.name}.localhost:{first.port}/lab"
    assert (status["gpu"], status["changes"], status["attached"]) == ({"possible": True, "why": ""}, [], False)
    assert isinstance(status["image_created"], float) and status["image"] == first.image
    for line in served.control.lines:
        assert TOKEN.encode() not in line and SECRET.encode() not in line


def test_it_says_what_a_launch_would_do_differently(ground: Ground, serve: MakeServed) -> None:
    (ground.root / "requirements.txt").write_text("iniconfig==2.1.0\n")
    served = serve(ground)
    assert served.result("status")["changes"] == ["requirements.txt changed"]
    (ground.root / "pyproject.toml").write_text("[tool.workbench\n")
    until(lambda: served.result("status")["changes"] == ["the configuration cannot be read"])
    # Told to everybody, without a question.
    assert served.control.status["changes"] == ["the configuration cannot be read"]


def test_it_restarts_the_same_one(served: Served) -> None:
    before = served.ground.first.started
    assert served.control.done("restart")["ok"]
    now = served.ground.is_the_same("cpu")
    assert now.started != before and served.ground.engine.deliveries[now.id].returning
    assert set(served.control.phases()) <= {"preparing", "stopping", "starting"}
    assert served.result("status")["started"] == now.started


def test_it_changes_the_device_and_then_pauses(served: Served) -> None:
    assert served.control.done("set_device", device="gpu")["ok"]
    assert served.ground.is_the_same("gpu").gpus == "all"
    assert served.result("status")["device"] == "gpu"
    # What the panel has changed is no change to the next launch.
    assert served.result("status")["changes"] == []
    assert served.refused("restart")["code"] == "too_soon"


def test_it_does_one_thing_at_a_time(served: Served) -> None:
    with served.ground.state.lock(lambda: None):
        # The action waits for this, in its first phase.
        served.control.accepted("restart")
        assert served.refused("stop")["code"] == "busy"
        assert served.result("status")["device"] == "cpu"
        served.result("cancel")
    outcome = served.control.outcome()
    assert not outcome["ok"] and outcome["message"] == "It was cancelled."
    assert served.ground.now() == served.ground.first
    assert served.refused("cancel")["code"] == "nothing_to_cancel"


def test_it_rebuilds(served: Served) -> None:
    (served.ground.root / "requirements.txt").write_text("iniconfig==2.1.0\n")
    assert served.control.done("rebuild")["ok"]
    served.ground.is_the_same("cpu")
    assert served.result("status")["changes"] == []


def test_a_build_that_fails_changes_nothing(served: Served) -> None:
    home = str(Path.home())
    served.ground.engine.fail["provide"] = EngineError(f"{home}/x is broken.", f"Mend {home}/x.", detail=["secret"])
    outcome = served.control.done("rebuild")
    assert (outcome["ok"], outcome["message"], outcome["hint"]) == (False, "~/x is broken.", "Mend ~/x.")
    assert served.ground.now() == served.ground.first
    log = (served.ground.state.folder / process.LOG).read_text()
    assert f"{home}/x is broken." in log and "secret" in log


def test_the_device_that_is_there_is_refused(served: Served) -> None:
    served.control.done("set_device", device="cpu")
    served.control.close()
    until(lambda: served.refused("set_device", device="cpu")["code"] == "refused")
    served.ground.is_the_same("cpu")


def test_a_gpu_that_cannot_be_had_is_refused_at_once(make_ground: MakeGround, serve: MakeServed) -> None:
    ground = make_ground(WITHOUT_GPU)
    served = serve(ground)
    status = served.result("status")
    assert status["gpu"] == {"possible": False, "why": status["gpu"]["why"]} and "NVIDIA" in status["gpu"]["why"]
    refused = served.refused("set_device", device="gpu")
    assert refused["code"] == "refused" and "NVIDIA" in refused["message"] and refused["hint"]
    assert ground.now() == ground.first
    # Nothing was begun, so there is no pause.
    assert served.control.ask("restart")["ok"]


def test_a_gpu_that_the_engine_refuses_brings_the_old_one_back(served: Served) -> None:
    served.ground.engine.fail["start"] = NoGpu("No GPU is left.", "Wait.")
    outcome = served.control.done("set_device", device="gpu")
    assert not outcome["ok"] and outcome["message"] == "No GPU is left."
    assert outcome["hint"].endswith("The workbench runs again as it was before.")
    assert served.ground.is_the_same("cpu").gpus == "all"


def test_it_stops_the_workbench_and_ends(served: Served) -> None:
    served.control.accepted("stop")
    served.thread.join(PATIENCE)
    assert not served.thread.is_alive()
    assert served.ground.now().state == "stopped"
    assert process.alive(served.ground.state) is None


def test_a_relay_that_was_killed_is_started_again(served: Served) -> None:
    for _ in range(3):
        served.result("hello")
        os.kill(served.relay().pid, signal.SIGKILL)
        served.result("hello")
    assert served.ground.now() == served.ground.first


def test_it_goes_on_after_a_restart_by_somebody_else(served: Served) -> None:
    served.result("hello")
    recreate.restart(served.ground.engine, served.ground.now(), lambda _: None)
    until(lambda: "the relay has ended" in (served.ground.state.folder / process.LOG).read_text())
    until(lambda: served.result("status")["started"] == served.ground.now().started)


def test_it_ends_with_its_workbench(served: Served) -> None:
    served.result("hello")
    served.ground.engine.crash(served.ground.first.id)
    served.thread.join(PATIENCE)
    assert not served.thread.is_alive()


def test_it_waits_for_an_engine_that_is_away(served: Served) -> None:
    served.result("hello")
    away = NoEngineError("Nothing listens there.", "Start it.")
    served.ground.engine.fail |= dict.fromkeys(("find", "talk", "facts"), away)
    os.kill(served.relay().pid, signal.SIGKILL)
    until(lambda: "Nothing listens there." in (served.ground.state.folder / process.LOG).read_text())
    served.ground.engine.fail.clear()
    served.result("hello")


def test_what_was_cut_off_is_put_right(ground: Ground, serve: MakeServed) -> None:
    gone = NoEngineError("Gone.", "Start it.")
    with pytest.raises(NoEngineError):  # noqa: SIM117 - the error has to pass through the inner one
        with recreate.replacing(ground.engine, ground.state, ground.first, TOKEN, lambda _: None):
            ground.engine.fail = dict.fromkeys(("find", "stop", "rename", "remove", "resume"), gone)
            raise gone
    ground.engine.fail = {}
    assert ground.now().container.endswith(".aside")
    served = serve(ground)
    served.result("hello")
    ground.is_the_same("cpu")


def test_there_is_one_agent_at_a_time(served: Served) -> None:
    served.result("hello")
    who = process.alive(served.ground.state)
    assert who is not None and (who.pid, who.attached) == (os.getpid(), False)
    other = Thread(target=Agent(served.ground.state, served.ground.opened).run, daemon=True)
    other.start()
    other.join(PATIENCE)
    assert not other.is_alive()
    served.result("hello")


def test_what_goes_wrong_unforeseen_is_told_and_ends_nothing(served: Served) -> None:
    served.ground.engine.fail["stats"] = EngineError("No numbers.", "Wait.")
    assert served.refused("stats") == {"code": "failed", "message": "No numbers.", "hint": "Wait."}
    served.result("hello")


COMPANIONS = Companions(
    "tides", ("db", "mlflow", "queue"), web=(Web("mlflow", 5000, "MLflow", "/#/runs"),), restart=("db",)
)


@pytest.fixture
def companied(ground: Ground, serve: MakeServed) -> Served:
    """A workbench with services, of which a launch allowed that one is restarted."""
    ground.beside(COMPANIONS)
    ground.container("mlflow", health="starting", ports=("127.0.0.1:5000->5000/tcp",))
    ground.container("db", health="healthy", ports=("5432/tcp",))
    return serve(ground)


def test_it_tells_of_the_approved_services_in_their_order(companied: Served) -> None:
    companied.ground.container("secret")
    companied.ground.container("queue", id="other", folder="/elsewhere")
    plain = {"health": "", "exit_code": None, "ports": [], "web": False, "path": "", "restart": False}
    assert companied.result("status")["services"] == [
        {**plain, "name": "db", "title": "db", "state": "running", "health": "healthy", "ports": ["5432/tcp"],
         "restart": True},
        {**plain, "name": "mlflow", "title": "MLflow", "state": "running", "health": "starting",
         "ports": ["127.0.0.1:5000->5000/tcp"], "web": True, "path": "/#/runs"},
        {**plain, "name": "queue", "title": "queue", "state": "gone"},
    ]  # fmt: skip


def of(served: Served, place: int, key: str) -> object:
    """What was told last of a service, without a question."""
    return served.control.status["services"][place][key]


def test_while_somebody_looks_news_of_services_is_told_without_a_question(companied: Served) -> None:
    companied.result("status")
    companied.ground.container("mlflow", health="healthy")
    until(lambda: of(companied, 1, "health") == "healthy")
    companied.ground.container("mlflow", state="stopped", exit_code=3)
    until(lambda: (of(companied, 1, "state"), of(companied, 1, "exit_code")) == ("stopped", 3))
    said = [line for line in companied.control.lines if b'"event":"status"' in line]
    assert len(said) == 3, "only what is new is told"


def test_services_are_looked_at_seldom_and_by_nobody_who_does_not_look(companied: Served) -> None:
    companied.result("hello")
    looks = companied.ground.engine.services.calls
    assert looks == [("find", "tides")]
    time.sleep(4)
    assert len(looks) == 1
    began = time.monotonic()
    for _ in range(10):
        companied.result("status")
    assert 2 <= len(looks) <= 2 + (time.monotonic() - began) / SERVICES


def test_a_workbench_without_services_never_asks_for_any(served: Served) -> None:
    assert served.result("status")["services"] == []
    assert served.ground.engine.services.calls == []


def test_the_log_of_a_service(companied: Served) -> None:
    assert companied.result("service_logs", service=1, tail=2) == {
        "lines": ["id-mlflow says 998", "id-mlflow says 999"]
    }
    companied.ground.container("db", id="second", container="tides-db-2")
    lines = companied.result("service_logs", service=0, tail=1)["lines"]
    assert lines == ["tides-db-1 | id-db says 999", "tides-db-2 | second says 999"]
    gone = companied.refused("service_logs", service=2, tail=1)
    assert gone["code"] == "failed" and "queue has no container" in gone["message"]
    assert companied.refused("service_logs", service=3, tail=1) == {
        "code": "refused", "message": "The workbench has no service 3.", "hint": "It has 3."
    }  # fmt: skip


def test_a_service_that_a_launch_allowed_is_restarted(companied: Served) -> None:
    companied.ground.container("db", id="foreign", folder="/elsewhere")
    companied.ground.engine.services.seconds = 1.0
    outcome = companied.control.done("restart_service", service=0)
    assert (outcome["ok"], outcome["verb"], outcome["service"]) == (True, "restart_service", "db")
    assert [each for each in companied.ground.engine.services.calls if each[0] != "find"] == [("restart", "id-db")]
    told = [each["action"] for each in companied.control.actions if each["action"]]
    assert {(each["text"], each["can_cancel"], each["service"]) for each in told} == {("restarting db", False, "db")}
    assert companied.ground.now() == companied.ground.first
    # As after every action.
    assert companied.refused("restart_service", service=0)["code"] == "too_soon"


def test_no_other_service_is_restarted(companied: Served) -> None:
    refused = companied.refused("restart_service", service=1)
    assert refused["code"] == "refused" and "mlflow" in refused["message"]
    assert "`[tool.workbench.services.mlflow]` with `restart = true`" in refused["hint"]
    assert companied.refused("restart_service", service=3)["code"] == "refused"
    assert companied.refused("restart_service", service=wire.SERVICES - 1)["code"] == "refused"
    assert {method for method, _ in companied.ground.engine.services.calls} == {"find"}
    # Nothing was begun, so there is no pause.
    assert companied.control.ask("restart_service", service=0)["ok"]


def test_what_is_written_into_the_project_meanwhile_allows_nothing(companied: Served) -> None:
    path = companied.ground.root / "pyproject.toml"
    path.write_text(path.read_text() + "[tool.workbench.services.mlflow]\nrestart = true\n")
    assert companied.refused("restart_service", service=1)["code"] == "refused"


def test_a_restart_that_the_engine_refuses_is_told(companied: Served) -> None:
    companied.ground.engine.services.fail["restart"] = EngineError("No room is left.", "Make some.")
    outcome = companied.control.done("restart_service", service=0)
    assert (outcome["ok"], outcome["message"], outcome["hint"]) == (False, "No room is left.", "Make some.")


def test_services_that_cannot_be_looked_at_keep_nobody_from_the_rest(companied: Served) -> None:
    companied.ground.engine.services.fail["find"] = EngineError("No list.", "Wait.")
    until(lambda: [each["state"] for each in companied.result("status")["services"]] == [None] * 3)
    assert companied.result("status")["container"] == companied.ground.first.container
