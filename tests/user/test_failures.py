"""What goes wrong: a cause, a next step, the right exit code, at most ten lines, and nothing left behind."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.person import MakePerson, Person
from support.require import require

LAUNCH = ("run-notebook", "-d", "--no-browser")


@pytest.fixture
def docker_user(somebody: MakePerson) -> Person:
    return somebody("docker", normal=True)


def nothing_left(me: Person) -> None:
    assert not me.containers()
    assert not [each for each in me.processes() if "workbench" in " ".join(each.cmdline())]


@contextmanager
def silent_engine(path: Path) -> Iterator[str]:
    """A socket that takes every connection and never says a word."""
    kept = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0o777)

        def accept() -> None:
            while True:
                try:
                    kept.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"unix://{path}"


def test_no_engine_at_the_address(docker_user: Person) -> None:
    project = docker_user.project("notebooks-only")
    wrong = {"DOCKER_HOST": f"unix://{docker_user.folder}/nothing.sock"}
    text = docker_user.run(*LAUNCH, "--engine", "docker", cwd=project, env=wrong).fails(3)
    assert "nothing.sock" in text or "DOCKER_HOST" in text
    nothing_left(docker_user)


def test_nonsense_in_docker_host(docker_user: Person) -> None:
    project = docker_user.project("notebooks-only")
    docker_user.run(*LAUNCH, cwd=project, env={"DOCKER_HOST": "nonsense::"}).fails(3)


def test_engine_that_hangs(docker_user: Person) -> None:
    project = docker_user.project("notebooks-only")
    with silent_engine(docker_user.folder / "hang.sock") as address:
        began = time.monotonic()
        docker_user.run(*LAUNCH, cwd=project, env={"DOCKER_HOST": address}).fails(3)
    assert time.monotonic() - began < 30


def test_no_permission_on_the_socket(docker_user: Person) -> None:
    project = docker_user.project("notebooks-only")
    with silent_engine(docker_user.folder / "closed.sock") as address:
        (docker_user.folder / "closed.sock").chmod(0o600)
        text = docker_user.run(*LAUNCH, cwd=project, env={"DOCKER_HOST": address}).fails(3)
    assert "does not let this user in" in text and "group" in text


def test_port_that_is_taken(user: Person) -> None:
    project = user.project("notebooks-only")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = user.run(*LAUNCH, "--port", str(port), cwd=project).fails(4)
    assert str(port) in text
    nothing_left(user)


def test_name_taken_by_a_foreign_container(docker_user: Person) -> None:
    project = docker_user.project("notebooks-only")
    bench = docker_user.launch(project)
    docker_user.run("workbench", "stop", cwd=project).ok()
    docker_user.run("workbench", "rm", cwd=project).ok()
    foreign = docker_user.engine.docker("create", "--name", bench.container, require("base-image"), "true").strip()
    try:
        text = docker_user.run(*LAUNCH, cwd=project).fails(4)
        assert bench.container in text
        assert docker_user.engine.inspect(foreign)["Id"] == foreign
    finally:
        docker_user.engine.docker("rm", foreign)


def test_build_that_fails_names_the_culprit(user: Person) -> None:
    project = user.project("requirements-only")
    first = user.launch(project)
    user.write(project / "requirements.txt", "there-is-no-such-package-as-this==1.0\n")
    text = user.run(*LAUNCH, "--restart", cwd=project).fails(4)
    assert "there-is-no-such-package-as-this" in text
    first.jupyter.run("import slugify")  # what existed before is still there


def test_pull_that_fails(docker_user: Person) -> None:
    project = docker_user.project("notebooks-only")
    missing = f"{require('registry')}/no/such/image:1"
    text = docker_user.run(*LAUNCH, "--image", missing, cwd=project).fails(4)
    assert missing in text
    nothing_left(docker_user)


def test_local_image_is_used_when_its_registry_is_gone(docker_user: Person) -> None:
    project = docker_user.project("requirements-only")
    name = "127.0.0.1:1/gone/base:1"
    docker_user.engine.docker("tag", require("base-image"), name)
    bench = docker_user.launch(project, "--image", name)
    bench.jupyter.run("import slugify")


def test_image_is_pulled_when_it_is_not_there(docker_user: Person) -> None:
    project = docker_user.project("requirements-only")
    name = f"{require('registry')}/bases/{os.getpid()}:1"
    docker_user.engine.docker("tag", require("base-image"), name)
    docker_user.engine.docker("push", "--quiet", name)
    docker_user.engine.docker("rmi", name)
    docker_user.launch(project, "--image", name).jupyter.run("import slugify")


PYPROJECT = '[project]\nname = "x"\nversion = "1"\n\n[tool.workbench]\n'

CONFIGURATIONS = [
    ('memry = "4g"\n', ("memry", "memory", "pyproject.toml")),
    ('memory = "lots"\n', ("memory", "lots", "pyproject.toml")),
    ('port = "eight"\n', ("port", "pyproject.toml")),
    ("image = \n", ("pyproject.toml",)),
]


@pytest.mark.parametrize(("line", "words"), CONFIGURATIONS)
def test_mistakes_in_the_configuration(line: str, words: tuple[str, ...], somebody: MakePerson) -> None:
    me = somebody("local")
    project = me.project()
    me.write(project / "pyproject.toml", PYPROJECT + line)
    text = me.run(*LAUNCH, cwd=project).fails(2)
    assert all(word in text for word in words), text
    nothing_left(me)


def test_unknown_flag_and_missing_path(somebody: MakePerson) -> None:
    me = somebody("local")
    assert me.run(*LAUNCH, "--no-such-flag").code == 2
    me.run(*LAUNCH, "no/such/folder").fails(2)


def test_folder_that_cannot_be_written(user: Person) -> None:
    project = user.project("notebooks-only")
    project.chmod(0o555)
    text = user.run(*LAUNCH, cwd=project).fails(2)
    project.chmod(0o755)
    assert str(project) in text
    nothing_left(user)


def test_folder_that_cannot_be_read(user: Person) -> None:
    project = user.project("notebooks-only")
    project.chmod(0)
    user.run(*LAUNCH, project).fails(2)
    project.chmod(0o755)
    nothing_left(user)


def test_mounts_outside_need_a_yes(docker_user: Person) -> None:
    project = docker_user.project()
    outside = docker_user.folder / "outside"
    outside.mkdir()
    docker_user.give(outside)
    mounts = f'mounts = ["{outside}:/data"]\n'
    docker_user.write(project / "pyproject.toml", PYPROJECT + mounts)
    text = docker_user.run(*LAUNCH, cwd=project).fails(2)
    assert str(outside) in text and "--trust" in text
    nothing_left(docker_user)
    docker_user.launch(project, "--trust").jupyter.run("open('/data/a.txt', 'w').write('1')")
    assert (outside / "a.txt").stat().st_uid == docker_user.ids[0]
    docker_user.run("workbench", "stop", cwd=project).ok()
    docker_user.launch(project)


def test_errors_as_json(somebody: MakePerson) -> None:
    me = somebody("local")
    told = me.run("run-notebook", "-d", "--json", "no/such/folder")
    assert told.code == 2
    assert told.json()["exit_code"] == 2 and told.json()["hint"]


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "XDG_STATE_HOME"])
@pytest.mark.parametrize("engine", ["docker", "local"])
def test_disk_that_is_full(engine: str, variable: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    project = me.project("notebooks-only")
    with full_disk(me.folder / "full") as folder:
        text = me.run(*LAUNCH, cwd=project, env={variable: str(folder)}).fails(4)
    assert "o space left" in text or "full" in text
    nothing_left(me)


@contextmanager
def full_disk(folder: Path) -> Iterator[Path]:
    """A small file system of its own with hardly any room."""
    require("user")  # which is there only where the set-up may do such things
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0755", "tmpfs", folder], check=True)
    try:
        room = os.statvfs(folder)
        (folder / "filling").write_bytes(b"0" * (room.f_bavail * room.f_frsize - 8192))
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


FORGETFUL = """\
#!/bin/sh
# The engine's own program, but its first {times} builds fail as when a build that shares a step is killed.
if [ "$1" = build ] && [ "$(ls {counted} | wc -l)" -lt {times} ]; then
    mktemp {counted}/XXXXXX > /dev/null
    echo "no active sessions" >&2
    exit 1
fi
exec {docker} "$@"
"""


@pytest.mark.parametrize(("times", "code"), [(2, 0), (3, 4)])
def test_a_build_that_the_engine_itself_spoils_is_done_again(somebody: MakePerson, times: int, code: int) -> None:
    me = somebody("docker", normal=True)
    program, counted = me.home / "bin/docker", me.home / "counted"
    me.write(program, FORGETFUL.format(times=times, counted=counted, docker=Path(require("docker-cli")) / "docker"))
    program.chmod(0o755)
    counted.mkdir()
    me.give(counted)
    path = {"PATH": f"{program.parent}:{me.environment({})['PATH']}"}
    ran = me.run(*LAUNCH, "--rebuild", cwd=me.project("notebooks-only"), env=path)
    assert ran.code == code, ran
    assert ran.err.count("Docker lost its hold on a step of the build: building again.") == 2, ran
    assert len([*counted.iterdir()]) == times
