"""What copies of notebooks cost, side by side in one run: `python tests/benchmarks/diffs.py [--rounds 60]`.

Three servers, saved to in turn (A B C A B C …): no hook, ours, and two `jupyter nbconvert` processes in a
post_save_hook (dockerutils' way). A round saves one changed notebook and waits for its copies. Prints a Markdown
table for each size of notebook. Needs Workbench in this interpreter's environment, and nothing else. Not part of the
test run: a timing is not a truth.
"""

import argparse
import base64
import json
import os
import random
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import requests

HOOK = """
import subprocess, sys
def hook(model, os_path, contents_manager):
    if model["type"] == "notebook":
        for kind in ("script", "html"):
            argv = [sys.executable, "-m", "nbconvert", "--to", kind, "--output-dir", {folder!r}, os_path]
            subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
c.FileContentsManager.post_save_hook = hook
"""
OURS = 'c.ServerApp.jpserver_extensions = {"workbench.inside.diffs": True}\n'
WAYS = {"no hook": "", "ours": OURS, "two nbconvert processes": HOOK}
PATIENCE = 120.0


def png(seed: int, size: int) -> str:
    """A picture of noise in base64, about `size` bytes large."""
    side = int((size / 3) ** 0.5)
    rows = b"".join(b"\0" + random.Random(seed * 1000 + row).randbytes(3 * side) for row in range(side))  # noqa: S311

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    whole = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return base64.b64encode(whole).decode()


def outputs(number: int) -> list[dict[str, Any]]:
    """What a code cell leaves behind: a picture, a table, or text."""
    if number % 3 == 0:
        data: dict[str, Any] = {"image/png": png(number, 65_000), "text/plain": "<Figure size 640x480 with 1 Axes>"}
    elif number % 3 == 1:
        rows = "".join(f"<tr><th>{row}</th><td>{row * number}</td><td>{row / 7:.6f}</td></tr>" for row in range(60))
        data = {"text/html": f'<table border="1" class="dataframe">{rows}</table>', "text/plain": "a table"}
    else:
        text = "\n".join(f"epoch {line}: loss {1 / (line + number):.6f}" for line in range(120))
        return [{"output_type": "stream", "name": "stdout", "text": text}]
    return [{"output_type": "display_data", "metadata": {}, "data": data}]


def notebook(cells: int) -> dict[str, Any]:
    """A notebook as people have them: every fifth cell is Markdown."""
    made: list[dict[str, Any]] = []
    for number in range(cells):
        common = {"id": f"c{number}", "metadata": {}}
        if number % 5 == 0:
            made.append({"cell_type": "markdown", "source": f"## Step {number}\n\nWhat is *done* here.", **common})
        else:
            source = "\n".join(f"value_{line} = compute({line}, 'text', key={number})" for line in range(12))
            code = {"execution_count": number, "outputs": outputs(number)}
            made.append({"cell_type": "code", "source": source, **code, **common})
    language = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python", "pygments_lexer": "ipython3"}
    metadata = {"language_info": language, "kernelspec": {"name": "python3", "display_name": "Python 3"}}
    return {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


@dataclass
class Server:
    """A server with one way to have copies, and what was measured: seconds a save."""

    way: str
    url: str
    folder: Path
    process: psutil.Process
    saves: list[float] = field(default_factory=list)
    scripts: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)

    def round(self, content: dict[str, Any], mark: str) -> None:
        """Save, and wait for the copies."""
        content["cells"][1]["source"] = f"mark = '{mark}'"
        body = json.dumps({"type": "notebook", "content": content}).encode()
        cpu = self._cpu()
        with self._other_requests():
            begun = time.perf_counter()
            requests.put(f"{self.url}/api/contents/a.ipynb", data=body, timeout=PATIENCE).raise_for_status()
            self.saves.append(time.perf_counter() - begun)
            if self.way != "no hook":
                self._wait_for_copies(begun, mark)
        time.sleep(0.1)  # what follows the copies belongs to them, too
        self.cpu.append(self._cpu() - cpu)

    def _wait_for_copies(self, begun: float, mark: str) -> None:
        """Both are looked for together, as either may be the first."""
        left = {self.folder / ".diffs/a.py": self.scripts, self.folder / ".diffs/a.html": self.pages}
        while left:
            for path in [path for path in left if _has(path, mark)]:
                left.pop(path).append(time.perf_counter() - begun)
            if time.perf_counter() - begun > PATIENCE:
                sys.exit(f"{self.way}: no copies")
            time.sleep(0.002)

    def _cpu(self) -> float:
        """Seconds of all processors that the server and its children have used, those that have ended too."""
        times = [self.process.cpu_times(), *(child.cpu_times() for child in self.process.children(recursive=True))]
        return sum(one.user + one.system + one.children_user + one.children_system for one in times)

    @contextmanager
    def _other_requests(self) -> Iterator[None]:
        """Small requests, ten milliseconds after each other."""
        end, worst = threading.Event(), [0.0]

        def ask() -> None:
            with requests.Session() as session:
                while not end.wait(0.01):
                    begun = time.perf_counter()
                    session.get(f"{self.url}/api", timeout=PATIENCE).raise_for_status()
                    worst.append(time.perf_counter() - begun)

        asking = threading.Thread(target=ask)
        asking.start()
        yield
        end.set()
        asking.join()
        self.others.append(max(worst))


def _has(path: Path, mark: str) -> bool:
    return path.exists() and mark in path.read_text(encoding="utf-8")


@contextmanager
def serving(way: str, folder: Path) -> Iterator[Server]:
    """A server in a folder of its own, with a configuration of its own."""
    root, config = folder / "project", folder / "config.py"
    root.mkdir(parents=True)
    config.write_text(WAYS[way].replace("{folder!r}", repr(str(root / ".diffs"))))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [sys.executable, "-P", "-m", "jupyter_server", "--allow-root", "--no-browser", f"--port={port}",
            "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={root}",
            f"--config={config}", "--ServerApp.log_level=ERROR"]  # fmt: skip
    own = {name: str(folder / name.lower()) for name in ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")}
    env = {**os.environ, **own, "WORKBENCH_DIFFS": "1", "JUPYTER_NO_CONFIG": "0"}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    child = subprocess.Popen(argv, env=env, stderr=(folder / "log").open("wb"))
    try:
        url = f"http://127.0.0.1:{port}"
        _until(lambda: requests.get(f"{url}/api", timeout=5).ok)
        yield Server(way, url, root, psutil.Process(child.pid))
    finally:
        child.terminate()
        child.wait(30)


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if true():
                return
        except requests.ConnectionError:
            time.sleep(0.05)
    sys.exit("the server does not answer")


def measure(cells: int, rounds: int, hooks: int) -> str:
    """The table of one size of notebook."""
    content = notebook(cells)
    size = len(json.dumps(content)) / 1e6
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        servers = [stack.enter_context(serving(way, Path(folder, str(number)))) for number, way in enumerate(WAYS)]
        for number in range(-2, rounds):
            for server in servers:
                if number < hooks or server.way != "two nbconvert processes":
                    server.round(content, f"{server.way} {number}.")
            if number == -1:  # what came before is a start, and does not count
                for server in servers:
                    for figures in (server.saves, server.scripts, server.pages, server.cpu, server.others):
                        figures.clear()
    return "\n".join([f"### {cells} cells, {size:.1f} MB\n", *_table(servers)])


def _table(servers: list[Server]) -> Iterator[str]:
    yield f"| {' | '.join(['', *(server.way for server in servers)])} |"
    yield f"|---|{'---|' * len(servers)}"
    yield _row("saves", [f"{len(server.saves)}" for server in servers])
    yield _row("save, median", [_ms(statistics.median(server.saves)) for server in servers])
    yield _row("save, 95th percentile", [_ms(_late(server.saves)) for server in servers])
    for name, figures in (("to the `.py`, median", "scripts"), ("to the `.html`, median", "pages")):
        found = [getattr(server, figures) for server in servers]
        yield _row(name, [_ms(statistics.median(each)) if each else "-" for each in found])
    # The mean: the system counts in steps of ten milliseconds.
    cpu = [statistics.mean(server.cpu) for server in servers]
    yield _row("CPU a save, mean", [_ms(each) for each in cpu])
    more = [each - cpu[0] for each in cpu[1:]]
    yield _row("of it for the copies", ["-", *map(_ms, more)])
    yield _row("worst other request", [_ms(max(server.others)) for server in servers])
    yield f"\nCPU for the copies: {more[1] / more[0]:.0f} times less than by two processes."


def _row(name: str, values: list[str]) -> str:
    return f"| {' | '.join([name, *values])} |"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def _late(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--hooks", type=int, default=5, help="rounds of the slow way")
    parser.add_argument("--cells", type=int, action="append", help="of a notebook (10 and 200)")
    options = parser.parse_args()
    for cells in options.cells or (10, 200):
        print(measure(cells, options.rounds, options.hooks), flush=True)
        print()


if __name__ == "__main__":
    main()
