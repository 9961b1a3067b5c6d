"""Notebooks as they are saved, by whichever program."""

import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from workbench.errors import EngineError
from workbench.inside.diffs import paths
from workbench.review import git, scope, work
from workbench.review.findings import Finding

PAUSE = 150
"""Milliseconds without news after which a save has come to its end."""


def start(watched: scope.Scope) -> Iterator[set[Path]]:
    """Notebooks that have changed, those of one moment together, without end. After this returns, none is missed."""
    changes = _changes(watched)
    return chain([next(changes)], changes)


def follow(changes: Iterator[set[Path]]) -> Iterator[tuple[Finding, float]]:
    """Each notebook that had to be written, or whose copies were removed, and the seconds that it took."""
    for changed in changes:
        for notebook in sorted(changed - git.ignored(changed)):
            began = time.monotonic()
            finding = work.write(notebook) if notebook.is_file() else work.forget(notebook)
            if finding.state != "fresh":
                yield finding, time.monotonic() - began


def _changes(watched: scope.Scope) -> Iterator[set[Path]]:
    import watchfiles

    folders = set(watched.folders) | {each.parent for each in watched.named}
    news = watchfiles.watch(
        *sorted(folders),
        watch_filter=lambda _, path: _is_news(watched, Path(path)),
        step=PAUSE,
        rust_timeout=PAUSE,
        yield_on_timeout=True,
        recursive=bool(watched.folders),
    )
    try:
        for changes in news:
            yield {notebook for _, path in changes for notebook in _notebooks(watched, Path(path))}
    except OSError as error:
        raise EngineError(
            f"The folder cannot be watched: {error}", "WATCHFILES_FORCE_POLLING=1 looks at it regularly instead."
        ) from error


def _is_news(watched: scope.Scope, path: Path) -> bool:
    """A notebook, or a folder that may have come with some."""
    return watched.covers(path) or watched.covers(path / f"any{paths.SUFFIX}")


def _notebooks(watched: scope.Scope, path: Path) -> Iterator[Path]:
    """The notebooks that a changed path is about. A folder that came may hold some, and lack some that it had."""
    if not path.is_dir():
        found = [path]
    else:
        from workbench.inside.diffs import store

        gone = (paths.notebook_of(copy) for copy in store.orphans(path))
        found = [*scope.walk(path), *(each for each in gone if each)]
    yield from filter(watched.covers, found)
