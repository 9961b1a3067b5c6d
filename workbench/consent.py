"""The user's agreement to what a project's files ask of this machine, and its memory in the state folder."""

from pathlib import Path
from typing import Protocol

from workbench.errors import TrustError
from workbench.plan import trust
from workbench.state import State

FILE = "trust.json"


class Asks(Protocol):
    """Whom to ask."""

    def note(self, text: str) -> None:
        """Say one line."""
        ...

    def ask(self, question: str) -> bool | None:
        """A yes-or-no question; None when nobody can answer."""
        ...


REFUSED = "The project's configuration reaches outside the container, and nobody has approved it"


def agree(
    state: State,
    what: str,
    asks: tuple[str, ...],
    root: Path,
    *,
    trusted: bool,
    ui: Asks,
    question: str = "",
    refused: str = REFUSED,
) -> None:
    """Have the user agree to `asks`, unless these very ones were agreed to before for the same thing, `what`.

    Raises TrustError, which begins with `refused`, when nobody agrees. `trusted`: the command line does.
    """
    if not asks:
        return
    known = {key: value for key, value in (state.read(FILE) or {}).items() if isinstance(value, dict)}
    mark = trust.digest(asks)
    if not trusted and known.get(what, {}).get("digest") != mark:
        for ask in asks:
            ui.note(f"  • {ask}")
        if not ui.ask(question or f"{root} asks for this on your machine. Allow it?"):
            raise TrustError(
                f"{refused}: {'; '.join(asks)}",
                "Read it, then run again with --trust to approve exactly this.",
            )
    state.write(FILE, {**known, what: {"digest": mark, "asks": list(asks)}})
