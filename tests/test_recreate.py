"""One container in the place of another: whatever comes between, one of the two is there in the end."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.contract.benches import DELIVERY, TOKEN, FakeBench, free_port
from workbench import labels, ready, recreate
from workbench.engines.fake import FakeEngine
from workbench.errors import EngineError, NoEngineError, NotReadyError, WorkbenchError
from workbench.model import ContainerRun, Running, Seed
from workbench.recreate import Journal, Remedy
from workbench.state import State

NAME = "analysis-0a1b2c"
PLACE, ASIDE = f"workbench-{NAME}", f"workbench-{NAME}.aside"
JOURNAL = Journal("fake", "/analysis", "1000", NAME, NAME, TOKEN, running=True, kept={})
ANSWERED, STOPPED = replace(JOURNAL, answered=True), replace(JOURNAL, running=False)
BACK = Remedy(back=ASIDE, resume=True, restore=True)


def there(container: str, state: str = "stopped", name: str = NAME) -> Running:
    return Running(container, name, container, "/analysis", "fake", state, 1, "", "")  # type: ignore[arg-type]


OLD, RUNNING, NEW = there(PLACE), there(PLACE, "running"), there(PLACE, "running")
SET = there(ASIDE)
OTHER = there("workbench-other-0a1b2c", "running", "other-0a1b2c")

CASES = {
    "nothing done yet": (JOURNAL, [RUNNING], True, False, Remedy(resume=True, restore=True)),
    "stopped": (JOURNAL, [OLD], True, False, Remedy(resume=True, restore=True)),
    "it was not running": (STOPPED, [OLD], True, False, Remedy(restore=True)),
    "set aside": (JOURNAL, [SET], False, False, BACK),
    "set aside, and was not running": (STOPPED, [SET], False, False, replace(BACK, resume=False)),
    "set aside, the mark still there": (JOURNAL, [SET], True, False, BACK),
    "half-made": (JOURNAL, [there(PLACE, "created"), SET], False, False, replace(BACK, remove=(PLACE,))),
    "started": (JOURNAL, [SET, NEW], False, False, replace(BACK, remove=(PLACE,))),
    "started, beside another": (
        JOURNAL,
        [OTHER, SET, NEW],
        False,
        False,
        replace(BACK, remove=(PLACE,)),
    ),
    "it answers": (JOURNAL, [SET, NEW], False, True, Remedy(remove=(ASIDE,))),
    "it has answered, and ended": (ANSWERED, [SET, there(PLACE)], False, False, Remedy(remove=(ASIDE,))),
    "the old one is removed": (ANSWERED, [NEW], False, True, Remedy()),
    "named back": (JOURNAL, [OLD], False, False, Remedy(resume=True, restore=True)),
    "named back and resumed": (JOURNAL, [RUNNING], False, True, Remedy(restore=True)),
    "both are gone": (JOURNAL, [OTHER], False, False, Remedy()),
}


@pytest.mark.parametrize(("journal", "found", "stopping", "answers", "wanted"), CASES.values(), ids=CASES)
def test_what_is_left_to_do(
    journal: Journal, found: list[Running], stopping: bool, answers: bool, wanted: Remedy
) -> None:
    assert recreate.remedy(journal, found, stopping=stopping, answers=answers) == wanted


def test_at_most_one_of_each_is_listed() -> None:
    assert recreate.in_place([SET, NEW, OTHER]) == [NEW, OTHER]
    assert recreate.in_place([SET, OTHER]) == [SET, OTHER]


class Ground:
    """A workbench on the fake engine, and its state."""

    def __init__(self, folder: Path) -> None:
        bench = FakeBench(folder)
        self.engine = bench.engine
        run = bench.run()
        self.name = run.labels[labels.NAME]
        self.run: ContainerRun = run
        self.mine: Mapping[str, str] = {labels.PROJECT: bench.project}
        self.state = State.of(self.name)
        self.notes: list[str] = []
        self.remember("old")
        self.old = self.engine.start(run, DELIVERY)

    def remember(self, word: str) -> None:
        """What a launch keeps of the container that it starts."""
        self.state.keep_seed(Seed(TOKEN, self.run.port))
        self.state.write("plan.json", {"digest": word})
        self.state.keep_delivery(replace(DELIVERY, env={"WORD": word}))

    def start_new(self, port: int | None = None) -> Running:
        self.remember("new")
        marks = {**self.run.labels, labels.PLAN: "new"}
        return self.engine.start(replace(self.run, labels=marks, port=port or self.run.port), DELIVERY)

    def replace(self, error: BaseException | None = None, *, start: bool = True) -> None:
        """Replace the workbench; `error` comes when the new one has started."""
        with recreate.replacing(self.engine, self.state, self.engine.find(self.mine)[0], TOKEN, self.notes.append):
            if start:
                self.start_new()
            if error:
                raise error

    def next_launch(self) -> Running | None:
        return recreate.existing(self.engine, self.state, self.mine, self.notes.append)

    def runs_as_before(self) -> None:
        (found,) = self.engine.find(self.mine)
        assert replace(found, started=None, exit_code=None) == replace(self.old, started=None)
        self.is_kept("old")
        assert ready.answers(found.port, TOKEN)
        assert self.engine.deliveries[found.id].env == {"WORD": "old"}

    def is_new(self) -> None:
        (found,) = self.engine.find(self.mine)
        assert (found.container, found.plan) == (self.run.name, "new")
        self.is_kept("new")

    def is_kept(self, word: str) -> None:
        assert self.state.read("plan.json") == {"digest": word}
        assert self.state.kept_delivery(TOKEN).env == {"WORD": word}
        assert {path.name for path in self.state.folder.glob("[!.]*.json")} == {
            "plan.json",
            "seed.json",
            "delivery.json",
        }


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = Ground(tmp_path)
    yield made
    made.engine.close()


def test_a_new_one_that_answers_takes_the_place(ground: Ground) -> None:
    ground.replace()
    ground.is_new()
    assert ground.notes == []


def test_while_it_is_replaced_nobody_else_may_read_the_journal(ground: Ground) -> None:
    with recreate.replacing(ground.engine, ground.state, ground.old, TOKEN, ground.notes.append):
        path = ground.state.folder / "journal.json"
        assert TOKEN in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o600
        assert recreate.projects_at_work() == {ground.old.project}
        ground.start_new()
    assert recreate.projects_at_work() == set()


@pytest.mark.parametrize(
    "error", [NotReadyError("It ended.", "Read on."), EngineError("No.", "Read on."), KeyboardInterrupt(), OSError(28)]
)
def test_what_fails_leaves_the_old_one_running(ground: Ground, error: BaseException) -> None:
    with pytest.raises(type(error)) as failed:
        ground.replace(error)
    ground.runs_as_before()
    told = failed.value.hint if isinstance(failed.value, WorkbenchError) else ground.notes[-1]
    assert told.endswith("The workbench runs again as it was before.")


def test_a_start_that_is_refused_leaves_the_old_one_running(ground: Ground) -> None:
    ground.engine.fail["start"] = EngineError("Full.", "Make space.")
    with pytest.raises(EngineError, match="Full"):
        ground.replace()
    ground.runs_as_before()


def test_one_that_cannot_be_set_aside_runs_on(ground: Ground) -> None:
    ground.engine.fail["rename"] = EngineError("No.", "Read on.")
    with pytest.raises(EngineError):
        ground.replace(start=False)
    ground.runs_as_before()


def test_a_stopped_one_stays_stopped(ground: Ground) -> None:
    ground.engine.stop(ground.old.id)
    with pytest.raises(NotReadyError) as failed:
        ground.replace(NotReadyError("It ended.", "Read on."))
    (found,) = ground.engine.find(ground.mine)
    assert (found.container, found.state) == (ground.old.container, "stopped")
    assert failed.value.hint == "Read on. The workbench is stopped, as it was before."
    ground.is_kept("old")


def test_an_old_one_that_does_not_start_again_is_told(ground: Ground) -> None:
    ground.engine.fail["resume"] = EngineError("Its image is gone.", "Read on.")
    with pytest.raises(NotReadyError) as failed:
        ground.replace(NotReadyError("It ended.", "Read on."))
    assert "does not start: Its image is gone." in failed.value.hint
    found = ground.next_launch()
    assert found is not None and (found.container, found.state) == (ground.old.container, "stopped")
    ground.is_kept("old")


GONE = dict.fromkeys(("find", "stop", "rename", "remove", "resume"), NoEngineError("Gone.", "Start it."))
"""What an engine fails at that went away: as after a launcher that was killed, nothing is put back by this process."""


@pytest.mark.parametrize("answers", [True, False])
def test_the_next_launch_finishes_or_undoes_what_was_cut_off(ground: Ground, answers: bool) -> None:
    port = ground.run.port if answers else free_port()
    with pytest.raises(NoEngineError) as failed:  # noqa: SIM117 - the error has to pass through the inner one
        with recreate.replacing(ground.engine, ground.state, ground.old, TOKEN, ground.notes.append):
            new = ground.start_new(port)
            if not answers:
                ground.engine.crash(new.id)
            ground.engine.fail = dict(GONE)
            raise GONE["find"]
    assert "the next `run-notebook` tries again" in failed.value.hint
    ground.engine.fail = {}
    assert len(ground.engine.find(ground.mine)) == 2
    found = ground.next_launch()
    assert found is not None and found.container == ground.run.name
    if answers:
        ground.is_new()
    else:
        ground.runs_as_before()
    assert [note.startswith("A restart was cut off. ") for note in ground.notes] == [True]
    assert ground.next_launch() is not None and len(ground.notes) == 1


def test_an_old_one_that_cannot_be_removed_goes_with_the_next_launch(ground: Ground) -> None:
    ground.engine.fail["remove"] = EngineError("Busy.", "Wait.")
    ground.replace()
    assert "still there: Busy." in ground.notes[-1]
    assert len(ground.engine.find(ground.mine)) == 2
    ground.engine.fail.clear()
    assert ground.next_launch() is not None
    ground.is_new()


def test_one_whose_journal_is_lost_gets_its_name_back(ground: Ground) -> None:
    ground.engine.stop(ground.old.id)
    ground.engine.rename(ground.old.id, f"{ground.old.id}.aside")
    found = ground.next_launch()
    assert found is not None and (found.id, found.state) == (ground.old.id, "stopped")


def test_a_leftover_without_a_journal_does_not_stand_in_the_way(ground: Ground) -> None:
    ground.engine.stop(ground.old.id)
    ground.engine.rename(ground.old.id, f"{ground.old.id}.aside")
    ground.start_new()
    found = ground.next_launch()
    assert found is not None and found.plan == "new"
    with recreate.replacing(ground.engine, ground.state, found, TOKEN, ground.notes.append):
        ground.start_new()
    ground.is_new()


def test_another_engine_s_journal_is_left_to_that_engine(ground: Ground) -> None:
    ground.state.write("journal.json", asdict(replace(JOURNAL, engine="docker")))
    assert ground.next_launch() == ground.engine.find(ground.mine)[0]
    assert ground.state.read("journal.json") is not None


def test_where_nothing_is_replaced_nothing_is_asked() -> None:
    engine = FakeEngine()
    with recreate.replacing(engine, State(Path("/nonexistent")), None, TOKEN, print):
        pass
    assert engine.calls == []
