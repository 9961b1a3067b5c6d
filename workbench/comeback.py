"""A container that its engine has started by itself: what it was handed over has gone with its memory."""

import json
import time
from collections.abc import Callable
from dataclasses import replace

from workbench import approved, ready
from workbench.engines.base import Engine
from workbench.errors import EngineError, last_lines
from workbench.model import Delivery, Running
from workbench.plan.commands import DELIVER
from workbench.plan.run import RUN_FOLDER
from workbench.state import State

HAS = ("/bin/sh", "-c", f"[ -e {RUN_FOLDER}/token ] || [ -e {RUN_FOLDER}/delivery.json ]")
"""Ends with 1 where nothing was handed over, and with 0 where the server has that, or is about to take it."""
GAP = 3.0
"""Seconds after which Podman has begun again what it begins by itself."""
LOOK = 0.1
"""Seconds between two looks."""


def hand_over(engine: Engine, running: Running, delivery: Delivery) -> bool:
    """Hand over what a running container does not have any more; False where it has. Call it under the state's lock.

    Raises EngineError when it ends meanwhile, or does not take it.
    """
    command = json.loads(running.labels.get(DELIVER, "[]"))
    if not command or ready.answers(running.port, delivery.token) or engine.exec(running.id, HAS).code != 1:
        return False
    # Notebooks in open tabs wait for their kernels.
    content = json.dumps(replace(delivery, returning=True).document()).encode()
    done = engine.exec(running.id, (*command, str(len(content))), stdin=content)
    if done.code != 0:
        last = last_lines(done.err or done.out)
        raise EngineError(
            f"{running.name} did not take its token and settings again.",
            f"Its log may say why: workbench logs {running.name}",
            detail=last,
        )
    return True


def settled(engine: Engine, state: State, look: Callable[[], Running | None]) -> Running | None:
    """What there is once the engine has begun again what it begins by itself.

    With Podman such a container has ended for a moment; Docker says that it runs.
    """
    found = look()
    deadline = time.monotonic() + GAP
    while found and found.state != "running" and _begins_again(engine, state, found) and time.monotonic() < deadline:
        time.sleep(LOOK)
        found = look()
    return found


def _begins_again(engine: Engine, state: State, ended: Running) -> bool:
    """Whether it may be that the engine is about to start it. One that was stopped in order has not failed."""
    kept = approved.read(state)
    if engine.name != "podman" or kept is None or kept.settings.restart == "no":
        return False
    return ended.exit_code != 0 or not kept.settings.restart.startswith("on-failure")
