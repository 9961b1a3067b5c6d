"""`run-image` and `build-image` at a real terminal, and what ends them."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from support.images import CFG, Images, project, tidied
from support.person import MakePerson
from support.terminal import Terminal, terminal

# Names of images are the same for all who build here.
pytestmark = pytest.mark.xdist_group("images-terminal")

SHELL = ("--", "bash", "--norc")


@pytest.fixture(scope="module", params=["docker", "podman"])
def images(request: pytest.FixtureRequest, somebody_for_long: MakePerson) -> Iterator[Images]:
    """A project whose image is built, on either engine."""
    with tidied(somebody_for_long(request.param, normal=request.param == "docker")) as me:
        found = project(me, "typing", {"docker/dev/Dockerfile": "FROM BASE\nENV PS1='ready> '\n"})
        found.build("dev").ok()
        yield found


def awaited(look: Callable[[], object], seconds: float = 30) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


def test_a_terminal(images: Images) -> None:
    with terminal(images.me, "run-image", "dev", *SHELL, cwd=images.root, rows=33, columns=101) as (screen, child):
        screen.wait_for("ready> ")
        screen.type("tty\n")
        screen.wait_for(r"/dev/pts/\d+\r\n")
        for rows, columns in ((33, 101), (40, 120)):
            screen.resize(rows, columns)
            # The engine tells it in its own time.
            screen.type(f"until [ \"$(stty size)\" = '{rows} {columns}' ]; do sleep 0.05; done; echo si''zed\n")
            screen.wait_for("sized")
        screen.type("sh -c 'echo be\"\"gun; exec sleep 1000'\n")
        screen.wait_for("begun")
        screen.type("\x03")
        screen.wait_for("ready> ")
        screen.type("echo in''terrupted $?\n")
        screen.wait_for("interrupted 130")
        screen.type("exit 7\n")
        assert child.wait(30) == 7
    awaited(lambda: not images.me.containers())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("at_terminal", [True, False], ids=["terminal", "pipe"])
def test_a_signal_ends_the_container(at_terminal: bool, number: int, images: Images) -> None:
    me, words = images.me, ("run-image", "dev", "--", "sh", "-c", "echo be''gun; exec sleep 1000")
    if at_terminal:
        with terminal(me, *words, cwd=images.root) as (screen, child):
            screen.wait_for("begun")
            during = screen.modes()
            os.kill(child.pid, number)
            assert child.wait(30) == 128 + number
            # The shell that follows has its echo and its Ctrl-C again.
            assert screen.modes() == Terminal().modes() != during
    else:
        child = me.start(*words, cwd=images.root)
        assert child.stdout and child.stdout.readline() == "begun\n"
        os.kill(child.pid, number)
        assert me.wait(child, timeout=30).code == 128 + number
    awaited(lambda: not me.containers())


def test_a_closed_window_ends_the_container(images: Images) -> None:
    with terminal(images.me, "run-image", "dev", *SHELL, cwd=images.root) as (screen, child):
        screen.wait_for("ready> ")
        screen.close()
        child.wait(30)
    awaited(lambda: not images.me.containers())


def test_without_a_terminal_ctrl_c_ends_it(images: Images) -> None:
    me = images.me
    with terminal(
        me, "bash", "-c", "run-image dev -- sh -c 'echo be\"\"gun; exec sleep 1000' < /dev/null", cwd=images.root
    ) as (screen, child):
        screen.wait_for("begun")
        screen.type("\x03")
        assert child.wait(30) in (130, -signal.SIGINT)
    awaited(lambda: not me.containers())


def test_a_question_at_the_terminal(images: Images) -> None:
    images.write({CFG: "[dev]\npre_build_script=touch made\n"})
    made = images.root / "made"
    with terminal(images.me, "build-image", "dev", cwd=images.root) as (screen, child):
        screen.wait_for("before each build: touch made")
        screen.wait_for(r"Allow it\? \[y/N\] ")
        screen.type("n\n")
        screen.wait_for("nobody has approved it")
        assert child.wait(30) == 2 and not made.exists()
    with terminal(images.me, "build-image", "dev", cwd=images.root) as (screen, child):
        screen.wait_for(r"Allow it\? \[y/N\] ")
        screen.type("y\n")
        screen.wait_for("Built typing-dev:")
        assert child.wait(30) == 0 and made.exists()
