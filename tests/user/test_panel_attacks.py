"""What code in a container can do with the control channel is what its own panel can do, and nothing more."""

import base64
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.malice import MALFORMED, WRONG
from support.person import MakePerson, Person, Workbench

pytestmark = pytest.mark.xdist_group("panel attacks")

ATTACK = Path(__file__).parents[1] / "support/attack.py"
MOST = 100 << 20
"""Bytes of memory that an agent has at its worst."""
LINES = {**MALFORMED, **{name: raw for name, (raw, _) in WRONG.items()}}
CODES = {**dict.fromkeys(MALFORMED, "malformed"), **{name: code for name, (_, code) in WRONG.items()}}


@dataclass(frozen=True)
class Target:
    """A workbench with an agent that is a process of its own, and what was there before the attacks."""

    me: Person
    bench: Workbench
    agent: psutil.Process
    since: float
    inspect: dict[str, Any]

    def attack(self, name: str, *arguments: str) -> Any:
        """What the attacker inside prints."""
        python = ("/opt/workbench/bin/python", "-I", "attack.py")
        return json.loads(self.me.engine.docker("exec", self.bench.container, *python, name, *arguments))

    def status(self) -> dict[str, Any]:
        """What the agent answers to one who asks as everybody may."""
        found: dict[str, Any] = self.attack("ask", "status")["result"]
        return found

    def events(self) -> set[tuple[str, str]]:
        """What was done to this person's containers since: container and action."""
        label = f"label=io.workbench.project={self.bench.project}"
        span = ("--since", f"{self.since:.3f}", "--until", f"{time.time():.3f}")
        told = self.me.engine.docker("events", *span, "--filter", label, "--format", "{{.Actor.ID}} {{.Action}}")
        return {(id, action) for id, action in (line.split(" ", 1) for line in told.splitlines())}

    def peak(self) -> int:
        """The most memory that the agent ever had, in bytes."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.agent.pid}/status").read_text())
        assert found
        return int(found[1]) << 10


@pytest.fixture(scope="module")
def target(somebody_for_long: MakePerson) -> Iterator[Target]:
    me = somebody_for_long("docker")
    project = me.project(name="attacked")
    me.write(project / "attack.py", ATTACK.read_text())
    me.write(project / "lines.json", json.dumps({name: base64.b64encode(raw).decode() for name, raw in LINES.items()}))
    bench = me.launch(project)
    described = me.run("workbench", "panel", "--json", cwd=project).ok().json()
    found = Target(
        me, bench, psutil.Process(described["agent"]["pid"]), time.time(), me.engine.inspect(bench.container)
    )
    found.status()
    yield found
    me.clean_up()


@pytest.fixture
def nothing_happens(target: Target) -> Iterator[None]:
    """After an attack the same agent serves the same container, to which nothing was done; nor to any other."""
    yield
    status = target.status()
    assert status["container"] == target.bench.container
    assert target.agent.is_running() and target.agent.status() != psutil.STATUS_ZOMBIE
    assert target.peak() < MOST
    now = target.me.engine.inspect(target.bench.container)
    for part in ("Id", "HostConfig", "Config"):
        assert now[part] == target.inspect[part]
    assert (now["State"]["Status"], now["State"]["StartedAt"]) == ("running", target.inspect["State"]["StartedAt"])
    events = target.events()
    assert events, "the engine told nothing, not even of our own commands"
    assert {id for id, _ in events} == {now["Id"]}
    # The engine tells of the container's own health check too.
    assert all(action.startswith(("exec_", "health_status")) for _, action in events), events
    assert [each.id for each in target.me.containers()] == [now["Id"]]


@pytest.fixture(scope="module")
def codes(target: Target) -> dict[str, str]:
    """How each line was refused, one after the other on the relay's socket."""
    found: dict[str, str] = target.attack("each", "lines.json")
    return found


@pytest.mark.parametrize("name", LINES)
def test_each_line_that_nobody_may_send_is_refused(codes: dict[str, str], name: str) -> None:
    assert codes[name] == CODES[name]


@pytest.mark.usefixtures("nothing_happens")
def test_no_line_did_anything(codes: dict[str, str]) -> None:
    assert len(codes) == len(LINES) >= 40


@pytest.mark.usefixtures("nothing_happens")
def test_lines_past_the_relay_do_nothing_either(target: Target) -> None:
    assert target.attack("each_to_the_agent", "lines.json") == len(LINES)


@pytest.mark.usefixtures("nothing_happens")
def test_a_request_is_carried_out_once(target: Target) -> None:
    assert target.attack("again") == [True, "replayed", "replayed"]


@pytest.mark.usefixtures("nothing_happens")
def test_a_flood_of_requests(target: Target) -> None:
    assert target.attack("flood", "4") > 10_000


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("kind", ["garbage", "requests", "endless"])
def test_a_flood_into_the_agents_own_stream(target: Target, kind: str) -> None:
    assert target.attack(kind, "4") > 100_000


@pytest.mark.usefixtures("nothing_happens")
def test_one_who_asks_and_never_reads(target: Target) -> None:
    assert target.attack("deaf") == "dropped"


@pytest.mark.usefixtures("nothing_happens")
def test_two_hundred_connections_with_half_a_request(target: Target) -> None:
    assert target.attack("crowd", "200")["ok"]


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("signal", ["SIGKILL", "SIGTERM", "SIGSTOP"])
def test_a_relay_that_is_struck_is_replaced(target: Target, signal: str) -> None:
    """One that is held still is given up after the silence that the protocol allows."""
    assert target.attack("strike", signal)["ok"]
