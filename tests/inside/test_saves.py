"""No save is lost."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from workbench.inside.saves import Saves, counted, recover

WHOLE = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


@pytest.mark.parametrize(
    ("notebook", "copy", "put_back"),
    [
        ("", WHOLE, True),
        ('{"cells": [', WHOLE, True),
        (WHOLE + " ", WHOLE, False),
        ("", "", False),
        (None, WHOLE, False),
    ],
)
def test_only_a_cut_notebook_is_put_right(tmp_path: Path, notebook: str | None, copy: str, put_back: bool) -> None:
    file = tmp_path / "sub" / "a.ipynb"
    file.parent.mkdir()
    (file.parent / ".~a.ipynb").write_text(copy)
    if notebook is not None:
        file.write_text(notebook)
    assert recover(tmp_path, pause=0) == ([file] if put_back else [])
    assert (file.read_text() if file.exists() else None) == (WHOLE if put_back else notebook)


def test_hidden_and_installed_folders_are_not_walked(tmp_path: Path) -> None:
    for name in (".ipynb_checkpoints", "node_modules"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.ipynb").write_text("")
        (tmp_path / name / ".~a.ipynb").write_text(WHOLE)
    assert recover(tmp_path, pause=0) == []


class Slow:
    """A contents manager whose saves end when they are told to."""

    def __init__(self) -> None:
        self.end = asyncio.Event()

    async def save(self, model: dict[str, Any], path: str = "") -> str:
        await self.end.wait()
        return path


def test_the_end_waits_for_running_saves() -> None:
    async def scene() -> tuple[bool, bool, str]:
        saves = Saves()
        manager = counted(Slow, saves)()
        save = asyncio.create_task(manager.save({}, "a"))
        await asyncio.sleep(0)
        early = await saves.finished(quiet=0.02, patience=0.1)
        manager.end.set()
        return early, await saves.finished(quiet=0.02), await save

    assert asyncio.run(scene()) == (False, True, "a")
