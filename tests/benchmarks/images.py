"""Images side by side with the plain programs: `python3 tests/benchmarks/images.py [--rounds 5] [--layer 50]`.

Needs what the tests of `transfer-image` need, in the same variables: an engine here, and the second machine. Each pair
is run in turn (A B A B …). `transfer-image` is against dockerutils' way, `docker save | gzip | ssh 'gunzip | docker
load'`, after a change in the last layer; bytes are those that crossed the cable between the two machines.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from support.dock import Dock, alone
from support.engines import engine
from support.person import Person, person
from support.require import require

Figures = dict[str, list[float]]


def main() -> None:
    """Measure both, print a table of medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--layer", type=int, default=50, help="MB of the last layer, which cannot be compressed")
    options = parser.parse_args()
    with alone() as dock, person(Path(tempfile.mkdtemp(prefix="p-")), engine("docker")) as me:
        transfers(me, dock, options.rounds, options.layer * 1_000_000)
        builds(me, options.rounds)


def transfers(me: Person, dock: Dock, rounds: int, layer: int) -> None:
    """Seconds and bytes of both ways to send an image whose last layer has changed."""
    project, env = me.project(name="bench"), dock.give_ssh(me)
    image = f"bench-app:{me.environment({})['USER']}"
    by_hand = f"docker save {image} | gzip | ssh dock 'gunzip | docker load'"
    ways: dict[str, Callable[[], object]] = {
        "transfer-image": lambda: me.run("transfer-image", "app", "dock", "-q", cwd=project, env=env).ok(),
        "save, gzip, ssh": lambda: me.run("bash", "-eo", "pipefail", "-c", by_hand, cwd=project, env=env).ok(),
    }
    seconds, sent = Figures(), Figures()
    for number in range(rounds + 1):
        for way, act in ways.items():
            text = f"FROM {require('base-image')}\nRUN echo {uuid4()} && head -c {layer} /dev/urandom > /data\n"
            me.write(project / "docker/app/Dockerfile", text)
            me.run("build-image", "app", "-q", cwd=project).ok()
            before, begun = dock.crossed(), time.perf_counter()
            act()
            if number:  # the first one only warms up
                seconds.setdefault(way, []).append(time.perf_counter() - begun)
                sent.setdefault(way, []).append((dock.crossed() - before) / layer)
    told("seconds", seconds)
    told("bytes on the wire, of the layer", sent)


def builds(me: Person, rounds: int) -> None:
    """Seconds of a build of which every layer is there, and of the same by hand."""
    project = me.project(name="cached")
    me.write(project / "docker/app/Dockerfile", f"FROM {require('base-image')}\nRUN true\n")
    me.run("build-image", "app", "-q", cwd=project).ok()
    line = me.run("build-image", "app", "--dry-run", cwd=project).ok().out
    ways: dict[str, Callable[[], object]] = {
        "build-image": lambda: me.run("build-image", "app", cwd=project).ok(),
        "docker build": lambda: me.run("bash", "-ec", line, cwd=project).ok(),
        "run-image": lambda: me.run("run-image", "app", "--", "true", cwd=project).ok(),
        "docker run": lambda: me.run(
            "docker", "run", "--rm", "--init", f"cached-app:{me.environment({})['USER']}", "true"
        ).ok(),
    }
    seconds = Figures()
    for number in range(rounds + 1):
        for way, act in ways.items():
            begun = time.perf_counter()
            act()
            if number:
                seconds.setdefault(way, []).append(time.perf_counter() - begun)
    told("seconds", seconds)


def told(what: str, figures: Figures) -> None:
    """A line for each way, and the median of the ratios of each pair."""
    for way, values in figures.items():
        print(f"{what}: {way}: median {statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g})")
    names = list(figures)
    for ours, theirs in zip(names[::2], names[1::2], strict=True):
        ratios = [mine / other for mine, other in zip(figures[ours], figures[theirs], strict=True)]
        print(f"{what}: {ours} / {theirs}: {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
