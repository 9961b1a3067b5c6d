"""The thread that has the copies follow the notebooks. Who tells it of events never waits for it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.inside.diffs.converter import Converter, Overdue
from workbench.inside.diffs.pending import LOAD, Job, Pending, is_below
from workbench.inside.report import write_json

NOTICE = (
    "reviewable copies of notebooks are written to .diffs/ folders; "
    "`workbench diffs --init` tells git about them, `--no-diffs` at the launch turns them off"
)


class Keeper:
    """Keeps the copies of the notebooks below `root`.

    `warn` is called once for each notebook that has no copies until it has some again, `notice` once when there are
    the first copies in a project. `file` is where the state is written, too.
    """

    def __init__(
        self, root: Path, converter: Converter, warn: Callable[[str], object], notice: Callable[[str], object],
        file: Path | None = None,
    ) -> None:  # fmt: skip
        self._root, self._converter, self._file = root, converter, file
        self._warn, self._notice = warn, notice
        self._news = threading.Condition()
        self._pending = Pending()
        self._warnings: dict[str, str] = {}
        self._last: dict[str, Any] | None = None
        self._end: float | None = None
        self._thread = threading.Thread(target=self._run, name="reviewable copies", daemon=True)
        self._thread.start()

    def heard(self, action: str, path: str, source: str = "") -> None:
        """Take in an event of the contents manager; paths are relative to the project."""
        with self._news:
            self._pending.heard(action, path, source, time.monotonic())
            if action in ("rename", "delete"):
                gone = (source or path).strip("/")
                self._warnings = {name: why for name, why in self._warnings.items() if not is_below(name, gone)}
            self._news.notify()

    def state(self) -> dict[str, Any]:
        """What was written last, what is not written yet, and what cannot be, with the reason."""
        with self._news:
            return {
                "on": True,
                "last_written": self._last,
                "pending": len(self._pending.notebooks),
                "warnings": dict(self._warnings),
                "worker": self._converter.pid,
            }

    def close(self, patience: float = 5.0) -> None:
        """Write what is left, for `patience` seconds at most, and end the worker."""
        with self._news:
            self._end = time.monotonic() + patience
            self._news.notify()
        self._thread.join(patience)
        if self._thread.is_alive():
            self._converter.kill()
            self._thread.join(1.0)

    def _run(self) -> None:
        while job := self._next():
            self._publish()
            self._do(job)
            self._publish()
        self._converter.end()

    def _next(self) -> Job | None:
        """Wait for a job; None means the end."""
        with self._news:
            while True:
                now = time.monotonic()
                if self._end is not None and now > self._end:
                    return None
                job = self._pending.take(now, hurry=self._end is not None)
                if job or self._end is not None:
                    return job
                self._news.wait(self._pending.wait(now))

    def _do(self, job: Job) -> None:
        try:
            answer = self._converter.ask(**self._request(job))
        except Exception as error:  # lost, overdue, or no process to be had: this thread goes on
            answer = {"error": str(error) or repr(error), "overdue": isinstance(error, Overdue)}
        if "error" in answer:
            self._failed(answer["error"], once=answer.get("overdue", False))
            return
        with self._news:
            notebook = self._pending.done().notebook
            self._warnings.pop(notebook, None)
            if answer["changed"]:
                self._last = {"notebook": notebook, "at": round(time.time(), 3), "seconds": answer["seconds"]}
        if answer.get("first"):
            self._notice(NOTICE)

    def _failed(self, why: str, *, once: bool) -> None:
        with self._news:
            job = self._pending.failed(time.monotonic(), once=once)
            if job is None:
                return
            is_known = job.notebook in self._warnings
            self._warnings[job.notebook] = why
        if not is_known:
            self._warn(f"{job.notebook} is saved, but has no up-to-date copies in .diffs/: {why}")

    def _request(self, job: Job) -> dict[str, str]:
        if job == LOAD:
            return {}
        was = {"was": str(self._root / job.was)} if job.was else {}
        return {"notebook": str(self._root / job.notebook), **was}

    def _publish(self) -> None:
        """Write the state where others can read it."""
        if self._file is None:
            return
        try:
            write_json(self._file, self.state())
        except OSError as error:
            self._warn(f"The state of the copies of notebooks cannot be told: {error}")
            self._file = None
