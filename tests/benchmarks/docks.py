"""A workbench on the second machine: `python3 tests/benchmarks/docks.py [--rounds 10]`.

Needs what the tests of docks need, in the same variables. Launches are in turn with the same on this machine (A B A B
...); for the rest there is nothing to compare with, and the figures are seconds.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from support.dock import Dock, alone
from support.engines import engine
from support.person import Environment, Person, person


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    with alone() as dock, dock.online(), person(Path(tempfile.mkdtemp(prefix="p-")), engine("docker")) as me:
        env: Environment = {**dock.give_ssh(me), "WORKBENCH_ENGINE": None}
        project = me.project("notebooks-only", name="bench")
        there = {**env, "DOCKER_HOST": None}
        launches(me, project, there, rounds)
        copies(me, dock, project, there, rounds)
        me.run("workbench", "rm", "--force", "--copy", cwd=project, env=there)


def launches(me: Person, project: Path, there: Environment, rounds: int) -> None:
    """Seconds from the command to a server that answers, image and HOME being there."""
    ways: dict[str, Callable[[], object]] = {
        "on the dock": lambda: me.launch(project, "--dock", "dock", env=there),
        "here": lambda: me.launch(project),
    }
    stop: dict[str, Callable[[], object]] = {
        "on the dock": lambda: me.run("workbench", "rm", "--force", cwd=project, env=there).ok(),
        "here": lambda: me.run("workbench", "rm", "--force", cwd=project).ok(),
    }
    seconds: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for way, act in ways.items():
            begun = time.perf_counter()
            act()
            if number:  # the first one builds
                seconds.setdefault(way, []).append(time.perf_counter() - begun)
            stop[way]()
    for way, each in seconds.items():
        told(f"launch {way}", each)
    ratio = statistics.median(seconds["on the dock"]) / statistics.median(seconds["here"])
    print(f"{'ratio':24} {ratio:6.2f}")


def copies(me: Person, dock: Dock, project: Path, there: Environment, rounds: int) -> None:
    """Seconds until a small file of one side is on the other one."""
    me.launch(project, "--dock", "dock", env=there)
    [copy] = (dock.home(me) / ".local/share/workbench/projects").iterdir()
    for way, (near, far) in {"to the dock": (project, copy), "from the dock": (copy, project)}.items():
        seconds = []
        for number in range(rounds):
            time.sleep(0.37)  # not in step with the looks at both sides, one each second
            name = f"{way} {number}.txt"
            begun = time.perf_counter()
            (near / name).write_text("x")
            while not (far / name).exists():
                time.sleep(0.005)
            seconds.append(time.perf_counter() - begun)
        told(f"a file {way}", seconds)
    me.run("workbench", "stop", cwd=project, env=there).ok()


def told(what: str, seconds: list[float]) -> None:
    """A line: the median, and the least and the most."""
    print(f"{what:24} {statistics.median(seconds):6.2f}  ({min(seconds):.2f} to {max(seconds):.2f})")


if __name__ == "__main__":
    main()
