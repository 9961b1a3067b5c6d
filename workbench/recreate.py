"""One container in the place of another, journalled: the old one is set aside until the new one answers.

Whatever comes between, a failure, Ctrl-C or the end of this process, exactly one of the two is there in the end.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from workbench import labels, ready
from workbench.engines.base import Engine
from workbench.errors import EngineError, ProjectError, WorkbenchError
from workbench.model import Endpoint, Running
from workbench.plan import naming
from workbench.state import State, as_delivery, state_root

JOURNAL, STOPPING = "journal.json", "stopping.json"
"""The intent, and a mark beside it that goes when the old one is set aside: taking it away needs no room on a disk."""
KEPT = ("seed.json", "plan.json", "delivery.json", "approved.json")
"""What the state folder keeps of the container that runs."""
Note = Callable[[str], None]
Phase = Literal["preparing", "building", "stopping", "starting", "restoring"]
"""What a workbench is going through while it is replaced or restarted."""


@dataclass(frozen=True, slots=True)
class Journal:
    """What is to be replaced, written before anything is touched. Holds secrets, as the state folder does."""

    engine: str
    project: str
    owner: str
    old: str
    """The old workbench's own name: another one where the project was renamed meanwhile."""
    new: str
    token: str
    running: bool
    """Whether the old one ran."""
    kept: Mapping[str, Any]
    """The documents `KEPT` of the old one, None for each that there was not."""
    answered: bool = False
    """Whether the new one has answered: from then on the old one only has to go."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What is left to do, in this order."""

    remove: tuple[str, ...] = ()
    """Ids of containers to remove. Volumes stay: the old and the new one have the same HOME."""
    back: str = ""
    """Id of the container that gets its name back."""
    resume: bool = False
    """Whether the old one is to be started."""
    restore: bool = False
    """Whether the documents of the old one are to be put back."""


def remedy(journal: Journal, found: Iterable[Running], *, stopping: bool, answers: bool) -> Remedy:
    """What finishes or undoes a replacement. Pure.

    `found`: the project's; `stopping`: whether the mark is there; `answers`: whether the new one does.
    """
    found = tuple(found)
    aside = next((each for each in found if naming.is_aside(each)), None)
    placed = [each for each in found if not naming.is_aside(each)]
    if journal.answered or (aside and answers):
        return Remedy(remove=(aside.id,) if aside else ())
    if aside:
        new = tuple(each.id for each in placed if each.name == journal.new)
        return Remedy(remove=new, back=aside.id, resume=journal.running, restore=True)
    old = next((each for each in placed if each.name == journal.old), None)
    if old is None:
        return Remedy()
    # Not set aside yet, or named back already; the engine may be about to end one that seems to run.
    return Remedy(resume=journal.running and (stopping or old.state != "running"), restore=True)


@contextmanager
def replacing(engine: Engine, state: State, old: Running | None, token: str, note: Note) -> Iterator[None]:
    """Set `old` aside while the body starts the new one; back again if that fails. Call it under the state's lock."""
    if old is None or old.state == "created":
        # Half-made by a launcher that was killed: nobody has worked in it.
        _remove(engine, [old.id] if old else [])
        yield
        return
    journal = _begin(engine, state, old, token)
    try:
        engine.stop(old.id)
        engine.rename(old.id, naming.aside(naming.container_of(old)))
        state.drop(STOPPING)
        yield
    except WorkbenchError as error:
        error.hint = f"{error.hint} {_undo(engine, state, journal)}".strip()
        raise
    except BaseException:
        note(_undo(engine, state, journal))
        raise
    journal = replace(journal, answered=True)
    state.write(JOURNAL, asdict(journal))
    try:
        _settle(engine, state, journal)
    except WorkbenchError as error:
        note(f"The one that was replaced is still there: {error.message} The next run-notebook removes it.")


def existing(engine: Engine, state: State, mine: Mapping[str, str], note: Note) -> Running | None:
    """The workbench with these labels, the running one first, after what was cut off has been put right."""
    journal = _journal(state)
    if journal and journal.engine == engine.name:
        note(f"A restart was cut off. {_settle(engine, state, journal, answers=_new_answers(engine, journal))}")
    found = sorted(in_place(engine.find(mine)), key=lambda each: each.state != "running")
    if found and naming.is_aside(found[0]):
        # Its journal was lost with the state folder.
        _name_back(engine, found[0])
        return existing(engine, state, mine, note)
    return found[0] if found else None


def in_place(found: Sequence[Running]) -> list[Running]:
    """One engine's workbenches without those that were set aside and have another one in their place."""
    names = {each.name for each in found if not naming.is_aside(each)}
    return [each for each in found if not naming.is_aside(each) or each.name not in names]


def projects_at_work() -> set[str]:
    """The projects whose workbench is being replaced, or was when its launcher was killed."""
    folders = (state_root() / "workbenches").glob(f"*/{JOURNAL}")
    return {journal.project for path in folders if (journal := _journal(State(path.parent)))}


def restart(engine: Engine, running: Running, note: Note, phase: Callable[[Phase], None] = lambda _: None) -> Endpoint:
    """Stop a workbench and start it again as it was approved; `phase` hears what begins."""
    state = State.of(running.name)
    with state.lock(lambda: None):
        mine = {labels.NAME: running.name, labels.OWNER: running.owner}
        now = existing(engine, state, mine, note)
        if now is None:
            raise ProjectError(f"{running.name} is gone meanwhile.", "`run-notebook` in its project starts a new one.")
        seed = state.seed()
        token = seed.token if seed else token_of(engine, now)
        phase("stopping")
        engine.stop(now.id)
        phase("starting")
        again = engine.resume(now.id, replace(state.kept_delivery(token), returning=True))
        ready.reach(engine, again, token)
    return ready.endpoint(again, token)


def token_of(engine: Engine, running: Running) -> str:
    """The token of a workbench whose state folder was lost, from its own memory."""
    read = engine.exec(running.id, ("cat", "/run/workbench/token"))
    if read.code != 0 or not read.out.strip():
        raise EngineError(
            f"The token of the running workbench {running.name} is lost.",
            f"Start it anew: workbench rm {running.name}, then run-notebook. HOME in the container goes with it.",
        )
    return read.out.strip()


def _begin(engine: Engine, state: State, old: Running, token: str) -> Journal:
    mine = {labels.PROJECT: old.project, labels.OWNER: old.owner}
    # One that lost its journal, while this one took its place for good.
    _remove(engine, [each.id for each in engine.find(mine) if naming.is_aside(each)])
    journal = Journal(
        engine=engine.name,
        project=old.project,
        owner=old.owner,
        old=old.name,
        new=state.folder.name,
        token=token,
        running=old.state == "running",
        kept={name: State.of(old.name).read(name) for name in KEPT},
    )
    state.write(STOPPING, {})
    state.write(JOURNAL, asdict(journal))
    return journal


def _undo(engine: Engine, state: State, journal: Journal) -> str:
    """Have the old one again, and say what came of that; what fails is left to the next launch."""
    try:
        return _settle(engine, state, journal)
    except (WorkbenchError, OSError) as error:
        return f"The old one could not be put back ({error}): the next `run-notebook` tries again."


def _settle(engine: Engine, state: State, journal: Journal, *, answers: bool = False) -> str:
    """Do what is left to do; one sentence on what there is then."""
    stopping = state.read(STOPPING) is not None
    todo = remedy(journal, _found(engine, journal), stopping=stopping, answers=answers)
    _remove(engine, todo.remove)
    state.drop(STOPPING)
    if todo.back:
        _name_back(engine, next(each for each in _found(engine, journal) if each.id == todo.back))
    told = _resumed(engine, journal) if todo.resume else ""
    if todo.restore:
        _restore(State.of(journal.old), journal.kept)
    state.drop(JOURNAL)
    runs = "The workbench runs as it was before." if journal.running else "The workbench is stopped, as it was before."
    return told or (runs if todo.restore else "The new one stays.")


def _resumed(engine: Engine, journal: Journal) -> str:
    """Start the old one with what it was handed over; why not, when it does not come."""
    old = next(each for each in _found(engine, journal) if each.name == journal.old)
    try:
        # The engine may still be at it, for a launcher that was killed.
        engine.stop(old.id)
        delivery = as_delivery(journal.kept["delivery.json"], journal.token)
        again = engine.resume(old.id, replace(delivery, returning=True))
        ready.reach(engine, again, journal.token)
    except WorkbenchError as error:
        return f"The workbench is there as it was before, but does not start: {error.message}"
    return "The workbench runs again as it was before."


def _restore(state: State, kept: Mapping[str, Any]) -> None:
    for name, document in kept.items():
        if document is None:
            state.drop(name)
        elif document != state.read(name):
            state.write(name, document)


def _name_back(engine: Engine, aside: Running) -> None:
    engine.rename(aside.id, naming.container_of(aside).removesuffix(naming.ASIDE))


def _remove(engine: Engine, ids: Iterable[str]) -> None:
    for id in ids:
        engine.stop(id)
        engine.remove(id)


def _found(engine: Engine, journal: Journal) -> list[Running]:
    return engine.find({labels.PROJECT: journal.project, labels.OWNER: journal.owner})


def _new_answers(engine: Engine, journal: Journal) -> bool:
    new = [each for each in _found(engine, journal) if not naming.is_aside(each) and each.name == journal.new]
    return any(each.state == "running" and ready.answers(each.port, journal.token) for each in new)


def _journal(state: State) -> Journal | None:
    found = state.read(JOURNAL)
    return Journal(**found) if found else None
