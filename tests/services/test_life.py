"""How long services are waited for, with a real Docker; what is given beyond their own health check is made short."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.person import MakePerson
from support.services import IDLE, Beside, beside

from tests.agent.ground import Silent
from workbench import engines
from workbench.services import life, program, source
from workbench.state import State

CHECK = {"test": ["CMD", "false"], "start_period": "3s", "interval": "1s", "timeout": "2s", "retries": 50}
ITS_OWN = 3 + (1 + 2) * (50 + 1)
"""Seconds that this check may take by itself."""


@pytest.fixture
def late(somebody: MakePerson) -> Iterator[Beside]:
    """Whose service does not become healthy, and does not say so for minutes."""
    found = beside(somebody("docker"), "late")
    found.write({"db": IDLE, "web": {**IDLE, "healthcheck": CHECK, "depends_on": ["db"]}})
    yield found
    found.clear()


def test_a_service_that_does_not_become_healthy_is_given_up_and_all_stop(
    late: Beside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "LONG", 2.0 - ITS_OWN)
    environ, state = late.me.environment({}), State(tmp_path)
    engine, _ = engines.connect("docker", environ)
    with closing(engine):
        compose = program.find(engine)
        read = source.read(late.root, compose, environ)
        file = state.write_text("compose.json", source.written(read.stack))
        state.write_text(life.NO_ENV, "")
        assert engine.services is not None
        group = life.Group(engine.name, engine.services, compose, read.stack, late.root, read.env, file)
        with pytest.raises(life.NotHealthy, match="The service web is not healthy after 2 s"):
            life.up(group, ("web",), state, Silent())
    assert late.states() == {"db": "exited", "web": "exited"}
    assert life.started(state) == ()
