"""Speed, side by side in one run: `python tests/benchmarks/run.py [--rounds 7] [--only NAME]`.

Needs a Docker engine (DOCKER_HOST or the default), Workbench in this interpreter's environment and the base image.
Prints a Markdown table of medians and ratios. Each pair is run in turn (A B A B …), so that a machine whose speed
drifts does not favour one of them. Not part of the test run: a timing is not a truth.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

BASE = os.environ.get("WORKBENCH_BENCH_BASE", "python:3.11-slim-bookworm")
STOCK = "workbench-bench-stock"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PROGRAMS = Path(sys.executable).parent
DOCKER = os.environ.get("WORKBENCH_BENCH_DOCKER", "docker")
STOCK_DOCKERFILE = f"""FROM {BASE}
RUN --mount=type=secret,id=ca --mount=type=cache,target=/root/.cache/pip \\
    python3 -m venv /opt/stock && PIP_CERT=/run/secrets/ca /opt/stock/bin/pip install jupyterlab
"""

STAND_IN = """#!/bin/sh
case "$*" in *driver_version*) echo 570.86.15 ;; *) echo "0, GPU-0, Stand-in, 24564, 0, 0" ;; esac
"""
"""An nvidia-smi that makes a machine without a GPU offer the GPU kernel."""
DEVICES = """
[tool.workbench.cpu]
packages = ["iniconfig==2.0.0"]
[tool.workbench.gpu]
packages = ["iniconfig==2.1.0"]
"""

Row = tuple[str, list[float], str, list[float], str]


def call(*argv: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a command, or end the benchmark with what it said."""
    done = subprocess.run([str(word) for word in argv], env={**os.environ, **(env or {})}, cwd=cwd, capture_output=True)
    if done.returncode:
        sys.exit(f"{argv}: exit code {done.returncode}\n{(done.stdout + done.stderr).decode()[-3000:]}")
    return done.stdout.decode()


def timed(act: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def in_turn(rounds: int, one: Callable[[], float], other: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Times of two actions, run in turn after one of each that does not count."""
    one(), other()
    pairs = [(one(), other()) for _ in range(rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def answered(port: int, token: str, *, patience: float = 60) -> None:
    """Wait for a 200 of the server's status."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/status", headers={"Authorization": f"token {token}"})
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310 - our own loopback address
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.01)
    sys.exit(f"nothing answers on port {port}")


def a_project(folder: Path) -> Path:
    """A small project with a dependency, installed live."""
    (folder / "src/bench").mkdir(parents=True)
    (folder / "src/bench/__init__.py").write_text("answer = 42\n")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "bench"\nversion = "1"\ndependencies = ["tabulate"]\n'
        '[tool.hatch.build.targets.wheel]\npackages = ["src/bench"]\n'
    )
    return folder


def launch(project: Path, engine: str, *more: str) -> dict[str, str]:
    """`run-notebook -d --json`, which returns when the server has answered."""
    command = (PROGRAMS / "run-notebook", project, "--engine", engine, "-d", "--json", "--no-browser", *more)
    found: dict[str, str] = json.loads(call(*command, env={"WORKBENCH_BASE_IMAGE": BASE}))
    return found


def help_(rounds: int) -> list[Row]:
    """The command line against the interpreter alone."""
    ours, bare = in_turn(
        rounds,
        lambda: timed(lambda: call(PROGRAMS / "run-notebook", "--help")),
        lambda: timed(lambda: call(sys.executable, "-c", "pass")),
    )
    return [("`run-notebook --help`", ours, "`python -c pass`", bare, "")]


def warm(rounds: int) -> list[Row]:
    """A new container from a present image, project installed: against a stock server in a plain container."""
    call(DOCKER, "build", "-t", STOCK, "--secret", f"id=ca,src={CERTIFICATES}", "-f", _file(STOCK_DOCKERFILE), _empty(),
         env={"DOCKER_BUILDKIT": "1"})  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        project = a_project(Path(folder))
        launch(project, "docker")

        def ours() -> float:
            call(PROGRAMS / "workbench", "rm", "-f", project)
            return timed(lambda: launch(project, "docker"))

        def stock() -> float:
            def start() -> None:
                call(DOCKER, "run", "-d", "--name", STOCK, "-p", "127.0.0.1:28888:8888", "-v", f"{project}:/p", STOCK,
                     "/opt/stock/bin/jupyter", "lab", "--ip=0.0.0.0", "--allow-root", "--no-browser",
                     "--IdentityProvider.token=t", "--ServerApp.root_dir=/p")  # fmt: skip
                answered(28888, "t")

            seconds = timed(start)
            call(DOCKER, "rm", "-f", STOCK)
            return seconds

        mine, plain = in_turn(rounds, ours, stock)
        call(PROGRAMS / "workbench", "rm", "-f", project)
    return [("warm launch, Docker", mine, "`docker run` of stock `jupyter lab`", plain, "≤ 0.5")]


def local(rounds: int) -> list[Row]:
    """The local engine against a stock server in a virtual environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "p").mkdir()
        project = a_project(Path(folder) / "p")
        stock_python = Path(folder) / "stock/bin/python"
        call(PROGRAMS / "uv", "venv", "-q", "--python", sys.executable, Path(folder) / "stock")
        call(PROGRAMS / "uv", "pip", "install", "-q", "--compile-bytecode", "--python", stock_python, "jupyterlab")
        launch(project, "local")

        def ours() -> float:
            call(PROGRAMS / "workbench", "stop", project)
            call(PROGRAMS / "workbench", "rm", project)
            return timed(lambda: launch(project, "local"))

        def stock() -> float:
            command = [stock_python, "-m", "jupyterlab", "--port=28889", "--allow-root", "--no-browser",
                       "--IdentityProvider.token=t", f"--ServerApp.root_dir={project}"]  # fmt: skip
            begun = time.perf_counter()
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
                answered(28889, "t")
                seconds = time.perf_counter() - begun
                child.terminate()
            return seconds

        mine, plain = in_turn(rounds, ours, stock)
        call(PROGRAMS / "workbench", "rm", "-f", project)
    return [("warm launch, local engine", mine, "stock `jupyter lab`", plain, "≤ 0.4")]


def first(rounds: int) -> list[Row]:
    """First launches against their engine operations, typed by hand: with every layer there, and with packages only."""
    layered, packages = [], []
    with tempfile.TemporaryDirectory() as folder:
        project = a_project(Path(folder))
        launch(project, "docker")
        for _ in range(rounds):
            _forget(project)
            layered.append((timed(lambda: launch(project, "docker")), _forget(project), _typed(project)))
        for number in range(max(1, rounds // 2)):
            _new_layer(project, f"{number} ours")
            ours = timed(lambda: launch(project, "docker"))
            _new_layer(project, f"{number} by hand")
            packages.append((ours, None, _typed(project)))
        _forget(project)
    return [
        _row("first launch, every layer in the build cache", layered),
        _row("first launch, dependencies in the package cache", packages),
    ]


def _row(what: str, pairs: list[tuple[float, None, float]]) -> Row:
    return (what, [pair[0] for pair in pairs], "the printed commands by hand", [pair[2] for pair in pairs], "≤ 1.1")


def _new_layer(project: Path, mark: str) -> None:
    """Make the dependency files others, so that their layer is built again, from packages in the cache."""
    _forget(project)
    (project / "requirements.txt").write_text(f"# {mark}\n")


def _typed(project: Path) -> float:
    """Seconds that the commands of the plan take in a shell, up to the server's answer."""
    plan = (PROGRAMS / "run-notebook", project, "--engine", "docker", "--dry-run")
    script = call(*plan, env={"WORKBENCH_BASE_IMAGE": BASE})
    delivery = Path(script.rsplit("< ", 1)[1].strip())
    port, token = int(script.split("127.0.0.1:")[1].split(":")[0]), json.loads(delivery.read_text())["token"]

    def typed() -> None:
        call("sh", "-ec", script)
        answered(port, token)

    return timed(typed)


def _forget(project: Path) -> None:
    """Remove the workbench and its image, but not the build cache."""
    described = call(PROGRAMS / "workbench", "ps", "--json")
    image = next((each["image"] for each in json.loads(described) if each["project"] == str(project)), None)
    call(PROGRAMS / "workbench", "rm", "-f", project)
    if image:
        call(DOCKER, "image", "rm", "-f", image)


def devices(rounds: int) -> list[Row]:
    """A project with two environments and both kernels against the same with one: the launch, and a kernel's answer."""
    with tempfile.TemporaryDirectory() as folder:
        one, two = a_project(Path(folder) / "one"), a_project(Path(folder) / "two")
        (two / "pyproject.toml").write_text((two / "pyproject.toml").read_text() + DEVICES)
        stand_in = Path(folder) / "bin/nvidia-smi"
        stand_in.parent.mkdir()
        stand_in.write_text(STAND_IN)
        stand_in.chmod(0o755)
        os.environ["PATH"] = f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}"
        started = in_turn(rounds, lambda: _launched(two, "auto", kernels=2), lambda: _launched(one, "cpu", kernels=1))
        answers = in_turn(rounds, lambda: _kernel_answers(two, "python3-gpu"), lambda: _kernel_answers(one, "python3"))
        for project in (one, two):
            call(PROGRAMS / "workbench", "rm", "-f", project)
    return [
        ("warm launch with two kernels, local engine", started[0], "with one", started[1], "≤ 50 ms more"),
        ("kernel of a device answers", answers[0], "of the only environment", answers[1], "< 0.8 s"),
    ]


def _launched(project: Path, device: str, *, kernels: int) -> float:
    """Seconds of a launch with so many kernels to choose from."""
    if any(each["project"] == str(project) for each in json.loads(call(PROGRAMS / "workbench", "ps", "--json"))):
        call(PROGRAMS / "workbench", "rm", "-f", project)
    seconds = timed(lambda: launch(project, "local", "--device", device))
    found = _jupyter(project).call("GET", "api/kernelspecs")["kernelspecs"]
    if len(found) != kernels:
        sys.exit(f"{kernels} kernels were wanted, there are {list(found)}")
    return seconds


def _kernel_answers(project: Path, name: str) -> float:
    """Seconds from the request for a kernel to its first answer."""
    jupyter, begun = _jupyter(project), time.perf_counter()
    with jupyter.kernel(name) as kernel:
        kernel.run("6 * 7").ok()
        return time.perf_counter() - begun


def _jupyter(project: Path) -> Any:
    """The project's server, as the tests speak to it."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from support.kernel import Jupyter

    described = json.loads(call(PROGRAMS / "workbench", "url", "--json", project))
    return Jupyter(described["api_url"], described["token"])


def ps(rounds: int) -> list[Row]:
    """`workbench ps` with a hundred workbenches, against the engine's own list of them."""
    names = [f"workbench-bench-{number}" for number in range(100)]
    label = "io.workbench."
    for number, name in enumerate(names):
        call(DOCKER, "create", "--name", name, *_labels(label, name, number), BASE, "true")
    try:
        ours, plain = in_turn(
            rounds,
            lambda: timed(lambda: call(PROGRAMS / "workbench", "ps")),
            lambda: timed(lambda: call(DOCKER, "ps", "-a", "--filter", f"label={label}name")),
        )
    finally:
        call(DOCKER, "rm", "-f", *names)
    return [("`workbench ps`, 100 workbenches", ours, "`docker ps -a`", plain, "< 0.3 s")]


def _labels(label: str, name: str, number: int) -> list[str]:
    values = {"name": name, "project": f"/{name}", "owner": os.getuid(), "port": 20000 + number, "plan": "x",
              "device": "cpu", "version": "0"}  # fmt: skip
    return [word for key, value in values.items() for word in ("--label", f"{label}{key}={value}")]


def layers() -> str:
    """The image's layers by size."""
    with tempfile.TemporaryDirectory() as folder:
        project = a_project(Path(folder))
        image = launch(project, "docker")["image"]
        shown = call(DOCKER, "history", "--no-trunc", "--human=false", "--format", "{{.Size}}\t{{.CreatedBy}}", image)
        call(PROGRAMS / "workbench", "rm", "-f", project)
    rows = [line.split("\t", 1) for line in shown.splitlines()]
    lines = [f"| {int(size) / 1e6:.1f} MB | `{_short(made)}` |" for size, made in rows if int(size) > 50_000]
    total = sum(int(size) for size, _ in rows) / 1e6
    return "\n".join(["| size | layer |", "|---|---|", *lines, f"| **{total:.0f} MB** | all |"])


def _short(made: str) -> str:
    words = " ".join(made.split()).replace("|", "¦").replace("`", "'")
    return words if len(words) < 90 else f"{words[:40]} … {words[-45:]}"


def _file(text: str) -> Path:
    path = Path(tempfile.mkstemp()[1])
    path.write_text(text)
    return path


def _empty() -> str:
    return tempfile.mkdtemp()


def table(rows: list[Row]) -> str:
    """The figures as a Markdown table."""
    lines = ["| what | median | spread | against | median | ratio | goal |", "|---|---|---|---|---|---|---|"]
    for what, ours, against, theirs, goal in rows:
        one, other = statistics.median(ours), statistics.median(theirs)
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        spread = f"{min(ours):.2f} to {max(ours):.2f}"
        lines.append(f"| {what} | {one:.2f} s | {spread} | {against} | {other:.2f} s | {ratio:.2f} | {goal} |")
    return "\n".join(lines)


BENCHMARKS = {"help": help_, "warm": warm, "local": local, "first": first, "devices": devices, "ps": ps}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=[*BENCHMARKS, "layers"], action="append")
    options = parser.parse_args()
    wanted = options.only or [*BENCHMARKS, "layers"]
    home = tempfile.mkdtemp(prefix="workbench-bench-")
    os.environ |= {f"XDG_{kind}_HOME": f"{home}/{kind.lower()}" for kind in ("STATE", "CACHE")}
    try:
        rows = [row for name in wanted if name in BENCHMARKS for row in BENCHMARKS[name](options.rounds)]
        print(table(rows))
        if "layers" in wanted:
            print(f"\n{layers()}")
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
