"""The agent and a container that its engine has started by itself, on the fake engine."""

import json
import time
from dataclasses import replace
from threading import Thread, Timer

import pytest

from tests.agent.conftest import MakeGround
from tests.agent.ground import SECRET, TOKEN, Engine, Ground
from workbench import comeback
from workbench.agent.service import Agent
from workbench.model import Delivery, EngineName, ExecResult, Running, RunPlan
from workbench.plan.commands import DELIVER

TAKE = ["/bin/sh", "-c", 'head -c "$0" > "$WORKBENCH_RUN/part" && mv "$WORKBENCH_RUN/part" "$WORKBENCH_RUN/taken"']


class Taking(Engine):
    """One whose containers say how they take a delivery, into a file of their run folder."""

    def start(self, run: RunPlan, delivery: Delivery) -> Running:
        """Start with that label."""
        return super().start(replace(run, labels={**run.labels, DELIVER: json.dumps(TAKE)}), delivery)

    def begin_by_itself(self, id: str) -> None:
        """What an engine does to a server that has crashed: it starts again, and nobody who comes can enter it."""
        with self._lock:
            self.crash(id, 137)
            self.resume(id, Delivery("0" * 64))


def served(ground: Ground, seconds: float) -> list[dict[str, object]]:
    """Serve for a time, or until something was handed over; what that was."""
    agent = Agent(ground.state, ground.opened)
    thread = Thread(target=agent.run, daemon=True)
    thread.start()
    taken, deadline = ground.engine.run_folder / "taken", time.monotonic() + seconds
    while not taken.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    agent.end()
    thread.join(60)
    return [json.loads(taken.read_bytes())] if taken.exists() else []


def test_it_is_handed_over_what_it_was_approved_with(make_ground: MakeGround) -> None:
    ground = make_ground(kind=Taking)
    ground.engine.answers[comeback.HAS] = ExecResult(1, "", "")
    ground.engine.begin_by_itself(ground.first.id)  # type: ignore[attr-defined]  # the kind above
    (taken,) = served(ground, 60)
    assert (taken["token"], taken["env"], taken["returning"]) == (TOKEN, {"PASSWORD": SECRET}, True)


def test_one_that_answers_or_is_about_to_take_it_is_handed_over_nothing(make_ground: MakeGround) -> None:
    ground = make_ground(kind=Taking)
    ground.engine.answers[comeback.HAS] = ExecResult(1, "", "")
    assert served(ground, 2) == []
    ground.engine.answers[comeback.HAS] = ExecResult(0, "", "")
    ground.engine.begin_by_itself(ground.first.id)  # type: ignore[attr-defined]  # the kind above
    assert served(ground, 2) == []


@pytest.mark.parametrize(
    ("engine", "policy", "code", "awaited"),
    [
        ("podman", "on-failure", 137, True),
        ("podman", "unless-stopped", 0, True),
        # Stopped in order, never to be started again, and an engine whose word is the last one.
        ("podman", "on-failure", 0, False),
        ("podman", "no", 137, False),
        ("docker", "on-failure", 137, False),
    ],
)
def test_one_that_has_ended_for_a_moment_is_waited_for(
    make_ground: MakeGround, monkeypatch: pytest.MonkeyPatch, engine: EngineName, policy: str, code: int, awaited: bool
) -> None:
    monkeypatch.setenv("WORKBENCH_RESTART", policy)
    ground = make_ground()
    ground.engine.name = engine
    ground.engine.crash(ground.first.id, code)
    again = Timer(0.5, ground.engine.resume, (ground.first.id, Delivery(TOKEN)))
    again.start()
    found = comeback.settled(ground.engine, ground.state, ground.now)
    again.join()
    assert found is not None and (found.state == "running") == awaited
