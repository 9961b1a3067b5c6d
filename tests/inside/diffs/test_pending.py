"""What is still to be done for the copies, told the time."""

import pytest

from workbench.inside.diffs.pending import AGAIN, IDLE, LOAD, PAUSE, Job, Pending


def all_of(pending: Pending, now: float) -> list[tuple[str, str]]:
    """Every job that is due, done one after the other: notebook, name before."""
    found = []
    while job := pending.take(now):
        found.append((job.notebook, job.was))
        pending.done()
    return found


def after(*events: tuple[str, ...]) -> list[tuple[str, str]]:
    """The jobs that come of events."""
    pending = Pending()
    for action, path, *source in events:
        pending.heard(action, path, source[0] if source else "", 0.0)
    return [job for job in all_of(pending, 10.0) if job != ("", "")]


def test_many_saves_are_one_job_after_a_pause() -> None:
    pending = Pending()
    for number in range(100):
        pending.heard("save", "a.ipynb", "", number * PAUSE / 200)
    assert pending.take(PAUSE * 0.9) is None
    assert pending.wait(0.0) == pytest.approx(PAUSE)
    assert all_of(pending, PAUSE) == [("a.ipynb", "")]


def test_saves_while_a_notebook_is_converted_are_one_more_job() -> None:
    pending = Pending()
    pending.heard("save", "a.ipynb", "", 0.0)
    assert pending.take(1.0) == Job("a.ipynb")
    for _ in range(3):
        pending.heard("save", "a.ipynb", "", 1.0)
    pending.done()
    assert all_of(pending, 2.0) == [("a.ipynb", "")]
    assert pending.notebooks == set()


@pytest.mark.parametrize(
    ("events", "jobs"),
    [
        ([("save", "a.txt")], []),
        ([("save", ".hidden/a.ipynb")], []),
        ([("save", "b/.ipynb_checkpoints/a-checkpoint.ipynb")], []),
        ([("get", "a.ipynb")], []),
        ([("copy", "/a-Copy1.ipynb", "a.ipynb"), ("save", "a-Copy1.ipynb")], [("a-Copy1.ipynb", "")]),
        ([("save", "a.ipynb"), ("delete", "a.ipynb")], [("a.ipynb", "")]),
        ([("save", "d/a.ipynb"), ("delete", "d")], []),
        ([("save", "d1/a.ipynb"), ("delete", "d")], [("d1/a.ipynb", "")]),
        ([("rename", "b.ipynb", "a.ipynb")], [("b.ipynb", "a.ipynb"), ("a.ipynb", ""), ("b.ipynb", "")]),
        ([("rename", "b.txt", "a.ipynb")], [("a.ipynb", "")]),
        ([("rename", "b.ipynb", "a.txt")], [("b.ipynb", "")]),
        ([("rename", "e", "d")], []),
        ([("save", "d/a.ipynb"), ("rename", "e/f", "d")], [("e/f/a.ipynb", "")]),
        ([("save", "d/a.ipynb"), ("rename", ".e", "d")], []),
    ],
)
def test_what_events_lead_to(events: list[tuple[str, ...]], jobs: list[tuple[str, str]]) -> None:
    assert after(*events) == jobs


def test_copies_follow_renames_in_their_order_and_before_anything_is_written() -> None:
    events = [("rename", "c.ipynb", "a.ipynb"), ("rename", "a.ipynb", "b.ipynb"), ("rename", "b.ipynb", "c.ipynb")]
    jobs = after(("save", "a.ipynb"), *events)
    assert jobs[:3] == [("c.ipynb", "a.ipynb"), ("a.ipynb", "b.ipynb"), ("b.ipynb", "c.ipynb")]
    assert {job[0] for job in jobs[3:]} == {"a.ipynb", "b.ipynb", "c.ipynb"}


def test_a_folder_that_is_renamed_during_a_conversion_gets_the_copies() -> None:
    pending = Pending()
    pending.heard("save", "d/a.ipynb", "", 0.0)
    assert pending.take(1.0) == Job("d/a.ipynb")
    pending.heard("rename", "e", "d", 1.0)
    assert pending.failed(1.0) is None
    assert all_of(pending, 1.0) == [("e/a.ipynb", "")]


def test_a_failure_is_final_the_second_time() -> None:
    pending = Pending()
    pending.heard("save", "a.ipynb", "", 0.0)
    assert pending.take(1.0) == Job("a.ipynb")
    assert pending.failed(1.0) is None
    assert pending.take(1.0 + AGAIN * 0.9) is None
    assert pending.take(1.0 + AGAIN) == Job("a.ipynb", again=True)
    assert pending.failed(3.0) == Job("a.ipynb", again=True)
    assert pending.notebooks == set()


def test_a_failure_of_what_is_saved_again_is_not_final() -> None:
    pending = Pending()
    pending.heard("save", "a.ipynb", "", 0.0)
    for now in (1.0, 2.0, 3.0):
        assert pending.take(now) == Job("a.ipynb")
        pending.heard("save", "a.ipynb", "", now)
        assert pending.failed(now) is None


def test_one_failure_can_be_enough() -> None:
    pending = Pending()
    pending.heard("save", "a.ipynb", "", 0.0)
    pending.take(1.0)
    assert pending.failed(1.0, once=True) == Job("a.ipynb")
    assert pending.wait(1.0) is None


def test_the_converters_are_loaded_once_some_time_after_the_first_notebook_is_seen() -> None:
    pending = Pending()
    assert pending.wait(0.0) is None
    for path in ("a.ipynb", "b.ipynb"):
        pending.heard("get", path, "", 0.0)
    assert pending.notebooks == set()
    assert (pending.take(IDLE * 0.9), pending.take(IDLE)) == (None, LOAD)
    pending.done()
    pending.heard("get", "a.ipynb", "", 5.0)
    assert pending.wait(5.0) is None


def test_what_is_converted_loads_the_converters() -> None:
    pending = Pending()
    pending.heard("save", "a.ipynb", "", 0.0)
    assert all_of(pending, PAUSE) == [("a.ipynb", "")]
    assert pending.wait(PAUSE) is None


def test_in_a_hurry_all_is_due_that_notebooks_wait_for() -> None:
    pending = Pending()
    pending.heard("save", "a.ipynb", "", 0.0)
    assert pending.take(0.0, hurry=True) == Job("a.ipynb")
    pending.done()
    assert pending.take(0.0, hurry=True) is None
