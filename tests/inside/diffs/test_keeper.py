"""The thread between the server and the worker: who tells it never waits, who asks it learns what is the matter."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from inside.serving import wait_for

from workbench.inside.diffs.converter import Converter
from workbench.inside.diffs.keeper import Keeper

PLAIN = (sys.executable, str(Path(__file__).parent / "plain_worker.py"))
SLOWEST = 0.05
"""Seconds that telling may take, at worst, on a busy machine."""


@dataclass
class Scene:
    """A project with a keeper, and what it said."""

    project: Path
    file: Path
    limit: float = 5.0
    command: tuple[str, ...] = PLAIN
    warned: list[str] = field(default_factory=list)
    noticed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.project.mkdir(exist_ok=True)
        self.converter = Converter(self.project, self.command, self.limit)
        self.keeper = Keeper(self.project, self.converter, self.warned.append, self.noticed.append, self.file)

    def save(self, text: str = "{}", name: str = "a.ipynb") -> None:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.tell("save", name)

    def tell(self, action: str, path: str, source: str = "") -> None:
        begun = time.monotonic()
        self.keeper.heard(action, path, source)
        assert time.monotonic() - begun < SLOWEST

    def save_and_wait(self, name: str = "a.ipynb") -> str:
        """Save a notebook and return, with its text, in the midst of its conversion, which ends with `go`."""
        text = f'{{"WAIT {self.file.parent} "}}'
        self.save(text, name)
        wait_for((self.file.parent / "waiting").exists)
        return text

    def go(self) -> None:
        (self.file.parent / "go").touch()

    def settled(self) -> dict[str, Any]:
        """The state once nothing is pending."""
        wait_for(lambda: self.keeper.state()["pending"] == 0)
        return self.keeper.state()

    def warnings(self, number: int) -> list[str]:
        """What was warned of, as often as it is to be."""
        wait_for(lambda: len(self.warned) == number)
        return self.warned

    def script(self, name: str = "a.ipynb") -> str | None:
        """What was written of a notebook."""
        path = (self.project / name).with_suffix(".py")
        copy = path.parent / ".diffs" / path.name
        return copy.read_text() if copy.exists() else None


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    found = Scene(tmp_path / "project", tmp_path / "diffs.json")
    yield found
    found.keeper.close(0)


def test_the_state_tells_what_was_written_here_and_in_a_file(scene: Scene) -> None:
    begun = time.time()
    scene.save(name="sub/a.ipynb")
    assert scene.keeper.state()["pending"] == 1
    state = scene.settled()
    assert (state["on"], state["warnings"]) == (True, {})
    assert state["last_written"]["notebook"] == "sub/a.ipynb"
    assert begun - 1 < state["last_written"]["at"] < time.time() + 1
    wait_for(lambda: json.loads(scene.file.read_text()) == state)


def test_nothing_runs_until_there_is_something_to_do(scene: Scene) -> None:
    scene.tell("get", "")
    scene.tell("save", "a.txt")
    scene.tell("rename", "b", "a")
    time.sleep(0.2)
    assert scene.converter.pid is None


def test_a_notebook_that_is_opened_has_the_converters_loaded(scene: Scene) -> None:
    scene.tell("get", "a.ipynb")
    wait_for(lambda: scene.converter.pid is not None)


def test_the_last_content_wins_over_a_conversion_that_runs(scene: Scene) -> None:
    scene.save_and_wait()
    for number in range(20):
        scene.save(f'{{"number": {number}}}')
    scene.go()
    scene.settled()
    assert scene.script() == '# %%\n{"number": 19}\n'


def test_a_rename_during_a_conversion_leaves_no_copies_under_the_old_name(scene: Scene) -> None:
    scene.save_and_wait()
    (scene.project / "a.ipynb").rename(scene.project / "b.ipynb")
    scene.tell("rename", "b.ipynb", "a.ipynb")
    scene.go()
    scene.settled()
    assert {path.name for path in (scene.project / ".diffs").iterdir()} == {"b.py", "b.html", "b_files"}


def test_a_folder_renamed_during_a_conversion_takes_its_copies_with_it(scene: Scene) -> None:
    text = scene.save_and_wait("one/a.ipynb")
    (scene.project / "one").rename(scene.project / "two")
    scene.tell("rename", "two", "one")
    scene.go()
    scene.settled()
    assert scene.script("two/a.ipynb") == f"# %%\n{text}\n"
    assert not (scene.project / "one").exists()


def test_a_notebook_that_cannot_be_converted_is_one_warning_until_it_can(scene: Scene) -> None:
    for text in ("{FAIL}", "{FAIL }", "{ FAIL}"):
        scene.save(text)
        assert "ValueError" in scene.settled()["warnings"]["a.ipynb"]
    [warning] = scene.warnings(1)
    assert "a.ipynb is saved" in warning and "ValueError" in warning
    scene.save("{}")
    assert scene.settled()["warnings"] == {}
    scene.save("{FAIL}")
    scene.settled()
    scene.warnings(2)


@pytest.mark.parametrize(("action", "source"), [("delete", ""), ("rename", "sub"), ("rename", "sub/a.ipynb")])
def test_a_warning_goes_with_its_notebook(scene: Scene, action: str, source: str) -> None:
    scene.save("{FAIL}", "sub/a.ipynb")
    assert scene.settled()["warnings"]
    (scene.project / "sub/a.ipynb").unlink()
    scene.tell(action, "sub/a.ipynb" if action == "delete" else "b", source)
    assert scene.settled()["warnings"] == {}


def test_a_half_written_notebook_is_no_warning(scene: Scene) -> None:
    scene.save("{")
    time.sleep(0.8)
    (scene.project / "a.ipynb").write_text("{}")
    assert scene.settled()["warnings"] == {}
    assert scene.script() == "# %%\n{}\n"
    assert scene.warned == []


def test_a_hanging_conversion_is_ended_and_the_next_notebook_gets_its_copies(scene: Scene) -> None:
    scene.save("{HANG}")
    scene.save("{}", "b.ipynb")
    assert list(scene.settled()["warnings"]) == ["a.ipynb"]
    assert "more than 5 s" in scene.warnings(1)[0]
    assert scene.script("b.ipynb") == "# %%\n{}\n"


@pytest.mark.parametrize("folder", [False, True])
def test_a_notebook_deleted_during_its_conversion_leaves_no_copies(scene: Scene, folder: bool) -> None:
    scene.save_and_wait("sub/a.ipynb")
    (scene.project / "sub/a.ipynb").unlink()
    if folder:
        (scene.project / "sub").rmdir()
    scene.tell("delete", "sub" if folder else "sub/a.ipynb")
    scene.go()
    assert scene.settled()["warnings"] == {}
    assert [path.name for path in scene.project.rglob("*")] == ([] if folder else ["sub"])


def test_a_worker_that_is_stopped_counts_as_hanging(scene: Scene) -> None:
    scene.save()
    scene.settled()
    assert scene.converter.pid
    stopped = psutil.Process(scene.converter.pid)
    stopped.suspend()
    scene.save('{"more": 1}')
    scene.settled()
    assert not stopped.is_running()
    scene.save('{"more": 2}')
    assert scene.settled()["warnings"] == {}
    assert scene.script() == '# %%\n{"more": 2}\n'


@pytest.mark.parametrize("busy", [False, True])
def test_a_worker_that_is_killed_is_replaced_without_a_word(scene: Scene, busy: bool) -> None:
    scene.save()
    scene.settled()
    killed = psutil.Process(scene.converter.pid)
    if busy:
        scene.save_and_wait()
    killed.kill()
    scene.save('{"more": 1}')
    assert scene.settled()["warnings"] == {}
    assert scene.script() == '# %%\n{"more": 1}\n'
    assert scene.warned == []
    assert scene.converter.pid != killed.pid


def test_a_worker_that_cannot_be_started_is_a_warning(tmp_path: Path) -> None:
    scene = Scene(tmp_path, tmp_path / "diffs.json", command=("/no/such/program",))
    scene.save()
    assert "/no/such/program" in scene.settled()["warnings"]["a.ipynb"]
    scene.keeper.close()


def test_the_first_copies_of_a_project_are_announced_once(scene: Scene) -> None:
    for name in ("a.ipynb", "b.ipynb", "sub/c.ipynb"):
        scene.save(name=name)
        scene.settled()
    wait_for(lambda: bool(scene.noticed))
    assert len(scene.noticed) == 1 and "workbench diffs --init" in scene.noticed[0]


def test_the_end_waits_for_what_is_left(tmp_path: Path) -> None:
    scene = Scene(tmp_path, tmp_path / "diffs.json")
    scene.save()
    scene.save(name="b.ipynb")
    scene.keeper.close()
    assert (scene.script(), scene.script("b.ipynb")) == ("# %%\n{}\n", "# %%\n{}\n")
    assert scene.converter.pid is None
    assert not [thread for thread in threading.enumerate() if thread.name == "reviewable copies"]


def test_the_end_does_not_wait_for_ever(tmp_path: Path) -> None:
    scene = Scene(tmp_path, tmp_path / "diffs.json", limit=30)
    scene.save("{HANG}")
    wait_for(lambda: scene.converter.pid is not None)
    begun = time.monotonic()
    scene.keeper.close(0.5)
    assert time.monotonic() - begun < 3
    wait_for(lambda: not psutil.Process().children())


def test_a_state_that_cannot_be_written_keeps_nobody_from_copies(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "project", tmp_path / "no" / "folder" / "diffs.json")
    scene.save()
    scene.settled()
    assert scene.script() == "# %%\n{}\n"
    scene.keeper.close()
    assert len(scene.warnings(1)) == 1
