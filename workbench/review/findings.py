"""What is found of notebooks and their copies, as values, text and JSON. Pure."""

import json
import os
import shlex
from collections import Counter
from collections.abc import Collection, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

State = Literal["failed", "stale", "missing", "not added", "written", "fresh", "orphaned", "removed"]
NOTEBOOKS: tuple[State, ...] = ("failed", "stale", "missing", "not added", "written", "fresh")
COPIES: tuple[State, ...] = ("orphaned", "removed")
"""States of a file or folder in `.diffs` whose notebook is gone."""
WORDS = {
    "fresh": "up to date",
    "not added": "not added to git",
    "orphaned": "of deleted notebooks",
    "removed": "of deleted notebooks removed",
}
ROWS = 6
"""Of a list on the screen: with what stands around it, it takes no more than ten lines."""
FEW = 2
"""Names that a command on the screen may have."""
EVERY_COPY = ":(glob)**/.diffs/**"
"""To git, when there are more folders than that."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one notebook, or of a copy that has none. `reason` is for `failed`: one sentence."""

    path: Path
    state: State
    reason: str = ""


def name(path: Path, here: Path) -> str:
    """A path as one would type it in the folder `here`."""
    return min(os.path.relpath(path, here), os.fspath(path), key=len)


def summary(findings: Collection[Finding]) -> str:
    """How many of what, in one line."""
    counts = Counter(each.state for each in findings)
    said = ", ".join(f"{counts[state]} {WORDS.get(state, state)}" for state in NOTEBOOKS if counts[state])
    total = sum(counts[state] for state in NOTEBOOKS)
    if total and counts["fresh"] == len(findings):
        said = "all copies are up to date"
    notebooks = f"{_number(total, 'notebook')}: {said}" if total else "No notebooks"
    copies = [f"{_number(counts[state], 'copy')} {WORDS[state]}" for state in COPIES if counts[state]]
    return f"{'; '.join([notebooks, *copies])}."


def rows(news: Sequence[Finding], here: Path) -> Iterator[str]:
    """A line for each finding, as many as fit."""
    width = max((len(each.state) for each in news[:ROWS]), default=0)
    for each in news[:ROWS]:
        reason = f": {each.reason}" if each.reason else ""
        yield f"  {each.state:<{width}}  {name(each.path, here)}{reason}"
    if len(news) > ROWS:
        yield f"  … and {len(news) - ROWS} more; --json lists all"


def next_step(news: Collection[Finding], given: Sequence[str], here: Path, *, to_add: Container[Path]) -> str:
    """The one command that mends what a check has found; empty where only a person can. `to_add`: what git wants."""
    stale = [each for each in news if each.state in ("stale", "missing", "orphaned")]
    folders = sorted({_folder(each, here) for each in news if each.state != "failed" and each.path in to_add})
    names = given if len(given) <= FEW else [name(each.path, here) for each in stale]
    write = ["workbench", "diffs", *(names if len(names) <= FEW else ())]
    add = ["git", "add", *(folders if len(folders) <= FEW else [EVERY_COPY])]
    return " && ".join(shlex.join(each) for each, needed in ((write, stale), (add, folders)) if needed)


def as_json(findings: Collection[Finding], here: Path) -> str:
    """The same for a program: all that is not up to date, and how many notebooks there are."""
    found = [
        {"path": name(each.path, here), "state": each.state, "reason": each.reason}
        for each in findings
        if each.state != "fresh"
    ]
    return json.dumps({"notebooks": sum(each.state in NOTEBOOKS for each in findings), "found": found})


def _folder(finding: Finding, here: Path) -> str:
    """The `.diffs` in question."""
    copy = finding.path.parent if finding.state in COPIES else finding.path.parent / ".diffs"
    return name(copy, here)


def _number(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
