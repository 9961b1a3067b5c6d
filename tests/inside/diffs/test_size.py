"""Large notebooks, and such as want to take for ever."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from inside.diffs.written import code, markdown, notebook, png, printed, result, shown, text64

from workbench.inside.diffs.convert import convert

MEASURED = """
import resource, sys, pathlib
from workbench.inside.diffs.convert import convert
made = convert(pathlib.Path(sys.argv[1]).read_bytes(), "a")
used = resource.getrusage(resource.RUSAGE_SELF)
peak = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0]
print(used.ru_utime + used.ru_stime, int(peak) / 1024, len(made.page), sum(map(len, made.images.values())))
"""
PLAIN_PAGE = 60_000
"""Characters of a page with little in it."""


def large() -> list[dict]:
    """200 cells with 5 MB of outputs."""
    numbers = random.Random(7)  # noqa: S311
    cells = []
    for number in range(200):
        rows = "".join(f"<tr><th>{row}</th>{f'<td>{numbers.random()}</td>' * 8}</tr>\n" for row in range(60))
        picture = png() + numbers.randbytes(45_000)
        lines = "".join(f"step {row} loss {numbers.random()}\n" for row in range(500))
        kind = (
            [markdown(f"## Part {number}\n\nSome *text* with `code` and $x$.\n\n- a\n- b")],
            [code(f"table({number})", result({"text/html": f"<table>{rows}</table>"}), count=number)],
            [code(f"picture({number})", shown({"image/png": text64(picture)}), count=number)],
            [code(f"for i in range({number}):\n    train(i)  # a step", printed(lines), count=number)],
        )
        cells += kind[number % 4]
    return cells


def test_a_large_notebook_that_is_saved_again_takes_little(tmp_path):
    cells = large()
    first = notebook(*cells)
    assert 4_500_000 < len(first) < 6_500_000
    convert(first, "a")
    cells[101] = code("changed = 1")
    again = notebook(*cells)
    begun = time.process_time()
    made = convert(again, "a")
    assert time.process_time() - begun < 0.4
    assert "changed" in made.page


HUGE = {
    "text": lambda: [code("", printed("a line at 0x7f0123456789\n" * 4_000_000))],
    "one line": lambda: [code("", printed("x" * 100_000_000))],
    "progress": lambda: [code("", printed("\r50%|###  | 5/10 [00:01<00:02, 3it/s]" * 2_700_000, "stderr"))],
    "image": lambda: [code("", shown({"image/png": text64(png() + b"\x01\x80\xff" * 25_000_000)}))],
    "html": lambda: [code("", result({"text/html": f"<table>{'<tr><td>1</td></tr>' * 5_000_000}</table>"}))],
    "script": lambda: [code("", result({"text/html": f"<script>{'plotly<' * 14_000_000}</script>"}))],
    "code": lambda: [code(f"x = {'1' * 95}\n" * 1_000_000)],
}


@pytest.mark.parametrize("kind", HUGE)
def test_a_notebook_of_100_megabytes_ends_in_time_and_memory(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text(json.dumps({"cells": HUGE[kind](), "nbformat": 4, "metadata": {}}), encoding="utf-8")
    assert file.stat().st_size > 90_000_000
    environ = {"PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", MEASURED, str(file)]
    measured = subprocess.run(command, env=environ, check=True, capture_output=True, text=True, timeout=60)
    seconds, megabytes, page, images = map(float, measured.stdout.split())
    assert seconds < 15
    assert megabytes < 900
    assert page < 1_100_000
    assert (images > 70_000_000) == (kind == "image")


@pytest.mark.parametrize(
    "html",
    ["<a " * 70_000, "<" * 200_000, "<a ='\"" * 30_000, "<b>" * 70_000, "</b>" * 50_000, "<!--" * 50_000, "&" * 200_000,
     "<b>" * 199 + "<td></i>" * 25_000, "<svg>" * 40_000, "<style>" + "#a{" * 60_000, f"<p style='{'a:b;' * 50_000}'>"],
    ids=lambda html: html[:12],
)  # fmt: skip
def test_broken_html_takes_no_longer_than_whole(html):
    begun = time.process_time()
    convert(notebook(code("", result({"text/html": html}))), "a")
    assert time.process_time() - begun < 2
