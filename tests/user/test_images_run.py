"""`run-image` as somebody types it: what is configured and typed arrives, and nothing is left behind."""

import json
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from support.images import CFG, Images, printed, project, tidied
from support.person import MakePerson, Person
from support.require import require

# Names of images are the same for all who build here.
pytestmark = pytest.mark.xdist_group("images-run")

Found = TypeVar("Found")

TELL = """\
import json, os, pathlib, socket, sys
def writable(folder):
    try:
        pathlib.Path(folder, "written").write_text("")
    except OSError:
        return False
    return True
print(json.dumps({
    "env": dict(os.environ), "argv": sys.argv[1:], "cwd": os.getcwd(), "host": socket.gethostname(),
    "ids": [os.getuid(), os.getgid()], "hosts": pathlib.Path("/etc/hosts").read_text(),
    "data": os.path.exists("/data") and (sorted(os.listdir("/data")), writable("/data")), "src": writable("/src"),
    "shm": os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize,
}))
"""
CONFIGURED = """\
[dev]
environment=-e A=b -e "C=d e" -e WHO={user} -e GIVEN -e PART=x-$GIVEN
env=vars
volumes=-v {project_root}/src:/src --mount type=bind,source=$DATA,target=/data,readonly
cmd=python3 /src/tell.py "a b" $GIVEN
args=--hostname box -w /src -m 256m --cap-add SYS_PTRACE --add-host other:10.1.2.3
  --shm-size 32m

[vars]
X=1 2
"""
GIVEN = "g i v e n"


@pytest.fixture(scope="module", params=["docker", "podman"])
def images(request: pytest.FixtureRequest, somebody_for_long: MakePerson) -> Iterator[Images]:
    """A project whose image is built, on either engine. Each test says itself what is configured."""
    with tidied(somebody_for_long(request.param, normal=request.param == "docker")) as me:
        found = project(
            me,
            "runs",
            {
                "docker/dev/Dockerfile": 'FROM BASE\nCMD ["echo", "own"]\n',
                ".dockerignore": "src\n",
                "src/tell.py": TELL,
                "data/d": "",
            },
        )
        found.build("dev").ok()
        yield found


@pytest.fixture
def plain(images: Images) -> Iterator[Images]:
    """Nothing configured, and no container left by another test or by this one."""
    images.write({CFG: ""})
    yield images
    images.me.engine.remove(images.me.containers())


def awaited(look: Callable[[], Found], seconds: float = 30) -> Found:
    """What is found once it is something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)
    return found


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def told(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def test_what_is_configured_arrives(plain: Images) -> None:
    me = plain.me
    outside = me.folder / "out side"
    outside.mkdir(exist_ok=True)
    me.write(outside / "d", "")
    plain.write({CFG: CONFIGURED})
    env = {"GIVEN": GIVEN, "DATA": str(outside)}
    asked = plain.run("dev", env=env).fails(2)
    for each in (str(outside), "SYS_PTRACE", "GIVEN"):
        assert each in asked
    assert not me.containers()
    done = plain.run("dev", "--trust", env=env).ok()
    found = told(done.out)
    wanted = {"A": "b", "C": "d e", "WHO": plain.user, "GIVEN": GIVEN, "PART": f"x-{GIVEN}", "X": "1 2"}
    assert {name: found["env"].get(name) for name in wanted} == wanted
    assert found["argv"] == ["a b", GIVEN]
    assert (found["cwd"], found["host"], found["data"], found["src"]) == ("/src", "box", [["d"], False], True)
    assert "10.1.2.3\tother" in found["hosts"] and found["shm"] == 32 << 20
    # The user's own variables are named and not shown.
    [shown] = printed(done, "run")
    assert "--env GIVEN --env PART" in shown and f"x-{GIVEN}" not in shown
    assert ("will belong to root" in done.err) == (me.ids[0] != 0)
    assert told(plain.run("dev", env=env).ok().out)["argv"] == ["a b", GIVEN]
    assert "$GIVEN is not set" in plain.run("dev", env={"DATA": str(outside)}).fails(2)
    assert not me.containers()


@pytest.mark.parametrize("images", ["docker"], indirect=True)
def test_what_is_typed_goes_before(plain: Images) -> None:
    plain.write(
        {CFG: "[dev]\nenvironment=-e A=cfg -e B=cfg\ncmd=echo configured\nvolumes=-v {project_root}/src:/src\n"}
    )
    assert plain.run("dev").ok().out == "configured\n"
    assert plain.run("dev", "--", "echo", "a b", "$A", "-x").ok().out == "a b $A -x\n"
    assert plain.run("dev", "-c", "sh -c 'echo \"$A $B\"'", "-e", "A=typed").ok().out == "typed cfg\n"
    options = "-e Q='1 2' -e TAKEN -u 1234:1235 -w /etc -h typed -v {}:/data:ro".format(plain.root / "data")
    done = plain.run("dev", "-a", options, "--", "python3", "/src/tell.py", env={"TAKEN": GIVEN}).ok()
    found = told(done.out)
    assert (found["cwd"], found["host"], found["ids"], found["src"]) == ("/etc", "typed", [1234, 1235], False)
    assert found["data"] == [["d"], False]
    assert (found["env"]["Q"], found["env"]["TAKEN"]) == ("1 2", GIVEN)
    assert GIVEN not in done.err and "Q=1 2" in done.err
    assert "TAKEN is not set" in plain.run("dev", "-a", "-e TAKEN").fails(2)
    plain.write({CFG: ""})
    assert plain.run("dev").ok().out == "own\n"


def test_a_container_has_files_that_are_ones_own(plain: Images) -> None:
    plain.write({"workbench.toml": '[images.dev]\nuser = "{uid}:{gid}"\nmounts = ["{project_root}/src:/src"]\n'})
    done = plain.run("dev", "--", "touch", "/src/mine").ok()
    (plain.root / "workbench.toml").unlink()
    assert (plain.root / "src" / "mine").stat().st_uid == plain.me.ids[0] and "belong to root" not in done.err


def test_standard_input_reaches_it(plain: Images) -> None:
    done = plain.me.run("bash", "-c", "echo 'to it' | run-image dev -- cat", cwd=plain.root).ok()
    assert done.out == "to it\n"


def test_only_kept_ones_stay(plain: Images) -> None:
    me = plain.me
    assert plain.run("dev", "--", "sh", "-c", "exit 9").code == 9
    assert not me.containers()
    assert plain.run("dev", "-k", "--", "sh", "-c", "exit 9").code == 9
    [kept] = me.containers()
    assert (kept.state, kept.project) == ("exited", str(plain.root)) and kept.name.startswith(f"{plain.user}_dev_")


def test_a_shown_command_starts_the_same(plain: Images) -> None:
    plain.write({CFG: "[dev]\nenvironment=-e 'A=it''s $$HOME'\nvolumes=-v {project_root}/src:/src\n"})
    words = ("-e", "B=\x1b[2K'\n", "--", "python3", "/src/tell.py", "`id`")
    planned = plain.run("dev", "--dry-run", *words).ok().out
    assert not plain.me.containers() and "\x1b" not in planned and len(planned.splitlines()) == 1
    # The engine's address as Podman's program wants it.
    remote = f"podman --remote --url {plain.me.engine.host} "
    typed = told(plain.me.run("bash", "-c", planned.replace("podman ", remote, 1)).ok().out)
    same = told(plain.run("dev", *words).ok().out)
    assert typed["argv"] == same["argv"] == ["`id`"]
    assert (
        typed["env"]["A"] == same["env"]["A"] == "its $HOME" and typed["env"]["B"] == same["env"]["B"] == "\x1b[2K'\n"
    )


def test_detached(plain: Images) -> None:
    me, port = plain.me, free_port()
    plain.write({CFG: f"[dev]\ncmd=python3 -m http.server 8000\nports=-p {port}:8000\n"})
    words = ("--restart", "unless-stopped", "--log-opt", "max-size=1m")
    name = plain.run("dev", "--detach", *words).ok().out.strip()
    [container] = me.containers()
    assert (container.name, container.state) == (name, "running")
    host = me.engine.inspect(name)["HostConfig"]
    assert host["RestartPolicy"]["Name"] == "unless-stopped" and not host["AutoRemove"]
    if me.engine.name == "docker":
        assert host["LogConfig"]["Config"] == {"max-size": "1m"}
    assert host["PortBindings"] == {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}
    awaited(lambda: answer(port))
    me.engine.remove([container])
    described = plain.run("dev", "-d", "--json").ok().json()
    assert described["image"] == plain.reference("dev") and described["ports"] == {"8000/tcp": f"127.0.0.1:{port}"}
    me.engine.docker("stop", "--time", "1", described["container"])
    awaited(lambda: not me.containers())


def answer(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
            return str(page.read().decode())
    except OSError:
        return ""


def browser(me: Person) -> tuple[dict[str, str | None], Path]:
    """A program that stands in for a browser, and where it writes what it was to open."""
    opened = me.folder / "opened"
    opened.unlink(missing_ok=True)
    me.write(me.folder / "browser", f'#!/bin/sh\necho "$@" > {opened}.part\nmv {opened}.part {opened}\n')
    (me.folder / "browser").chmod(0o755)
    return {"BROWSER": f"{me.folder}/browser %s"}, opened


def test_open(plain: Images) -> None:
    me, port = plain.me, free_port()
    env, opened = browser(me)
    assert "publishes no port" in plain.run("dev", "--detach", "--open").fails(2)
    plain.write({CFG: f"[dev]\ncmd=python3 -m http.server 8000\nports=-p {port}:8000\n"})
    done = plain.run("dev", "--detach", "--open", env=env).ok()
    assert f"It answers at http://localhost:{port}/" in done.err and "Directory listing" in answer(port)
    assert awaited(lambda: opened.exists() and opened.read_text()) == f"http://localhost:{port}/\n"
    me.engine.remove(me.containers())
    opened.unlink()
    # With a terminal, or without --detach, it answers meanwhile.
    child = me.start("run-image", "dev", "--open", cwd=plain.root, env=env)
    assert awaited(lambda: opened.exists() and opened.read_text()) == f"http://localhost:{port}/\n"
    child.terminate()
    done = me.wait(child, timeout=30)
    assert f"It answers at http://localhost:{port}/" in done.err
    awaited(lambda: not me.containers())
    for words, hint in (((), "-k"), (("-k",), "logs")):
        text = plain.run("dev", "--detach", "--open", *words, "--", "false", env=env).fails(5)
        assert "ended before it answered" in text and hint in text


def test_networks(plain: Images) -> None:
    me = plain.me
    network = f"net-{me.folder.name}"
    me.engine.docker("network", "create", network)
    interfaces = ("--", "python3", "-c", "import socket; print(*(name for _, name in socket.if_nameindex()))")
    try:
        plain.write({CFG: f"[dev]\nnetwork={network}\n"})
        assert network in plain.run("dev").fails(2)
        plain.run("dev", "--detach", "--trust", "--", "sleep", "100").ok()
        [other] = me.containers()
        assert other.networks == (network,)
        assert "eth0" in plain.run("dev", "-n", f"container:{other.name}", *interfaces).ok().out.split()
        assert plain.run("dev", "-n", "none", *interfaces).ok().out.split() == ["lo"]
        host = {name for _, name in socket.if_nameindex()}
        assert host <= set(plain.run("dev", "--network", "host", *interfaces).ok().out.split())
    finally:
        me.engine.remove(me.containers())
        if network in me.engine.docker("network", "ls", "--format", "{{.Name}}").split():
            me.engine.docker("network", "rm", network)


def test_a_port_for_others_is_asked_for(plain: Images) -> None:
    port = free_port()
    plain.write({CFG: f"[dev]\nports=-p 0.0.0.0:{port}:80\n"})
    assert f"Open a port of this machine to others: 0.0.0.0:{port}:80/tcp" in plain.run("dev").fails(2)
    assert plain.run("dev", "--trust").ok().out == "own\n"
    assert plain.run("dev", "-a", f"-p 0.0.0.0:{free_port()}:80").ok().out == "own\n"


def test_a_folder_that_is_not_there_is_not_made(plain: Images) -> None:
    missing = plain.me.folder / "missing"
    plain.write({CFG: f"[dev]\nvolumes=-v {missing}:/m\n"})
    assert f"{missing} does not exist" in plain.run("dev", "--trust").fails(2)
    plain.write({CFG: ""})
    assert f"{missing} does not exist" in plain.run("dev", "-a", f"-v {missing}:/m").fails(2)
    assert not missing.exists() and not plain.me.containers()


def test_synthetic_images_and_those_that_exist_already(plain: Images) -> None:
    repository, _, tag = require("base-image").partition(":")
    plain.write(
        {
            CFG: f"[shell]\nname=dev\ncmd=echo shell\n[run_image]\nsynthetic_images=shell\n"
            f"[there]\nname={repository}\ntag={tag}\nprefix=False\ncmd=echo there\n"
            "[lacking]\nname=no/such\ntag=1\nprefix=False\n"
        }
    )
    assert plain.run("shell").ok().out == "shell\n"
    assert plain.run("there").ok().out == "there\n"
    assert "which exists already" in plain.build("there").fails(2)
    listed = plain.listed()
    assert list(listed) == ["dev", "shell", "there", "lacking"]
    assert listed["shell"]["id"] == listed["dev"]["id"] and listed["shell"]["changed"] == []
    assert listed["there"]["image"] == require("base-image") and listed["lacking"]["id"] is None


SECRET = "s3cret-v4lue"
WAITS = 'echo "$API_TOKEN $OTHER" > /src/seen; while [ ! -e /src/go ]; do sleep 0.05; done; echo "$API_TOKEN"'


@pytest.mark.parametrize("typed", [False, True], ids=["configured", "typed"])
def test_secrets_are_in_the_container_only(typed: bool, plain: Images) -> None:
    me, seen, go = plain.me, plain.root / "src" / "seen", plain.root / "src" / "go"
    for each in (seen, go):
        each.unlink(missing_ok=True)
    configured = "" if typed else f"environment=-e API_TOKEN={SECRET} -e OTHER=https://me:{SECRET}@example.org/\n"
    plain.write({CFG: f"[dev]\nvolumes=-v {{project_root}}/src:/src\n{configured}"})
    given = ("-e", f"API_TOKEN={SECRET}", "-e", f"OTHER=https://me:{SECRET}@example.org/") if typed else ()
    assert SECRET not in plain.run("dev", "--dry-run", *given).ok().out
    child = me.start("run-image", "dev", *given, "--", "sh", "-c", WAITS, cwd=plain.root)
    assert awaited(lambda: seen.exists() and seen.read_text()) == f"{SECRET} https://me:{SECRET}@example.org/\n"
    # What the user types is in the command that it was typed into, and no further.
    lines = [each.info["cmdline"] for each in psutil.process_iter(["cmdline"]) if each.pid != child.pid]
    assert any("API_TOKEN" in (line or ()) for line in lines)
    assert not [line for line in lines if SECRET in " ".join(line or ())]
    go.write_text("")
    done = me.wait(child).ok()
    assert done.out == f"{SECRET}\n" and SECRET not in done.err and "--env API_TOKEN --env OTHER" in done.err
