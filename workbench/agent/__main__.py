"""`python -m workbench.agent NAME ENGINE`: the agent of a workbench that runs detached."""

import signal
import sys
from functools import partial

from workbench.agent.process import attended, opened
from workbench.agent.service import Agent
from workbench.state import State


def main(name: str, engine: str) -> None:
    """Serve until the workbench stops, or a signal ends this process in order."""
    state = State.of(name)
    agent = Agent(state, partial(opened, name, engine))  # type: ignore[arg-type]
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda number, frame: agent.end())
    # The terminal that it was begun on may close.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with attended(state):
        agent.run()


main(*sys.argv[1:])
