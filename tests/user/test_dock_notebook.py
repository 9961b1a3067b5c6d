"""`run-notebook --dock`: the workbench on the second machine, the project here, and what becomes of both."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from support.dock import Dock, alone
from support.person import MakePerson, Person, Workbench
from websocket import WebSocketException

pytestmark = pytest.mark.xdist_group("dock")
PATIENCE = 60.0


@dataclass(frozen=True)
class There:
    """Somebody with a project, and the dock that its workbench is to run on."""

    person: Person
    dock: Dock
    env: dict[str, str | None]
    project: Path

    def run(self, *argv: str, code: int = 0) -> str:
        done = self.person.run(*argv, cwd=self.project, env=self.env)
        assert done.code == code, str(done)
        return done.out

    def launch(self, *options: str) -> Workbench:
        return self.person.launch(self.project, "--dock", "dock", *options, env=self.env)

    @property
    def copy(self) -> Path:
        """The project's copy there."""
        [found] = (self.dock.home(self.person) / ".local/share/workbench/projects").iterdir()
        return found

    def write(self, name: str, text: str) -> None:
        self.person.write(self.project / name, text)

    def write_there(self, name: str, text: str) -> None:
        path = self.copy / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        os.chown(path, *self.person.ids)
        os.chown(path.parent, *self.person.ids)

    def sync(self) -> dict[str, object]:
        """What is known of how it goes."""
        found: dict[str, object] = json.loads(self.run("workbench", "sync", "--json"))
        return found

    def helpers(self) -> list[str]:
        """What we have running here for it."""
        words = []
        for each in self.person.processes():
            with suppress(psutil.Error):
                words.append(" ".join(each.cmdline()[:6]))
        return [line for line in words if any(name in line for name in ("ssh ", "workbench.", "unison"))]

    def wait_until_nothing_runs(self) -> None:
        """Nothing of ours here any more."""
        deadline = time.monotonic() + PATIENCE
        while left := self.helpers():
            assert time.monotonic() < deadline, left
            time.sleep(0.1)

    def wait_for(self, *words: str) -> None:
        """A process with these words is there."""
        deadline = time.monotonic() + PATIENCE
        while not self.pids(*words):
            assert time.monotonic() < deadline, (words, self.helpers())
            time.sleep(0.1)

    def pids(self, *names: str) -> list[int]:
        """Processes of ours whose command line has all of these words in it."""
        found = []
        for each in psutil.process_iter():
            with suppress(psutil.Error):
                mine = each.uids().real == self.person.ids[0]
                if mine and all(any(name in word for word in each.cmdline()) for name in names):
                    found.append(each.pid)
        return found


def until(what: Callable[[], object], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def computes(running: Workbench) -> bool:
    """Whether a kernel computes; not yet where the port is still on its way back."""
    try:
        return "7" in running.jupyter.run("print(3 + 4)")
    except (OSError, WebSocketException):
        return False


def reads(path: Path, text: str) -> Callable[[], bool]:
    return lambda: path.exists() and path.read_text() == text


@pytest.fixture
def there(somebody: MakePerson) -> Iterator[There]:
    person = somebody("docker", normal=True)
    with alone() as dock, dock.online():
        project = person.project("setup-only", name="far away")
        env = {**dock.give_ssh(person), "DOCKER_HOST": None, "WORKBENCH_ENGINE": None}
        found = There(person, dock, env, project)
        try:
            yield found
        finally:
            for line in dock.docker("ps", "--all", "--quiet", "--filter", "label=io.workbench.dock").split():
                dock.docker("rm", "--force", "--volumes", line)
            found.wait_until_nothing_runs()
            # All people of the tests are one account there.
            shutil.rmtree(dock.home(person) / ".local", ignore_errors=True)


def test_the_workbench_runs_there_and_the_project_is_here(there: There) -> None:
    there.write("here.txt", "from here")
    running = there.launch()
    # On the other engine, in the copy, as the user of there, and published on loopback only.
    found = json.loads(there.dock.docker("inspect", running.container))[0]
    assert found["Config"]["User"] == ":".join(map(str, there.person.ids))
    assert [each["Source"] for each in found["Mounts"] if each["Type"] == "bind"] == [str(there.copy)]
    assert {each["HostIp"] for port in found["NetworkSettings"]["Ports"].values() for each in port} == {"127.0.0.1"}
    [listed] = json.loads(there.run("workbench", "ps", "--json"))
    assert (listed["dock"], listed["status"], listed["project"]) == ("dock", "running", str(there.project))
    assert there.run("workbench", "url").strip() == running.url
    # A kernel there has what was written here, and the project installed live.
    assert "from here" in running.jupyter.run("print(open('here.txt').read())")
    # Live both ways.
    there.write("module.py", "answer = 42\n")
    until(reads(there.copy / "module.py", "answer = 42\n"))
    running.jupyter.run("open('result.txt', 'w').write('from there')")
    until(reads(there.project / "result.txt", "from there"))
    assert (there.project / "result.txt").stat().st_uid == there.person.ids[0]
    # The everyday verbs.
    assert there.run("workbench", "exec", "--", "cat", "here.txt") == "from here"
    assert running.name in there.run("workbench", "logs")
    assert running.name in there.run("workbench", "stats")
    assert "same, both ways" in there.run("workbench", "sync", "--wait") + there.run("workbench", "sync")
    assert "docker on dock" in there.run("workbench", "ps")
    restarted = there.run("workbench", "restart").strip()
    assert restarted == running.url
    until(lambda: computes(running))
    # A second launch is the same workbench.
    assert there.launch().url == running.url
    # What is written last is here when it has stopped, and nothing of ours stays.
    running.jupyter.run("open('last.txt', 'w').write('last words')")
    there.run("workbench", "stop")
    assert (there.project / "last.txt").read_text() == "last words"
    there.wait_until_nothing_runs()
    [listed] = json.loads(there.run("workbench", "ps", "--all-docks", "--json"))
    assert listed["status"] == "stopped"
    assert there.launch().url == running.url
    for number in range(2000):
        (there.project / f"many/{number}").mkdir(parents=True)
        (there.project / f"many/{number}/file").write_text("mine")
    there.person.give(there.project)
    there.run("workbench", "sync", "--wait")
    there.run("workbench", "rm", "--force", "--copy")
    # What goes there is nothing that was deleted: whoever still looked at both sides would do so within a second.
    time.sleep(3)
    assert len(list((there.project / "many").glob("*/file"))) == 2000
    assert not list((there.dock.home(there.person) / ".local/share/workbench/projects").iterdir())
    assert not there.dock.docker("ps", "--all", "--quiet", "--filter", "label=io.workbench.dock").strip()
    assert not [path for path in there.project.rglob("*") if ".unison" in path.name]


def test_both_copies_of_a_conflict_are_kept_and_named(there: There) -> None:
    there.write("both.txt", "before")
    there.write("gone.txt", "before")
    there.launch()
    with there.dock.cut():
        there.write("both.txt", "from here")
        (there.project / "gone.txt").unlink()
        time.sleep(1.5)  # the later one is the newer one
        there.write_there("both.txt", "from there")
        there.write_there("gone.txt", "changed there")
        time.sleep(8)  # longer than the silence by which a link is given up
    until(reads(there.project / "both.txt", "from there"))

    def texts(folder: Path) -> set[str]:
        return {path.read_text() for path in folder.glob("*.txt")}

    for folder in (there.project, there.copy):
        until(lambda folder=folder: {"from here", "from there", "changed there"} <= texts(folder))  # type: ignore[misc]
    assert "both.txt" in str(there.sync()["conflicts"])
    assert "both.txt" in there.run("workbench", "sync")


def test_what_is_ignored_stays_on_its_own_side(there: There) -> None:
    there.write(".gitignore", "*.ckpt\n/build/\n!keep.ckpt\n")
    there.write(".dockerignore", "data\n")
    there.write("workbench.toml", '[sync]\nexclude = ["*.tmp"]\n')
    for name in ("a.ckpt", "keep.ckpt", "build/x", "data/y", "b.tmp", "src/build/z", "src/data/w", ".git/config"):
        there.write(name, name)
    there.launch()
    found = {path.relative_to(there.copy).as_posix() for path in there.copy.rglob("*") if path.is_file()}
    assert {"keep.ckpt", "src/build/z", "src/data/w"} <= found
    assert not {"a.ckpt", "build/x", "data/y", "b.tmp", ".git/config"} & found
    there.write_there("build/made", "there")
    there.write_there("c.txt", "there")
    until(reads(there.project / "c.txt", "there"))
    assert not (there.project / "build/made").exists()


CUTS = [float(each) for each in os.environ.get("WORKBENCH_TEST_CUTS", "4 11").split()]


def test_nothing_is_lost_when_the_link_is_cut(there: There) -> None:
    running = there.launch()
    for number, seconds in enumerate(CUTS):
        with there.dock.cut():
            there.write(f"here{number}.txt", "here")
            there.write_there(f"there{number}.txt", "there")
            time.sleep(seconds)
        back = time.monotonic()
        until(reads(there.copy / f"here{number}.txt", "here"))
        until(reads(there.project / f"there{number}.txt", "there"))
        until(lambda: computes(running))
        print(f"cut of {seconds} s: all is the same again after {time.monotonic() - back:.1f} s")
        assert len(there.pids("ssh", "exec cat")) <= 1
    there.run("workbench", "stop")
    there.wait_until_nothing_runs()


def test_whoever_is_killed_is_replaced(there: There) -> None:
    running = there.launch()
    for number, words in enumerate(
        [["docks.keeper"], ["docks.sync.keeper"], ["unison", "-repeat", str(there.project)], ["exec cat"]]
    ):
        there.wait_for(*words)
        for pid in there.pids(*words):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        there.write(f"here{number}.txt", "here")
        there.write_there(f"there{number}.txt", "there")
        until(reads(there.copy / f"here{number}.txt", "here"))
        until(reads(there.project / f"there{number}.txt", "there"))
        until(lambda: computes(running))
    for pid in there.pids("workbench.agent"):
        os.kill(pid, signal.SIGKILL)
    # The tunnel goes with its last holder; a launch has all of it again.
    there.wait_until_nothing_runs()
    assert there.launch().url == running.url


def test_a_launcher_that_is_killed_leaves_one_workbench_at_most(there: There) -> None:
    there.launch()
    there.run("workbench", "rm", "--force")
    for delay in (0.2, 0.5, 0.8, 1.1, 1.5, 2.0):
        child = there.person.start("run-notebook", "--dock", "dock", "-d", "--json", cwd=there.project, env=there.env)
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        child.wait()
    running = there.launch()
    assert "7" in running.jupyter.run("print(3 + 4)")
    assert len(there.dock.docker("ps", "--all", "--quiet", "--filter", "label=io.workbench.dock").split()) == 1
    assert len(there.pids("docks.sync.keeper")) == len(there.pids("exec cat")) == 1


def test_an_image_that_was_built_here_is_sent(there: There) -> None:
    """The dock needs no way to packages then; here Docker builds it, as a user with Docker has it."""
    env = {**there.env, **there.person.engine.env, "WORKBENCH_ENGINE": None}
    done = there.person.run("run-notebook", "--dock", "dock", "--ship", "-d", "--json", cwd=there.project, env=env).ok()
    assert "Send " in done.err
    [name] = there.dock.docker("ps", "--format", "{{.Image}}", "--filter", "label=io.workbench.dock").split()
    assert name == done.json()["image"]
    there.person.run("docker", "image", "rm", "--force", name, env=env)
    again = there.person.run(
        "run-notebook", "--dock", "dock", "--ship", "-d", "--json", cwd=there.project, env=there.env
    )
    assert again.ok().json()["url"] == done.json()["url"]


def test_a_wrong_host_key_gets_nothing(there: There) -> None:
    known = there.person.home / ".ssh/known_hosts"
    there.person.write(known, known.read_text().replace("AAAA", "AAAB", 1))
    said = there.person.run("run-notebook", "--dock", "dock", cwd=there.project, env=there.env).fails(6)
    assert "Host key verification failed" in said
    assert not (there.dock.home(there.person) / ".local").exists()
