"""Services beside a workbench, as somebody types it, on real engines with the Compose that people have."""

import itertools
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest
import yaml
from support.engines import Container
from support.images import hostile
from support.person import MakePerson, Person, Workbench, workbench
from support.require import require
from support.services import IDLE, Beside, beside, with_compose

from workbench.engines.ports import free_port

Make = Callable[..., Beside]

TIDES = """
services:
  prepare:
    image: BASE
    command: ["sh", "-c", "echo prepared > /data/prepared; chmod 777 /data /ipc"]
    volumes: ["data:/data", "ipc:/ipc"]
  db:
    image: BASE
    init: true
    command: ["python3", "-uc", "{db}"]
    depends_on:
      prepare: {{condition: service_completed_successfully}}
    healthcheck: {{test: ["CMD", "test", "-e", "/tmp/well"], interval: 1s, retries: 30}}
    env_file: db.env
    environment: {{FLAVOUR: "$FLAVOUR", UNSAID: "${{UNSAID:-usual}}"}}
    volumes: ["data:/data", "ipc:/ipc"]
  web:
    image: BASE
    init: true
    command: ["python3", "-m", "http.server", "8000", "--directory", "/data"]
    depends_on:
      db: {{condition: service_healthy}}
    volumes: ["data:/data:ro"]
  other:
    image: BASE
    init: true
    command: ["sleep", "100000"]
  night:
    image: BASE
    init: true
    command: ["sleep", "100000"]
    profiles: ["nightly"]
volumes: {{data: , ipc: }}
"""
DB = """
import os, pathlib, socket, time
server = socket.socket(socket.AF_UNIX)
pathlib.Path('/ipc/db.sock').unlink(missing_ok=True)
server.bind('/ipc/db.sock')
os.chmod('/ipc/db.sock', 0o777)
server.listen()
print('db listens')
time.sleep(1.5)
pathlib.Path('/tmp/well').touch()
while True:
    link, _ = server.accept()
    link.sendall(' '.join(os.environ[name] for name in ('FLAVOUR', 'UNSAID', 'COLOUR')).encode())
    link.close()
"""
USES = """
[tool.workbench.services.web]
env = {{ WEB = "http://web:8000", {odd} }}

[tool.workbench.services.db]
volumes = {{ data = "/mnt/data", ipc = "/mnt/ipc" }}
"""
ODD_VALUES = {f"V{number}": text for number, text in enumerate(itertools.islice(hostile(), 28))}
NUMBER = itertools.count(1)
WANTED = "[tool.workbench.services.{}]\n"
PATIENCE = 60.0
NEVER = {"healthcheck": {"test": ["CMD", "false"], "interval": "1s", "retries": 100}}
ODD = {**IDLE, "command": ["sh", "-c", "exit 3"], "healthcheck": {"test": ["CMD", "true"]}}
PRIVILEGED = {**IDLE, "privileged": True}
SECRET = {"SECRET": "s3cr3t"}
NIGHT = {**IDLE, "profiles": ["nightly"]}
PREPARES = {**IDLE, "command": ["true"]}
DONE = {"condition": "service_completed_successfully"}
FETCH = """
import os, time, urllib.error, urllib.request
for left in range(99, -1, -1):
    try:
        print(urllib.request.urlopen(os.environ["WEB"] + "/prepared").read().decode(), end="")
        break
    except urllib.error.URLError:
        # Until it listens.
        time.sleep(0.1)
        if not left:
            raise
"""


def grouped(name: str) -> Any:
    """A kind of engine: those of one share names for Compose."""
    return pytest.param(name, marks=pytest.mark.xdist_group(f"services-{name[:6]}"))


@pytest.fixture(scope="module", params=[grouped("docker")])
def me(request: pytest.FixtureRequest, somebody_for_long: MakePerson) -> Person:
    """A normal user with Docker and Compose 2."""
    return with_compose(somebody_for_long(request.param, normal=True))


@pytest.fixture
def make(me: Person) -> Iterator[Make]:
    """Make projects, of which nothing is left at the end."""
    with ExitStack() as end:
        yield _maker(me, end)


def _maker(me: Person, end: ExitStack) -> Make:
    def make(name: str) -> Beside:
        # Compose calls a project as its folder.
        found = beside(me, f"{name}-{next(NUMBER)}")
        end.callback(found.clear)
        end.callback(lambda: me.engine.remove(each for each in me.containers() if each.project == str(found.root)))
        return found

    return make


def tides(found: Beside) -> Beside:
    """With a chain of services, and one that ran before."""
    odd = ", ".join(f"{name} = {json.dumps(text)}" for name, text in ODD_VALUES.items()).replace("\x7f", "\\u007f")
    found.write(TIDES.format(db=DB.replace("\n", "\\n")), USES.format(odd=odd))
    found.me.write(found.root / ".env", "FLAVOUR=salt\n")
    found.me.write(found.root / "db.env", "COLOUR=grey green\n")
    found.compose("up", "-d", "other")
    return found


@pytest.fixture(scope="module")
def shared(me: Person) -> Iterator[tuple[Beside, Workbench, str]]:
    """The chain beside a running workbench, which no test changes; what the launch wrote."""
    with ExitStack() as end:
        found = tides(_maker(me, end)("tides-shared"))
        started = found.run("--json", "--with", "other").ok()
        yield found, workbench(started.json()), started.err


def when(said: str) -> datetime:
    return datetime.fromisoformat(said)


def test_each_starts_once_those_that_it_needs_are_as_it_needs_them(shared: tuple[Beside, Workbench, str]) -> None:
    found, _, said = shared
    assert found.states() == {"prepare": "exited", "db": "running", "web": "running", "other": "running"}
    prepare, db, web = (found.container(name)["State"] for name in ("prepare", "db", "web"))
    assert prepare["ExitCode"] == 0 and when(prepare["FinishedAt"]) < when(db["StartedAt"])
    well = min(when(each["End"]) for each in db["Health"]["Log"] if each["ExitCode"] == 0)
    assert db["Health"]["Status"] == "healthy" and well < when(web["StartedAt"])
    steps = re.findall(r"^  ((?:Start|Wait for) \w+) …", said, re.M)
    assert [each for each in steps if each.startswith("Start ")] == ["Start prepare", "Start db", "Start web"]
    assert "Wait for db" in steps


def test_a_second_call_starts_nothing_again(shared: tuple[Beside, Workbench, str]) -> None:
    found, bench, _ = shared
    before = {name: begun(found, name) for name in found.states()}
    again = found.run("--json", "--with", "other").ok()
    assert again.json()["container"] == bench.container and "start " not in again.err
    # What has done its work before others could start has done it.
    assert {name: begun(found, name) for name in found.states()} == before


def test_reached_by_name_with_the_variables_that_say_so(shared: tuple[Beside, Workbench, str]) -> None:
    _, bench, _ = shared
    assert bench.jupyter.run(FETCH) == "prepared\n"
    socket = "import socket; print(socket.create_connection(('db', 80), timeout=5))"
    with bench.jupyter.kernel() as kernel:
        # It is there, and says that nothing listens.
        assert kernel.run(socket).error.startswith("ConnectionRefusedError")


def test_values_of_variables_are_data(shared: tuple[Beside, Workbench, str]) -> None:
    _, bench, _ = shared
    cell = f"import json, os; print(json.dumps({{name: os.environ[name] for name in {[*ODD_VALUES]}}}))"
    assert json.loads(bench.jupyter.run(cell)) == ODD_VALUES


def test_a_volume_is_shared_both_ways(shared: tuple[Beside, Workbench, str]) -> None:
    _, bench, _ = shared
    cell = """
import os, pathlib, urllib.request
print(pathlib.Path("/mnt/data/prepared").read_text(), end="")
pathlib.Path("/mnt/data/asked").write_text("from the notebook")
print(urllib.request.urlopen(os.environ["WEB"] + "/asked").read().decode())
"""
    assert bench.jupyter.run(cell) == "prepared\nfrom the notebook\n"


def test_a_socket_in_a_shared_volume_and_values_of_env_files(shared: tuple[Beside, Workbench, str]) -> None:
    _, bench, _ = shared
    cell = """
import socket
link = socket.socket(socket.AF_UNIX)
link.connect("/mnt/ipc/db.sock")
print(link.makefile().read())
"""
    assert bench.jupyter.run(cell) == "salt usual grey green\n"


def test_what_there_is_is_listed(shared: tuple[Beside, Workbench, str]) -> None:
    found, _, _ = shared
    rows = [line.split() for line in found.services().ok().out.splitlines()]
    assert [(row[0], row[1], row[-1]) for row in rows[1:]] == [
        ("db", "healthy", "yes"),
        ("night", "-", "-"),
        ("other", "running", "-"),
        ("prepare", "stopped", "yes"),
        ("web", "running", "yes"),
    ]
    told = {each["service"]: each for each in found.services("ls", "--json").ok().json()}
    assert {name for name, each in told.items() if each["ours"]} == {"prepare", "db", "web"}
    [db] = told["db"]["containers"]
    assert db["id"] == found.container("db")["Id"] and db["health"] == "healthy"
    assert told["night"]["containers"] == []
    # Compose by itself finds the same ones.
    assert set(found.compose("ps", "--services").out.split()) == {"db", "other", "web"}


def test_the_log_and_a_command(shared: tuple[Beside, Workbench, str]) -> None:
    found, _, _ = shared
    said = found.services("logs", "db").ok().out
    # Compose 2.26 clears the line all the same.
    assert "db listens" in said and not re.search(r"\x1b\[\d*m", said)
    assert "db listens" not in found.services("logs", "-n", "5", "web", "other").ok().out
    assert found.services("exec", "db", "--", "cat", "/data/prepared").ok().out == "prepared\n"
    assert found.services("exec", "db", "sh", "-c", "exit 7").code == 7


def test_the_dry_run_prints_what_would_be_done(me: Person, make: Make) -> None:
    found = make("dry")
    found.write({"web": {**IDLE, "depends_on": ["db"]}, "db": IDLE}, WANTED.format("web"))
    text = found.run("--dry-run").ok().out
    assert "\ndocker compose up -d web\n" in text
    assert re.search(rf"^docker network connect {found.root.name}_default \S+$", text, re.M)
    assert found.states() == {} and not of(me, found)


def of(me: Person, found: Beside) -> list[Container]:
    """The workbench's containers, in any state."""
    return [each for each in me.containers() if each.project == str(found.root)]


@pytest.mark.parametrize(
    ("names", "environ", "dotenv", "wanted"),
    [
        ("a,b", {}, "", {"a", "b"}),
        ("b,night", {}, "", {"b", "night"}),
        ("all", {}, "", {"a", "b"}),
        ("all", {"COMPOSE_PROFILES": "nightly,x"}, "", {"a", "b", "night"}),
        ("all", {}, "COMPOSE_PROFILES=weekly\n", {"a", "b", "week"}),
        ("all", {"COMPOSE_PROFILES": "*"}, "", {"a", "b", "night", "week"}),
    ],
)
def test_with(names: str, environ: dict[str, str], dotenv: str, wanted: set[str], me: Person, make: Make) -> None:
    found = make("with")
    found.write({"a": IDLE, "b": IDLE, "night": NIGHT, "week": {**IDLE, "profiles": ["weekly"]}})
    me.write(found.root / ".env", dotenv)
    text = found.run("--dry-run", "--with", names, env=environ).ok().out
    [up] = re.findall("^docker compose (.*)", text, re.M)
    assert {word for word in up.split() if word in ("a", "b", "night", "week")} == wanted


HERE = """
[tool.workbench.services.web]
env = { WEB = "http://web:8000" }
"""
PAIR = {
    "db": {**IDLE, "healthcheck": {"test": ["CMD", "true"], "interval": "1s"}},
    "web": {
        **IDLE,
        "command": ["sh", "-c", "cd /srv; echo prepared > prepared; exec python3 -m http.server 8000"],
        "depends_on": {"db": {"condition": "service_healthy"}},
    },
    "other": IDLE,
}


def pair(make: Make, name: str) -> Beside:
    """Two services that a workbench wants, and one that it does not."""
    found = make(name)
    found.write(PAIR, HERE)
    return found


def begun(found: Beside, service: str) -> tuple[str, str]:
    """Which container a service has, and since when it runs."""
    state = found.container(service)
    return state["Id"], state["State"]["StartedAt"]


def until(true: Callable[[], object], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_stop_leaves_what_ran_before_and_a_resume_joins_what_was_made_anew(make: Make) -> None:
    found = pair(make, "foreign")
    found.compose("up", "-d", "other", "db")
    foreign = [begun(found, name) for name in ("other", "db")]
    bench = found.launch()
    assert found.up() == {"db", "other", "web"}
    stopped = found.workbench("stop").ok()
    assert "Stopped web." in stopped.err
    assert found.states() == {"db": "running", "other": "running", "web": "exited"}
    assert [begun(found, name) for name in ("other", "db")] == foreign

    found.compose("down")
    resumed = found.launch()
    assert resumed.container == bench.container
    assert resumed.jupyter.run(FETCH) == "prepared\n"
    assert found.up() == {"db", "web"}
    found.workbench("rm", "--force").ok()
    assert found.up() == set() and not of(found.me, found)


def test_again_starts_what_somebody_stopped_and_joins_what_was_made_anew(make: Make) -> None:
    found = pair(make, "again")
    bench = found.launch()
    kept = begun(found, "db")
    found.compose("stop", "web")
    assert found.launch("--with", "other").url == bench.url
    assert found.up() == {"db", "other", "web"} and begun(found, "db") == kept
    assert bench.jupyter.run(FETCH) == "prepared\n"

    found.services("down").ok()
    assert found.states() == {} and found.root.name not in found.me.engine.docker("network", "ls")
    assert found.launch().url == bench.url
    assert bench.jupyter.run(FETCH) == "prepared\n"
    assert found.up() == {"db", "web"}

    # From now on it is the user's own, and it stays. The other one stops, with nobody there who has to wait for it.
    found.services("up", "db").ok()
    bench.jupyter.call("POST", "api/shutdown")
    until(lambda: found.states() == {"db": "running", "web": "exited"})
    until(lambda: [each["status"] for each in found.me.listed() if each["name"] == bench.name] == ["stopped"])


def test_what_was_taken_down_is_the_users_own_when_it_comes_again_and_is_reached(make: Make) -> None:
    found = pair(make, "own")
    bench = found.launch()
    assert bench.jupyter.run(FETCH) == "prepared\n"
    found.services("down").ok()
    found.services("up", "web").ok()
    assert bench.jupyter.run(FETCH) == "prepared\n"
    found.workbench("stop").ok()
    assert found.up() == {"db", "web"}


def test_work_that_others_need_is_done_anew_before_they_start_again(make: Make) -> None:
    found = make("seeded")
    found.write({"web": {**IDLE, "depends_on": {"seed": DONE}}, "seed": PREPARES}, WANTED.format("web"))
    found.launch()
    before = begun(found, "seed")
    found.workbench("stop").ok()
    found.launch()
    after, web = found.container("seed"), found.container("web")
    assert after["Id"] == before[0] and after["State"]["StartedAt"] != before[1]
    assert when(after["State"]["FinishedAt"]) < when(web["State"]["StartedAt"])


def test_ctrl_c_stops_them(make: Make) -> None:
    found = pair(make, "foreground")
    found.compose("up", "-d", "other")
    foreign = begun(found, "other")
    foreground = found.me.start("run-notebook", "--no-browser", cwd=found.root)
    assert foreground.stdout is not None and foreground.stdout.readline().startswith("http://")
    assert found.up() == {"db", "other", "web"}
    os.kill(foreground.pid, signal.SIGINT)
    assert found.me.wait(foreground, timeout=PATIENCE).code == 0
    assert found.states() == {"db": "exited", "other": "running", "web": "exited"}
    assert begun(found, "other") == foreign


def test_ctrl_c_while_they_start_stops_what_was_started(make: Make) -> None:
    found = make("impatient")
    found.write({"db": IDLE, "web": {**IDLE, **NEVER, "depends_on": ["db"]}}, WANTED.format("web"))
    foreground = found.me.start("run-notebook", "--no-browser", cwd=found.root)
    until(lambda: found.up() == {"db", "web"})
    os.kill(foreground.pid, signal.SIGINT)
    assert found.me.wait(foreground, timeout=PATIENCE).code == 130
    assert found.up() == set() and not of(found.me, found)


def test_what_a_killed_launch_has_started_stops_with_the_workbench(make: Make) -> None:
    found = make("killed")
    healthy: dict[str, Any] = {"db": IDLE, "web": {**IDLE, "depends_on": ["db"]}, "other": IDLE}
    waiting = {**healthy, "web": {**healthy["web"], **NEVER}}
    found.write(waiting, WANTED.format("web"))
    found.compose("up", "-d", "other")

    def kill() -> None:
        killed = found.me.start("run-notebook", "-d", cwd=found.root)
        until(lambda: found.up() == {"db", "other", "web"})
        os.kill(killed.pid, signal.SIGKILL)
        found.me.wait(killed)

    # By itself, without a workbench …
    kill()
    assert "Stopped web, db." in found.workbench("stop").ok().err
    assert found.up() == {"other"}
    found.workbench("stop").fails(2)
    # … with the one that comes after it …
    kill()
    found.write(healthy, WANTED.format("web"))
    found.launch()
    assert "Stopped web, db." in found.workbench("stop").ok().err
    assert found.up() == {"other"}
    # … and with the one that was there before.
    found.write(waiting, WANTED.format("web"))
    kill()
    assert "Stopped web, db." in found.workbench("stop").ok().err
    assert found.up() == {"other"}


SEED: dict[str, Any] = {**IDLE, "command": ["sh", "-c", "echo the disk is full; exit 3"]}
ILL = {"healthcheck": {"test": ["CMD", "false"], "interval": "1s", "retries": 1}}
TALKS = {**IDLE, "command": ["sh", "-c", "echo I cannot bind; exec sleep 100000"]}


NEEDS_DB = {"db": {"condition": "service_started"}}
FAILURES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "unhealthy": ({"web": {**TALKS, **ILL}}, ("The service web is unhealthy", "I cannot bind", "services logs web")),
    "ended": ({"web": {**SEED, **ILL}}, ("The service web", "exit code 3", "the disk is full")),
    "not done": (
        {"web": {**IDLE, "depends_on": {"seed": DONE}}, "seed": SEED},
        ("The service seed", "exit code 3", "the disk is full"),
    ),
    "no image": ({"web": {**IDLE, "image": "127.0.0.1:1/there-is/none:1"}}, ("could not start web", "127.0.0.1:1")),
    "no program": (
        {"web": {"image": "BASE", "command": ["/there/is/none"]}},
        ("could not start web", "/there/is/none"),
    ),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_one_that_fails_ends_the_launch(kind: str, make: Make) -> None:
    found = make("failing")
    services, said = FAILURES[kind]
    web = services["web"]
    needing = {**web, "depends_on": {**web.get("depends_on", {}), **NEEDS_DB}}
    found.write({**services, "web": needing, "db": IDLE, "other": IDLE}, WANTED.format("web"))
    found.compose("up", "-d", "other")
    error = found.run().fails(4)
    for each in said:
        assert each in error, error
    # The one that it needed was started, and is stopped again.
    assert found.up() == {"other"}
    assert not of(found.me, found)


def test_one_that_ran_before_and_is_not_well_ends_the_launch_and_runs_on(make: Make) -> None:
    found = make("unwell")
    found.write({"web": {**TALKS, **ILL}}, WANTED.format("web"))
    found.compose("up", "-d", "web")
    before = begun(found, "web")
    assert "The service web is unhealthy" in found.run().fails(4)
    assert begun(found, "web") == before and found.up() == {"web"} and not of(found.me, found)


def test_a_workbench_that_does_not_start_leaves_no_services(make: Make) -> None:
    found = make("alone")
    found.write({"web": {**IDLE, "depends_on": ["db"]}, "db": IDLE, "other": IDLE}, WANTED.format("web"))
    found.compose("up", "-d", "other")
    found.run(".", "--", "--ServerApp.token=x").fails(5)
    assert found.up() == {"other"} and {*found.states()} == {"db", "other", "web"}
    found.workbench("stop").fails(2)


@pytest.mark.parametrize(
    ("text", "settings", "said"),
    [
        ("services: {web: {image: x, colour: red}}", "", "colour"),
        ("services: [", "", "compose.yaml"),
        ("services: {web: {image: x, depends_on: [db]}}", "", "db"),
        ("services: {webb: {image: x}}", "", "webb"),
        ("services: {web: {image: x, volumes: ['data:/x']}}\nvolumes: {data: }", "volumes = { date = '/mnt' }", "data"),
        ("services: {web: {image: '$${X?is not set}'}}".replace("$$", "$"), "", "is not set"),
        ("", "", "compose"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, settings: str, said: str, make: Make) -> None:
    found = make("unread")
    found.write(text, WANTED.format("web") + settings)
    error = found.run().fails(2)
    assert said in error, error
    assert found.states() == {}


def test_without_a_compose_file(me: Person, make: Make) -> None:
    found = make("none")
    error = found.run("--with", "web").fails(2)
    assert "no Compose file" in error and "compose.yaml" in error and "--with" in error, error
    assert "no Compose file" in found.services().fails(2)
    # What the project itself wants is said.
    me.write(found.root / "pyproject.toml", WANTED.format("web"))
    assert "pyproject.toml" in found.run().fails(2)


def test_without_compose(me: Person, make: Make) -> None:
    found = make("without")
    found.write({"web": IDLE}, WANTED.format("web"))
    # What the test itself needs to be somebody else.
    without = me.folder / "programs"
    without.mkdir()
    (without / "setpriv").symlink_to(str(shutil.which("setpriv")))
    for done in (found.run(env={"PATH": str(without)}), found.services(env={"PATH": str(without)})):
        error = done.fails(3)
        assert "docker compose" in error and "apt install docker-compose" in error, error
    assert not of(me, found)


def test_without_containers_a_project_goes_on_and_a_wish_does_not(me: Person, make: Make) -> None:
    found = make("local")
    found.write({"web": IDLE}, WANTED.format("web"))
    gone_on = found.run("--engine", "local").ok()
    assert re.search(r"^Not used without a container: .*services \(\w+", gone_on.err, re.M), gone_on.err
    assert "--engine docker" in found.run("--engine", "local", "--with", "web").fails(4)
    assert found.states() == {}
    found.workbench("rm", "--force").ok()


ASKS: dict[str, tuple[dict[str, Any], str]] = {
    "rights": ({"privileged": True}, "Run privileged"),
    "folder": ({"volumes": ["/etc:/e:ro"]}, "Read the folder or file /etc (as /e)"),
    "link": ({"volumes": ["./link:/e"]}, "Read and write the folder or file /etc/ssl (as /e)"),
    "port": ({"ports": ["5000:5000"]}, "Open a port of the machine to others: 5000:5000"),
    "filled": ({"environment": {"X": "${SECRET}"}}, "your environment variable SECRET"),
    "passed": ({"environment": ["SECRET"]}, "your environment variable SECRET"),
    "network": ({"network_mode": "host"}, "Use this machine's network"),
    "file": ({"env_file": "../outside.env"}, "outside.env"),
    "needs": ({"depends_on": ["rights"]}, "(service rights)"),
}


def test_what_reaches_out_is_refused_and_nothing_starts(make: Make) -> None:
    found = make("refused")
    (found.root / "link").symlink_to("/etc/ssl")
    found.me.write(found.root.parent / "outside.env", "X=1\n")
    found.write({name: {**IDLE, **asks} for name, (asks, _) in ASKS.items()})
    for name, (_, said) in ASKS.items():
        error = found.services("up", name, env=SECRET).fails(2)
        assert said in error and "--trust" in error, error
        assert SECRET["SECRET"] not in error
    for name in ("rights", "needs"):
        assert ASKS[name][1] in found.run("--with", name, env=SECRET).fails(2)
    assert found.states() == {} and not of(found.me, found)


def test_what_was_approved_is_done_and_nothing_else(make: Make) -> None:
    found = make("approved")
    port = free_port(20_000)
    asks = {"ports": [f"{port}:5000"], "environment": {"X": "${SECRET}"}}
    found.write({"web": {**IDLE, **asks}, "db": PRIVILEGED}, WANTED.format("web"))
    found.services("up", "--trust", "web", env=SECRET).ok()
    assert found.up() == {"web"}
    web = found.container("web")
    assert {each["HostPort"] for each in web["HostConfig"]["PortBindings"]["5000/tcp"]} == {str(port)}
    assert "X=s3cr3t" in web["Config"]["Env"] and not web["HostConfig"]["Privileged"]
    # The same is not asked again; more is.
    found.services("up", "web", env=SECRET).ok()
    found.write({"web": {**IDLE, **asks, "cap_add": ["SYS_PTRACE"]}}, WANTED.format("web"))
    assert "SYS_PTRACE" in found.services("up", "web", env=SECRET).fails(2)
    assert found.container("web")["HostConfig"]["CapAdd"] is None
    found.services("up", "--trust", "web", env=SECRET).ok()
    assert found.container("web")["HostConfig"]["CapAdd"] == ["SYS_PTRACE"]


def test_a_name_for_compose_that_another_project_has(make: Make) -> None:
    first, second = make("named"), make("named")
    first.write({"web": IDLE})
    first.services("up").ok()
    before = begun(first, "web")
    # Another copy of the same, and one that takes the name.
    copy = Beside(first.me, first.me.project(name=f"copies/{first.root.name}"))
    copy.write({"web": {**IDLE, "command": ["sleep", "7"]}}, WANTED.format("web"))
    second.write(f"name: {first.root.name}\nservices: {{web: {{image: BASE}}}}", WANTED.format("web"))
    for done in (copy.run(), copy.services("up"), copy.services("down"), second.run(), second.run("--trust")):
        error = done.fails(4)
        assert str(first.root) in error and "name:" in error, error
    assert begun(first, "web") == before and first.up() == {"web"}
    assert not of(copy.me, copy) and not of(second.me, second)


def test_the_commands(make: Make) -> None:
    found = make("commands")
    web, db = {**IDLE, "volumes": ["data:/data", "./kept/deep:/kept"]}, {**IDLE, "ports": ["127.0.0.1::5000"]}
    found.write({"web": web, "db": db, "night": NIGHT, "odd": ODD}, WANTED.format("web"))
    found.me.write(found.root / "compose.override.yaml", "volumes: {data: }\n")
    volume = f"{found.root.name}_data"
    # What the workbench has; then one that it has not.
    found.services("up").ok()
    assert found.up() == {"web"}
    # Docker itself would make it as root.
    assert {path.stat().st_uid for path in (found.root / "kept", found.root / "kept/deep")} == {found.me.ids[0]}
    found.services("up", "night", "db").ok()
    assert found.up() == {"db", "night", "web"}
    assert "`night`" in found.services("up", "nigth").fails(2)
    assert re.search(r"^db +running +127\.0\.0\.1:\d+->5000/tcp +-", found.services().ok().out, re.M)

    before = {name: begun(found, name) for name in ("db", "web")}
    found.services("restart", "db").ok()
    assert begun(found, "web") == before["web"]
    assert begun(found, "db")[0] == before["db"][0] and begun(found, "db") != before["db"]

    found.services("down", "db").ok()
    assert found.up() == {"night", "web"} and "db" not in found.states()
    assert "services up db" in found.services("restart", "db").fails(4)
    found.services("restart").ok()
    assert begun(found, "web")[0] == before["web"][0] and begun(found, "web") != before["web"]
    assert found.up() == {"night", "web"}
    found.services("down").ok()
    assert found.states() == {} and volume in found.me.engine.docker("volume", "ls", "-q").split()
    assert found.root.name not in found.me.engine.docker("network", "ls")
    found.services("down", "--volumes").ok()
    assert volume not in found.me.engine.docker("volume", "ls", "-q").split()
    # A failure is the command's own.
    assert "exit code 3" in found.services("up", "odd").fails(4)
    assert re.search("^odd +ended with exit code 3 ", found.services().ok().out, re.M)


def test_an_image_is_built_anew_when_that_is_said(make: Make) -> None:
    found = make("built")
    found.me.write(found.root / "web/Dockerfile", f"FROM {require('base-image')}\nCOPY said /said\n")
    image = f"{found.root.name}-web"
    found.write({"web": {**IDLE, "image": image, "build": "web"}})
    try:
        for words, text, said in ((), "first", "first"), ((), "second", "first"), (("--build",), "second", "second"):
            found.me.write(found.root / "web/said", text)
            found.services("up", *words, "web").ok()
            assert found.services("exec", "web", "cat", "/said").ok().out == said
    finally:
        found.clear()
        found.me.engine.docker("rmi", "-f", image)


def test_the_last_lines_of_a_log_and_those_that_come(make: Make) -> None:
    found = make("talks")
    steps = "echo one; echo two; while ! [ -e /tmp/end ]; do sleep 0.1; done; echo three"
    found.write({"web": {**IDLE, "command": ["sh", "-c", steps]}})
    found.services("up").ok()
    assert re.findall("one|two", found.services("logs").ok().out) == ["one", "two"]
    assert re.findall("one|two", found.services("logs", "--tail", "1", "web").ok().out) == ["two"]
    following = found.me.start("workbench", "services", "logs", "-f", "-n", "1", "web", cwd=found.root)
    assert following.stdout is not None and "two" in following.stdout.readline()
    found.services("exec", "web", "touch", "/tmp/end").ok()
    assert re.findall("one|two|three", found.me.wait(following, timeout=PATIENCE).ok().out) == ["three"]


def test_a_name_is_no_option(make: Make) -> None:
    found = make("options")
    name = "--remove-orphans"
    found.write({"web": {**IDLE, "depends_on": [name]}, name: IDLE, "evil": PRIVILEGED}, WANTED.format("web"))
    for done in (found.run(), found.services("up", "web")):
        assert name in done.fails(2)
        assert found.states() == {}


def test_names_and_values_are_data(make: Make) -> None:
    found = make("hostile")
    values = {name: text.replace("$", "$$") for name, text in ODD_VALUES.items()}
    names = ("a.b", "0", "x" * 60, "true", "null", "A")
    said = {name: {**IDLE, "environment": values} for name in names}
    found.write(said, "".join(f"[tool.workbench.services.'{name}']\n" for name in names))
    found.services("up").ok()
    assert found.up() == {*names}
    assert not [*found.root.glob("x*")]
    env = dict(each.partition("=")[::2] for each in found.container("a.b")["Config"]["Env"])
    assert {name: env[name] for name in ODD_VALUES} == ODD_VALUES
    assert {each["service"] for each in found.services("ls", "--json").ok().json()} == {*names}


KINDS = ("docker with Compose 1", "podman with Compose 1", "podman with Compose 2")


@pytest.fixture(params=[grouped(each) for each in KINDS])
def other_kind(request: pytest.FixtureRequest, somebody: MakePerson) -> Iterator[tuple[Beside, str]]:
    """A project on another engine, or with another Compose; what that is."""
    engine, _, version = request.param.partition(" with Compose ")
    me = somebody(engine)
    if version == "2":
        with_compose(me, on_path=True)
    with ExitStack() as end:
        yield _maker(me, end)("other"), version


def test_on_other_engines_and_with_other_composes(other_kind: tuple[Beside, str]) -> None:
    found, version = other_kind
    seed = {**IDLE, "command": ["sh", "-c", "echo prepared > /data/prepared"], "volumes": ["data:/data"]}
    db: dict[str, Any] = {
        **IDLE,
        "depends_on": {"seed": DONE},
        "healthcheck": {"test": ["CMD", "true"], "interval": "1s"},
    }
    web = {**IDLE, "command": ["python3", "-m", "http.server", "-d", "/data", "8000"], "volumes": ["data:/data:ro"]}
    web["depends_on"] = {"db": {"condition": "service_healthy"}}
    services = {"seed": seed, "db": db, "web": web, "other": IDLE}
    found.write(yaml.safe_dump({"services": services, "volumes": {"data": None}}), HERE)
    started = found.run("--json", "--with", "all").ok()
    bench = workbench(started.json())
    assert found.states() == {"db": "running", "other": "running", "seed": "exited", "web": "running"}
    seeded, well, last = (found.container(name)["State"] for name in services if name != "other")
    assert when(seeded["FinishedAt"]) < when(well["StartedAt"]) < when(last["StartedAt"])
    assert well["Health"]["Status"] == "healthy"
    # The Podman of the tests has nothing that finds names, and that is said.
    note = f"podman knows no names in {found.root.name}_default: services are reached by their addresses only."
    assert (note in started.err) == (found.me.engine.name == "podman")
    [address] = [each["IPAddress"] for each in found.container("web")["NetworkSettings"]["Networks"].values()]
    fetch = (
        FETCH if found.me.engine.name == "docker" else FETCH.replace('os.environ["WEB"]', f"'http://{address}:8000'")
    )
    assert bench.jupyter.run(fetch) == "prepared\n"
    listed = found.services().ok()
    assert re.search(rf"^{found.root.name}, by docker-compose {version}\.", listed.err, re.M), listed.err
    assert re.search("^db +healthy +- +yes", listed.out, re.M)
    assert found.services("exec", "web", "--", "cat", "/data/prepared").ok().out == "prepared\n"

    assert "Stopped other, web, db." in found.workbench("stop").ok().err
    assert found.states() == {"db": "exited", "other": "exited", "seed": "exited", "web": "exited"}
    found.services("down").ok()
    assert found.states() == {}


@pytest.mark.xdist_group("services-podman")
def test_podman_is_asked_for_the_health_that_nobody_else_asks_it_for(somebody: MakePerson) -> None:
    with ExitStack() as end:
        found = _maker(with_compose(somebody("podman"), on_path=True), end)("ill")
        found.write({"web": {**TALKS, **ILL}, "db": IDLE}, WANTED.format("db") + WANTED.format("web"))
        error = found.services("up").fails(4)
        assert "The service web is unhealthy" in error and "I cannot bind" in error
        assert found.up() == set()
