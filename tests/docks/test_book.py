"""The list of docks, as a file of the user's."""

import hashlib
import json
import stat
from pathlib import Path

import pytest

from workbench.docks.book import Book, Dock
from workbench.errors import ConfigError, DockError
from workbench.ssh import Host

BOX = Dock("box", Host("ada@gpu-1", 2222))


def test_what_is_added_is_there_until_it_is_removed(tmp_path: Path) -> None:
    book = Book(tmp_path / "config")
    assert book.docks() == {}
    book.add(BOX)
    book.add(Dock("cloud", Host("ec2-user@198.51.100.7"), {"provider": "aws", "id": "i-1"}))
    assert Book(tmp_path / "config").docks() == {"box": BOX, "cloud": book.find("cloud")}
    assert book.find("cloud").cloud == {"provider": "aws", "id": "i-1"}
    assert book.remove("box") == BOX
    assert list(book.docks()) == ["cloud"]
    assert stat.S_IMODE((tmp_path / "config/docks.json").stat().st_mode) == 0o600


def test_a_name_that_is_not_on_the_list_is_one_that_ssh_knows(tmp_path: Path) -> None:
    assert Book(tmp_path).find("gpubox") == Dock("gpubox", Host("gpubox"))
    assert Book(tmp_path).find("ada@10.0.0.1:2222").host == Host("ada@10.0.0.1", 2222)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.add(BOX)
    book.add(BOX)
    with pytest.raises(ConfigError, match="is a dock already"):
        book.add(Dock("box", Host("other")))
    book.replace(Dock("box", Host("other")))
    assert book.find("box").host == Host("other")
    with pytest.raises(ConfigError, match="not on the list"):
        book.remove("nobody")


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "$(x)", "a;b", "a\n", "é", "x" * 64])
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a dock"):
        Book(tmp_path).add(Dock(name, Host("h")))


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"docks": []}', '{"docks": {"a": {}}}', '{"docks": {"-a": {"host": "h"}}}']
)
def test_a_file_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "docks.json").write_text(text)
    with pytest.raises(ConfigError, match="not"):
        Book(tmp_path).docks()


@pytest.mark.parametrize("host", ["-oProxyCommand=x", "a b", "h;x"])
def test_hosts_in_the_file_are_checked(tmp_path: Path, host: str) -> None:
    (tmp_path / "docks.json").write_text(json.dumps({"docks": {"a": {"host": host}}}))
    with pytest.raises(ConfigError, match="the dock 'a' is not valid"):
        Book(tmp_path).docks()
    with pytest.raises(DockError):
        Book(tmp_path / "other").find(host)


def _context(docker: Path, name: str, url: str, folder: str = "") -> None:
    place = docker / "contexts/meta" / (folder or hashlib.sha256(name.encode()).hexdigest())
    place.mkdir(parents=True)
    (place / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": url}}}))


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own folder of Docker's."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return tmp_path / "docker"


def test_contexts_by_ssh_come_after_the_list(tmp_path: Path, docker: Path) -> None:
    book = Book(tmp_path)
    book.add(BOX)
    _context(docker, "box", "ssh://other")
    _context(docker, "far", "ssh://ada@gpu-2:2222")
    _context(docker, "near", "unix:///var/run/docker.sock")
    _context(docker, "a b", "ssh://h")
    _context(docker, "false", "ssh://h", folder="0")
    assert book.all() == {"box": BOX, "far": Dock("far", Host("ada@gpu-2", 2222))}
    assert (book.find("box"), book.find("far").host, book.find("near").host) == (
        BOX,
        Host("ada@gpu-2", 2222),
        Host("near"),
    )


@pytest.mark.parametrize(
    "url", ["ssh://h/run/docker.sock", "ssh://-oProxyCommand=x", "ssh://a:b@h", "ssh://", "ssh://h?x"]
)
def test_a_context_that_ssh_cannot_take_is_not_looked_for_elsewhere(tmp_path: Path, docker: Path, url: str) -> None:
    _context(docker, "far", url)
    assert Book(tmp_path).all() == {}
    with pytest.raises(DockError, match="context far goes to ssh://"):
        Book(tmp_path).find("far")


@pytest.mark.parametrize(
    ("host", "context", "name"),
    [
        (Host("ada@gpu-2"), "far", "far"),
        (Host("ada@gpu-2"), "", "ada@gpu-2"),
        (Host("ada@gpu-1", 2222), "", "ada@gpu-1:2222"),
        # Names of other machines.
        (Host("ada@gpu-2"), "box", "ada@gpu-2"),
        (Host("box2"), "", "called"),
    ],
)
def test_a_machine_is_called_by_what_finds_it_again(
    tmp_path: Path, docker: Path, host: Host, context: str, name: str
) -> None:
    book = Book(tmp_path)
    book.add(BOX)
    book.add(Dock("box2", Host("elsewhere")))
    book.add(Dock("called", Host("box2")))
    _context(docker, "far", "ssh://ada@gpu-2")
    found = book.at(host, context)
    assert found.name == name
    assert book.find(found.name).host == host


def test_a_machine_that_cannot_be_found_again_is_refused(tmp_path: Path, docker: Path) -> None:
    book = Book(tmp_path)
    book.add(BOX)
    with pytest.raises(ConfigError, match="box is a dock already"):
        book.at(Host("box"))
