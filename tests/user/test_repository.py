"""`run-notebook URL`: somebody's repository, started once it is trusted, and what becomes of one's own changes."""

from pathlib import Path

import pytest
from support.person import MakePerson, Person


@pytest.fixture
def ada(somebody: MakePerson) -> Person:
    return somebody("docker", normal=True)


@pytest.fixture
def remote(ada: Person) -> Path:
    root = ada.project("notebooks-only", "theirs")
    git(ada, root, "init", "-q", "-b", "main")
    commit(ada, root, {"told.txt": "one"})
    git(ada, root, "tag", "v1")
    return root


def git(me: Person, root: Path, *words: str) -> str:
    return me.run("git", "-c", "user.name=A", "-c", "user.email=a@b.c", *words, cwd=root).ok().out


def commit(me: Person, root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        me.write(root / name, text)
    git(me, root, "add", "-A")
    git(me, root, "commit", "-qm", "a change")
    return git(me, root, "rev-parse", "HEAD").strip()


def test_it_is_started_once_it_is_trusted(ada: Person, remote: Path) -> None:
    url = f"file://{remote}"
    told = ada.run("run-notebook", "-d", url).fails(2)
    assert "nobody" in told.lower() and url in told and "in a container" in told and "--trust" in told
    assert ada.containers() == []
    done = ada.run("run-notebook", "-d", "--json", "--trust", url).ok()
    project = Path(done.json()["project"])
    assert (project / "told.txt").read_text() == "one" and project.is_relative_to(ada.home / ".cache")
    # What was agreed to once needs no second yes; another commit does.
    assert ada.run("run-notebook", "-d", "--json", url).ok().json()["project"] == str(project)
    commit(ada, remote, {"told.txt": "two"})
    ada.run("run-notebook", "-d", url).fails(2)
    ada.run("run-notebook", "-d", "--trust", url).ok()
    assert (project / "told.txt").read_text() == "two"


def test_what_was_changed_in_it_stays(ada: Person, remote: Path) -> None:
    url = f"file://{remote}"
    project = Path(ada.run("run-notebook", "-d", "--json", "--trust", url).ok().json()["project"])
    ada.write(project / "told.txt", "mine")
    commit(ada, remote, {"told.txt": "two"})
    done = ada.run("run-notebook", "-d", url).ok()
    assert "changes of yours" in done.err and (project / "told.txt").read_text() == "mine"
    git(ada, project, "commit", "-qam", "mine")
    done = ada.run("run-notebook", "-d", "--trust", url).ok()
    assert "commits of yours" in done.err and (project / "told.txt").read_text() == "mine"


def test_a_ref_is_a_branch_a_tag_or_a_commit(ada: Person, remote: Path) -> None:
    first = git(ada, remote, "rev-parse", "HEAD").strip()
    git(ada, remote, "checkout", "-q", "-b", "other/one")
    commit(ada, remote, {"told.txt": "other"})
    git(ada, remote, "checkout", "-q", "main")
    for ref, told in {"v1": "one", "other/one": "other", first[:12]: "one"}.items():
        ada.run("run-notebook", "--dry-run", f"file://{remote}@{ref}").ok()
        [found] = [each for each in (ada.home / ".cache/workbench/repositories").iterdir() if is_at(ada, each, told)][
            :1
        ]
        assert found
    told = ada.run("run-notebook", "--dry-run", f"file://{remote}@v2").fails(2)
    assert "no branch, tag or commit 'v2'" in told
    # Nothing half-made stays.
    assert all(not each.name.startswith(".") for each in (ada.home / ".cache/workbench/repositories").iterdir())


def is_at(me: Person, folder: Path, told: str) -> bool:
    return (folder / "told.txt").read_text() == told


def test_never_without_a_container_by_itself(somebody: MakePerson) -> None:
    me = somebody("local", normal=True)
    root = me.project("notebooks-only", "theirs")
    git(me, root, "init", "-q", "-b", "main")
    commit(me, root, {"told.txt": "one"})
    told = me.run("run-notebook", "-d", f"file://{root}").fails(2)
    assert "whatever you can" in told
    assert me.listed() == []


@pytest.mark.parametrize(
    "address",
    [
        "https://-oProxyCommand=x/y.git",
        "ssh://-oProxyCommand=x/y.git",
        "file:///nowhere/at/all.git",
        "https://127.0.0.1:9/y.git",
        "file:///nowhere/x$(touch pwned).git",
        "file:///nowhere/x.git@--upload-pack=touch",
        "file:///nowhere/x.git@a..b",
    ],
)
def test_addresses_that_lead_nowhere(ada: Person, address: str) -> None:
    ada.run("run-notebook", "-d", "--trust", address).fails(2)
    assert not [*ada.folder.rglob("pwned")]


def test_hooks_of_a_repository_are_not_carried_out(ada: Person, remote: Path) -> None:
    # What a template would bring: a hook in the clone that is there already.
    url = f"file://{remote}"
    ada.run("run-notebook", "--dry-run", url).ok()
    [project] = (ada.home / ".cache/workbench/repositories").iterdir()
    hook = project / ".git/hooks/post-checkout"
    ada.write(hook, f"#!/bin/sh\ntouch {ada.folder}/hooked\n")
    hook.chmod(0o755)
    commit(ada, remote, {"told.txt": "two"})
    ada.run("run-notebook", "--dry-run", url).ok()
    assert (project / "told.txt").read_text() == "two" and not (ada.folder / "hooked").exists()
