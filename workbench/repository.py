"""`run-notebook https://…git[@ref]`: somebody's repository, cloned into the cache, and who agreed to run it."""

import hashlib
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from workbench import consent, process
from workbench.errors import ProjectError, last_lines
from workbench.model import Repository
from workbench.state import State, cache_root

if TYPE_CHECKING:
    from workbench.flow import Ui

FOLDER = "repositories"
PATIENCE = 600
"""Seconds that a clone may take."""
SAFE = (
    # Nothing of a repository is carried out here, nothing is fetched by other means than those of its address.
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "protocol.ext.allow=never"),
    *("-c", "protocol.file.allow=user"),
)
REF = re.compile(r"[\w][\w./+-]*", re.ASCII)


def folder_of(wanted: Repository) -> Path:
    """Where it is cloned to: one folder for each address and each ref."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", wanted.url.rstrip("/").removesuffix(".git").rpartition("/")[2]).lstrip(".-")
    mark = hashlib.sha256(f"{wanted.url}@{wanted.ref}".encode()).hexdigest()[:6]
    return cache_root() / FOLDER / f"{name or 'repository'}-{mark}"


def parse(text: str) -> Repository | None:
    """The repository that a text means; None for what is no address. Raises ProjectError for a ref that is none."""
    if not re.match(r"(?:https?|ssh|git|file)://|[\w.-]+@[\w.-]+:", text):
        return None
    url, ref = _split(text)
    if (ref and not REF.fullmatch(ref)) or ".." in ref:
        raise ProjectError(f"{ref!r} is not a branch, tag or commit.", "Name it as ADDRESS@REF.")
    if any(not each.isprintable() or each.isspace() for each in url) or not _host(url):
        raise ProjectError(f"{text!r} is not the address of a repository.", "Give one such as https://host/team/it.git")
    return Repository(url, ref)


def _split(text: str) -> tuple[str, str]:
    """Address and ref: what follows the last `@` of the path."""
    start = text.index("://") + 3 if "://" in text else text.index(":") + 1
    slash = text.find("/", start) if "://" in text else start
    at = text.rfind("@", slash) if slash >= 0 else -1
    return (text[:at], text[at + 1 :]) if at > 0 else (text, "")


def _host(url: str) -> bool:
    if "://" not in url:
        return not url.startswith("-")
    parts = urlsplit(url)
    return parts.scheme == "file" or bool(parts.hostname and not parts.hostname.startswith("-"))


def fetch(wanted: Repository, ui: "Ui") -> Path:
    """Have it here: cloned, or brought up to date where nothing in it was changed. What you changed stays.

    Raises ProjectError with git's own words.
    """
    folder = folder_of(wanted)
    if (folder / ".git").is_dir():
        _update(wanted, folder, ui)
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    ui.note(f"Cloning {wanted} …")
    part = folder.with_name(f".{folder.name}.part")
    # Of one that was cut off.
    shutil.rmtree(part, ignore_errors=True)
    try:
        _git(("clone", "--quiet", "--", wanted.url, str(part)), wanted)
        if wanted.ref:
            _git(("-C", str(part), "checkout", "--quiet", "--detach", _commit(part, wanted)), wanted)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _update(wanted: Repository, folder: Path, ui: "Ui") -> None:
    if _ask(folder, "status", "--porcelain").strip():
        ui.note(f"{folder} has changes of yours: it stays as it is.")
        return
    done = process.run(_words("-C", str(folder), "fetch", "--quiet", "--tags", "origin"), env=_env(), timeout=PATIENCE)
    if done.code != 0:
        ui.note(f"{wanted} cannot be reached: as it was fetched before.")
        return
    new = _commit(folder, wanted)
    if new != _ask(folder, "rev-parse", "HEAD").strip():
        if _ask(folder, "log", "--oneline", "HEAD", "--not", "--remotes", "--tags").strip():
            ui.note(f"{folder} has commits of yours: it stays as it is.")
            return
        _git(("-C", str(folder), "checkout", "--quiet", "--detach", new), wanted)
        ui.note(f"Brought up to {new[:10]}.")


def _commit(folder: Path, wanted: Repository) -> str:
    """The commit that is wanted: a branch as it is there now, a tag, or a commit."""
    names = (f"origin/{wanted.ref}", f"refs/tags/{wanted.ref}", wanted.ref) if wanted.ref else ("origin/HEAD",)
    for name in names:
        done = process.run(
            _words("-C", str(folder), "rev-parse", "--quiet", "--verify", f"{name}^{{commit}}"), env=_env()
        )
        if done.code == 0:
            return done.out.strip()
    raise ProjectError(
        f"{wanted.url} has no branch, tag or commit {wanted.ref!r}." if wanted.ref else f"{wanted.url} is empty.",
        f"See them: git ls-remote {wanted.url}",
    )


def agree(wanted: Repository, folder: Path, state: State, engine: str, *, trusted: bool, ui: "Ui") -> None:
    """Have the user agree to run what somebody else wrote. Raises TrustError when nobody does."""
    commit = _ask(folder, "rev-parse", "HEAD").strip()[:10]
    where = (
        "directly on this machine, without a container: it can do whatever you can"
        if engine == "local"
        else "in a container, which sees this repository and nothing else of your machine"
    )
    asks = (f"Run the code of {wanted} (commit {commit}) {where}.",)
    consent.agree(
        state,
        "repository",
        asks,
        folder,
        trusted=trusted,
        ui=ui,
        question="Somebody else wrote it. Do you trust it that far?",
        refused="Nobody has said that this repository is trusted",
    )


def _git(words: tuple[str, ...], wanted: Repository) -> None:
    done = process.run(_words(*words), env=_env(), timeout=PATIENCE)
    if done.code != 0:
        lines = last_lines(done.err)
        raise ProjectError(f"git cannot fetch {wanted}.", "Check the address, and that you may read it.", detail=lines)


def _ask(folder: Path, *words: str) -> str:
    return process.run(_words("-C", str(folder), *words), env=_env()).out


def _words(*words: str) -> tuple[str, ...]:
    return ("git", *SAFE, *words)


def _env() -> Mapping[str, str]:
    """Never a question that nobody sees; large files stay what they are until somebody wants them."""
    return {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1"}
