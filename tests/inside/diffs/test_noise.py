"""A copy differs where the notebook does: what a run leaves behind changes nothing, one line changes one line."""

import difflib
import subprocess
import sys
from typing import Any

import pytest
from inside.diffs.written import code, failed, markdown, notebook, png, printed, result, shown, text64

from workbench.inside.diffs.convert import convert


def run(number: int) -> list[dict[str, Any]]:
    """The cells of a notebook after a run: all that differs from run to run differs with the number."""
    address = f"0x7f{number:010x}"
    uuid = f"{number:08x}-1234-4321-8765-0123456789ab"
    windows = f"0x000001F2{number:08X}"
    return [
        markdown("# Title"),
        code("x = [1, 2]\nx", result({"text/plain": "[1, 2]"}, count=number), count=number, **_ran(number)),
        code(
            "plot(x)",
            result({"text/plain": f"[<matplotlib.lines.Line2D at {address}>]"}, count=number),
            shown(
                {
                    "image/png": text64(png(9, software=f"run {number}")),
                    "text/plain": f"<Figure size 640x480 with 1 Axes at {address}>",
                },
                created=number,
            ),
            count=number,
        ),
        code("drawn", shown({"image/svg+xml": _drawing(number), "text/plain": f"<Drawing at {windows}>"})),
        code("style", result({"text/html": _styled(f"{number:05x}")}, count=number)),
        code("plot", shown({"text/html": _plotted(uuid), "application/vnd.plotly.v1+json": {"uid": uuid}})),
        code("bar", shown({"application/vnd.jupyter.widget-view+json": {"model_id": uuid}, "text/plain": "Bar()"})),
        code("panel()", shown(_panel(number, uuid))),
        code("name", printed(f"called {uuid}\n"), printed(f"<object object at {address}>\n{windows}\n")),
        code("progress", *_progress(number)),
        code(
            "warn",
            printed(f"/tmp/ipykernel_{number}/1234.py:1: UserWarning: no\n", "stderr"),
            printed(f"<ipython-input-{number}-0a1b2c>:1: UserWarning: no\n", "stderr"),
        ),
        code(
            "1 / 0",
            failed(
                "ZeroDivisionError",
                "division by zero",
                f"\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[{number}]\x1b[39m\x1b[32m, line 1\x1b[39m",
                f"\x1b[0;32m<ipython-input-{number}-9e1622b385b6>\x1b[0m in <module> Input In [{number}]",
                f"File /tmp/ipykernel_{number}/5678.py:1, in f(a=<f at {address}>)",
            ),
        ),
    ]


def _ran(number: int) -> dict[str, Any]:
    moment = f"2026-11-20T10:00:{number % 60:02}.000Z"
    return {"collapsed": number % 2 == 0, "execution": {"iopub.execute_input": moment}, "tags": [str(number)]}


def _drawing(number: int) -> str:
    return (
        '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f"<metadata><date>2026-11-20T10:00:{number % 60:02}</date></metadata><!-- run {number} -->"
        f'<defs><clipPath id="p{number:x}"><path d="M0 0h9v9z"/></clipPath><path id="m{number:x}" d="M0 0z"/></defs>'
        f'<g clip-path="url(#p{number:x})"><use xlink:href="#m{number:x}" fill="#ff0000"/></g></svg>'
    )


def _styled(name: str) -> str:
    return (
        f"<style>#T_{name}_row0_col0 {{ color: red }}</style>"
        f'<table id="T_{name}"><tr><td id="T_{name}_row0_col0" class="data">1</td></tr></table>'
    )


def _plotted(uuid: str) -> str:
    return f'<div id="{uuid}" class="plotly-graph-div"></div><script>Plotly.newPlot("{uuid}")</script>'


def _panel(number: int, uuid: str) -> dict[str, Any]:
    """What `workbench.panel()` displays."""
    return {
        "application/vnd.workbench.panel+json": {"version": 1, "name": "tides-1a2b3c"},
        "application/vnd.jupyter.widget-view+json": {"version_major": 2, "version_minor": 0, "model_id": uuid},
        "text/html": f"<div>Workbench tides-1a2b3c<table><tr><td>CPU</td><td>{number}</td></tr></table></div>",
        "text/plain": f"Workbench tides-1a2b3c\n  CPU  {number}",
    }


def _progress(number: int) -> list[dict[str, Any]]:
    """The same text, cut into pieces as the time had it."""
    pace = f"[00:0{number % 10}<00:01, {number}it/s]"
    text = f"\r 50%|#  | 1/2 {pace}\r100%|###| 2/2 {pace}\n"
    cut = number % len(text)
    return [printed(text[:cut], "stderr"), printed("done\n"), printed(text[cut:], "stderr")]


AGAIN = [1, 2, 15, 255, 4095]


@pytest.mark.parametrize("number", AGAIN[1:])
def test_a_notebook_that_is_run_again_has_the_same_copies(number):
    first, again = notebook(*run(1)), notebook(*run(number), widgets={"state": {str(number): 1}})
    assert first != again
    assert convert(first, "a") == convert(again, "a")


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "python3-gpu"},
        {"language_info": {"name": "python", "version": "3.13.1", "pygments_lexer": "ipython3"}},
        {"title": "other", "authors": ["a"], "toc": {"base_numbering": 1}, "vscode": {"interpreter": "x"}},
        {"jupytext": {"formats": "ipynb,py:light", "text_representation": {"extension": ".py"}}},
    ],
    ids=["kernel", "version", "metadata", "jupytext"],
)
def test_a_change_of_what_is_about_the_notebook_changes_nothing(metadata):
    assert convert(notebook(*run(1)), "a") == convert(notebook(*run(1), **metadata), "a")


def test_a_notebook_gets_the_same_copies_in_every_process(tmp_path):
    (tmp_path / "a.ipynb").write_bytes(notebook(*run(1)))
    program = (
        "import sys, pathlib; from workbench.inside.diffs.convert import convert;"
        "print(ascii(convert(pathlib.Path(sys.argv[1]).read_bytes(), 'a')))"
    )
    copies = {
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "a.ipynb")],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(copies) == 1


def test_a_panel_is_a_line_that_names_its_workbench():
    page = convert(notebook(code("panel()", shown(_panel(1, "0")))), "a").page
    assert '<p class="left-out">Workbench panel of tides-1a2b3c</p>' in page
    strange = {"application/vnd.workbench.panel+json": ["<b>"], "text/html": "<b>no</b>"}
    assert '<p class="left-out">Workbench panel</p>' in convert(notebook(code("panel()", shown(strange))), "a").page


def test_what_only_looks_like_noise_stays():
    kept = "0xdeadbeef 0x1F 0xFF00FF00 mask=0x0000ffff [1/2] In [3] 1234-4567"
    assert kept in convert(notebook(code("", printed(kept))), "a").page


def changes(before: str, after: str) -> list[str]:
    """The lines of a diff."""
    found = list(difflib.unified_diff(before.split("\n"), after.split("\n"), n=0, lineterm=""))
    return [line for line in found[2:] if not line.startswith("@@")]


LINES = [
    ("import os\nx = 1\nprint(x)", "import os\nx = 2\nprint(x)", "x = 1", "x = 2"),
    ("for i in range(9):\n    f(i)", "for i in range(10):\n    f(i)", "for i in range(9):", "for i in range(10):"),
    (
        "def f():\n    '''One.\n\n    Two.\n    '''",
        "def f():\n    '''One.\n\n    Three.\n    '''",
        "    Two.",
        "    Three.",
    ),
    ("%%bash\nls\npwd", "%%bash\nls -l\npwd", "# ls", "# ls -l"),
    ("!ls\nx", "!ls -l\nx", "# !ls", "# !ls -l"),
]


@pytest.mark.parametrize(("before", "after", "old", "new"), LINES)
def test_a_changed_line_of_code_is_one_line_of_each_copy(before, after, old, new):
    around = run(1)
    first = convert(notebook(*around, code(before), *around), "a")
    second = convert(notebook(*around, code(after), *around), "a")
    assert changes(first.script, second.script) == [f"-{old}", f"+{new}"]
    assert [line[0] for line in changes(first.page, second.page)] == ["-", "+"]


def test_a_changed_line_of_text_is_one_line_of_each_copy():
    first, second = (notebook(*run(1), markdown(f"a\nb {word}\nc\n\n- d"), *run(1)) for word in ("one", "two"))
    assert changes(convert(first, "a").script, convert(second, "a").script) == ["-# b one", "+# b two"]
    assert changes(convert(first, "a").page, convert(second, "a").page) == ["-b one", "+b two"]


def test_a_changed_value_of_a_table_is_one_line():
    def table(value: int) -> dict[str, Any]:
        rows = "".join(f"<tr><th>{row}</th><td>{row * value if row == 3 else row}</td></tr>" for row in range(9))
        return code("table", result({"text/html": f"<table><tbody>{rows}</tbody></table>"}))

    first, second = (convert(notebook(*run(1), table(value), *run(1)), "a") for value in (1, 2))
    assert first.script == second.script
    assert changes(first.page, second.page) == ["-<td>3</td>", "+<td>6</td>"]


def test_a_cell_that_is_added_or_moved_leaves_the_others_alone():
    cells = run(1)
    first = convert(notebook(*cells), "a")
    second = convert(notebook(cells[0], code("new = 1"), *cells[1:]), "a")
    assert [line[0] for line in changes(first.script, second.script)] == ["+"] * 3
    added = changes(first.page, second.page)
    assert {line[0] for line in added} == {"+"}
    assert len(added) == 7


def test_a_new_name_changes_only_what_has_the_name():
    first, second = convert(notebook(*run(1)), "a"), convert(notebook(*run(1)), "b c")
    assert first.script == second.script
    assert first.images == second.images
    assert first.page.replace("a_files", "b%20c_files").replace(">a<", ">b c<") == second.page
