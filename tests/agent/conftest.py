"""Fixtures of the agent's tests."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.ground import SECRET, WITH_GPU, Engine, Ground
from workbench.model import HostFacts

MakeGround = Callable[..., Ground]


@pytest.fixture
def make_ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeGround]:
    """Make a workbench on the fake engine, with a GPU to be had unless other facts are given."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PASSWORD", SECRET)
    made: list[Ground] = []

    def make(facts: HostFacts = WITH_GPU, kind: type[Engine] = Engine, **flags: Any) -> Ground:
        made.append(Ground(tmp_path, kind(tmp_path, facts), **flags))
        return made[-1]

    yield make
    for each in made:
        each.engine.fail.clear()
        each.engine.close()


@pytest.fixture
def ground(make_ground: MakeGround) -> Ground:
    return make_ground()
