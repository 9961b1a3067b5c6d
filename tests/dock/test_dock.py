"""The second machine is what the tests take it for: another engine behind ssh, locked down, with a cable to cut."""

import socket
import tarfile
import time
import urllib.request
from pathlib import Path

import pytest
from support.dock import AWS_LOGIN, LOCKED_LOGIN, alone
from support.engines import engine
from support.require import require

pytestmark = pytest.mark.xdist_group("dock")

NAME = "{{.Name}} {{.ID}}"
SSH = ("ssh", "dock")


@pytest.fixture
def dock():
    with alone() as found:
        yield found


@pytest.fixture(params=[False, True], ids=["root", "normal user"])
def person(request, somebody):
    return somebody("local", normal=request.param)


def test_ssh_leads_to_its_engine(dock, person):
    env = dock.give_ssh(person)
    found = person.run(*SSH, "docker", "info", "--format", f"'{NAME}'", env=env).ok().out.strip()
    assert found == dock.docker("info", "--format", NAME).strip()
    assert found.split()[0] == "dock"
    assert found != engine("docker").docker("info", "--format", NAME).strip()


def test_docker_speaks_to_it_over_ssh(dock, person):
    env = dock.give_ssh(person)
    found = person.run("/usr/bin/docker", "-H", "ssh://dock", "info", "--format", "{{.Name}}", env=env).ok()
    assert found.out.strip() == "dock"


def test_it_has_the_programs_of_a_transfer_and_not_the_projects_of_this_machine(dock, person):
    env, project = dock.give_ssh(person), person.project(name="here")
    assert person.run(*SSH, "which", "docker", "zstd", "rsync", env=env).ok().out.split()[0] == "/usr/bin/docker"
    assert person.run(*SSH, "test", "-e", str(project), env=env).code == 1
    person.write(project / "a.txt", "a\n")
    person.run("rsync", "-a", "here", "dock:", env=env).ok()
    assert person.run(*SSH, "cat", "here/a.txt", env=env).ok().out == "a\n"


def test_a_wrong_host_key_is_refused(dock, person):
    env = dock.give_ssh(person)
    address, kind, _ = (dock.ssh / "known_hosts").read_text().split()[:3]
    other = (dock.ssh / "id_ed25519.pub").read_text().split()[1]
    person.write(person.home / ".ssh/known_hosts", f"{address} {kind} {other}\n")
    refused = person.run(*SSH, "true", env=env)
    assert refused.code == 255
    assert "Host key verification failed" in refused.err


def test_without_the_key_nobody_comes_in(dock, person):
    env = dock.give_ssh(person)
    (person.home / ".ssh/id_ed25519").unlink()
    refused = person.run(*SSH, "-o", "BatchMode=yes", "true", env=env)
    assert refused.code == 255
    assert "Permission denied (publickey)" in refused.err


def test_a_port_that_is_published_there_answers_here(dock):
    serve = ("run", "--detach", "--publish", "8123:8000", require("base-image"), "python3", "-m", "http.server", "8000")
    container = dock.docker(*serve).strip()
    try:
        assert answer(f"http://{dock.address}:8123/") == 200
    finally:
        dock.docker("rm", "--force", container)


def test_it_is_locked_down(dock):
    run = ("run", "--rm", "--network", "host", require("base-image"), "cat", "/proc/net/route")
    destinations = {line.split()[1] for line in dock.docker(*run).splitlines()[1:]}
    assert destinations and "00000000" not in destinations


def test_its_registry_wants_a_password(dock, tmp_path):
    check_lock(dock.engine, require("dock-registry"), AWS_LOGIN, tmp_path)


def test_the_locked_registry_wants_a_password(tmp_path):
    check_lock(engine("docker"), require("locked-registry"), LOCKED_LOGIN, tmp_path)


def test_what_crosses_the_cable_is_counted(dock, person):
    env, before = dock.give_ssh(person), dock.crossed()
    person.run(*SSH, "head", "-c", "1000000", "/dev/zero", env=env).ok()
    assert 1_000_000 < dock.crossed() - before < 1_200_000


def test_the_cable_can_be_cut(dock):
    with dock.cut(), pytest.raises(TimeoutError):
        socket.create_connection((dock.address, 22), timeout=1)
    socket.create_connection((dock.address, 22), timeout=5).close()


def answer(url):
    for _ in range(50):
        try:
            with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - http, to the dock
                return response.status
        except OSError:
            time.sleep(0.1)
    return None


def check_lock(there, registry, login, folder: Path):
    """A push fails, and works after `docker login`."""
    image, config = f"{registry}/thing:1", ("--config", str(folder))
    there.docker("import", str(archive(folder)), image)
    try:
        with pytest.raises(AssertionError, match="no basic auth credentials"):
            there.docker(*config, "push", image)
        name, password = login
        there.docker(*config, "login", "--username", name, "--password", password, registry)
        assert "digest: sha256:" in there.docker(*config, "push", image)
    finally:
        there.docker("rmi", image)


def archive(folder: Path) -> Path:
    """The root file system of a small image."""
    path = folder / "image.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(__file__, "a.txt")
    return path
