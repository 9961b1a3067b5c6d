"""The process that converts: `python -P -m workbench.inside.diffs.worker ROOT LIMIT`.

Asked on standard input, answers on standard output, a line of JSON each:
`{"id": 1, "notebook": "/abs/a.ipynb"}` has the copies be what the notebook is now, or gone if it is gone;
`{"id": 2, "notebook": …, "was": …}` has the copies follow a rename; `{"id": 3}` has the converters loaded.
An answer is the request, with `seconds` and either `changed` or `error`, which is one sentence.
It ends when its input does.
"""

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.inside.diffs import store
from workbench.inside.diffs.notebook import Unreadable
from workbench.inside.diffs.paths import FOLDER, copies

if TYPE_CHECKING:
    from workbench.inside.diffs.convert import Converted

Convert = Callable[[bytes, str], "Converted"]
GRACE = 1.0
"""Seconds beyond LIMIT that are left to the one who asks to end a conversion; then this process ends by itself."""
STOUT = 1 << 30
"""Bytes of memory beyond which this process ends, to be started anew with the next notebook."""
NICE = 5
"""A quarter of a core that somebody computes on; with the lowest priority a conversion waits for minutes there."""
OOM = Path("/proc/self/oom_score_adj")
STATUS = Path("/proc/self/status")


def main(convert: Convert | None = None) -> None:
    """Serve standard input. `convert`: what converts, instead of the real thing."""
    root, limit = Path(sys.argv[1]), float(sys.argv[2])
    _stand_back()
    # What a library prints is no answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for answer in serve(sys.stdin.buffer, root, convert, limit + GRACE):
        answers.write(f"{json.dumps(answer)}\n")
        answers.flush()
        if _memory() > STOUT:
            return


def serve(asked: Iterable[bytes], root: Path, convert: Convert | None, limit: float) -> Iterator[dict[str, Any]]:
    """An answer to each line. What takes more than `limit` seconds ends the process."""
    for line in asked:
        request = json.loads(line)
        begun = time.monotonic()
        # Without a handler this signal ends a process even in the midst of a regular expression.
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            answer = _act(request, root, convert or _real())
        except Exception as error:  # whatever a notebook does to the converters: the next one gets its copies
            answer = {"error": reason(error)}
        signal.setitimer(signal.ITIMER_REAL, 0)
        yield {**request, **answer, "seconds": round(time.monotonic() - begun, 3)}


def reason(error: Exception) -> str:
    """Why a notebook has no copies, in one sentence."""
    if isinstance(error, Unreadable):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else f"{error.strerror}."
    return " ".join(f"It cannot be converted: {type(error).__name__}: {error}".split())[:300]


def _act(request: dict[str, Any], root: Path, convert: Convert) -> dict[str, Any]:
    if "notebook" not in request:
        return {"changed": False}
    notebook = Path(request["notebook"])
    if "was" in request:
        return {"changed": store.move(Path(request["was"]), notebook)}
    if not notebook.parent.resolve().is_relative_to(root.resolve()):
        raise Unreadable("A link leads out of the project, where no copies are written.")
    folder = copies(notebook).script.parent
    is_new = not folder.exists()
    changed = _follow(notebook, convert)
    return {"changed": changed, "first": is_new and changed and _is_only(folder, root)}


def _follow(notebook: Path, convert: Convert) -> bool:
    if notebook.is_file():
        try:
            return store.write(notebook, convert(notebook.read_bytes(), notebook.stem))
        except FileNotFoundError:
            if notebook.is_file():
                raise
    return store.remove(notebook)


def _is_only(folder: Path, root: Path) -> bool:
    """Whether no other folder with copies is found near the top of the project."""
    return not any(found != folder for depth in ("", "*/", "*/*/") for found in root.glob(f"{depth}{FOLDER}"))


def _real() -> Convert:
    from workbench.inside.diffs.convert import convert

    return convert


def _stand_back() -> None:
    """Everything else on this machine comes first, at its disk too, which goes by the same number."""
    os.nice(NICE)
    with suppress(OSError):  # not Linux; or it has been set, to the same effect, for all that is in this container
        OOM.write_text("1000", encoding="ascii")


def _memory() -> int:
    """The most memory that this process has taken, in bytes."""
    with suppress(OSError):
        # Not by getrusage, where Linux tells it: there it begins with that of the server which started this process.
        for line in STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


if __name__ == "__main__":
    main()
