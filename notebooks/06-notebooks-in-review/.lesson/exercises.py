"""Exercises of the lesson about notebooks in review."""

import subprocess
from pathlib import Path

REPORT = Path("report")
SHOWN = {
    "another execution count": False,
    "another line of code": True,
    "another result that was printed": True,
    "another time at which a cell was run": False,
    "another word in the text": True,
}


def exercise_1(names):
    """A cell begins with a line `# %%` in the copy, with `[markdown]` behind it if it is text."""
    copy = REPORT / ".diffs" / "harbour.py"
    if not copy.is_file():
        return "report/.diffs/harbour.py is not there: run the cells above, from the top."
    marks = [line for line in copy.read_text(encoding="utf-8").splitlines() if line.startswith("# %%")]
    if names["cells"] != len(marks):
        return f"`cells` is {names['cells']!r}: count the lines of harbour.py that begin with # %%."
    if names["texts"] != sum("[markdown]" in mark for mark in marks):
        return f"`texts` is {names['texts']!r}: count only the cells with [markdown]."
    return None


def exercise_2(names):
    """`!git -C report diff --stat` names each file with its number of changed lines; a commit does not show there.

    `noise = !git -C report diff harbour.ipynb` gives the lines of a diff as a list.
    """
    wanted = (("noise", "harbour.ipynb"), ("signal", ".diffs/harbour.py"))
    for name, file in wanted:
        lines = names[name]
        if isinstance(lines, str):
            lines = lines.splitlines()
        if not isinstance(lines, list):
            return f"`{name}` should be the lines of `git diff {file}` as a list."
        if list(lines) != _git("diff", file).splitlines():
            return f"`{name}` has {len(lines)} lines, and they are not those of `git diff {file}` as it is now."
    return None


def exercise_3(names):
    """Add the notebook and the folder .diffs, then commit: !git -C report add ., !git -C report commit -m "…"."""
    if left := _git("status", "--porcelain").splitlines():
        return f"git still has something that is not committed: {left[0].strip()}"
    last = _git("show", "--name-only", "--format=%s", "HEAD").splitlines()
    if not last or last[0].strip() == "First figures":
        return "the last commit is still the first one: commit the changed limit."
    missing = [name for name in (".diffs/harbour.html", ".diffs/harbour.py", "harbour.ipynb") if name not in last]
    if missing:
        return f"{missing[0]} is not part of the last commit; a reviewer wants the notebook and its copies together."
    if len(last[0].split()) < 3:
        return f"the message “{last[0]}” says little: say in a few words why the figures are others."
    return None


def exercise_4(names):
    """What nobody has decided, and what differs each time the notebook is run, is left out of the copies."""
    answers = names["seen"]
    for what, truth in SHOWN.items():
        if not isinstance(answers.get(what), bool):
            return f"say True or False for “{what}”: would the reviewer see it?"
        if answers[what] is not truth:
            return f"think again about “{what}”, or try it: save the notebook with it, and look at the diff."
    return None


def _git(*words):
    """What git says of the report; empty where it is no repository yet."""
    ran = subprocess.run(["git", "-C", str(REPORT), *words], capture_output=True, text=True, check=False)
    return ran.stdout
