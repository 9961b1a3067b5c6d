"""The toolchain as somebody types it: the shipped example on real engines, and what can go wrong with one's own."""

import csv
import json
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.images import Images, printed, project, tidied, unused
from support.person import MakePerson, Person
from support.require import require

from user.test_devices import with_gpu

EXAMPLE = Path(__file__).parents[2] / "notebooks/09-services-and-pipeline"
HERE = """
[tool.workbench.images.{name}]
build-args = {{ BASE_IMAGE = "{base}" }}
"""
"""What this machine has instead of Python's official image."""
PATIENCE = 90


def example(me: Person, name: str) -> Path:
    """The shipped example, as a project of somebody's."""
    root = me.projects / name
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("images", "log", "docs", "__pycache__"))
    about = root / "pyproject.toml"
    about.write_text(about.read_text() + on_the_image_that_is_here())
    me.give(root)
    return root


def on_the_image_that_is_here() -> str:
    """Settings by which the example's images are built on it."""
    return "".join(HERE.format(name=each, base=require("base-image")) for each in ("builder", "prep", "train"))


def reported(root: Path) -> str:
    """The report of the pipeline, once it is there."""
    deadline = time.monotonic() + PATIENCE
    while not (root / "docs/report.md").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    return (root / "docs/report.md").read_text()


def left(me: Person, root: Path) -> list[str]:
    """Containers, networks and volumes of a toolchain that the engine still has."""
    mark = f"workbench-{root.name}-"
    found = [
        *me.engine.docker("ps", "--all", "--format={{.Names}}").split(),
        *me.engine.docker("network", "ls", "--format={{.Name}}").split(),
        *me.engine.docker("volume", "ls", "--quiet").split(),
    ]
    return [name for name in found if name.startswith(mark) and "toolchain" in name]


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.xdist_group(f"toolchain-{name}")) for name in ("docker", "podman")],
)
def shapes(request: pytest.FixtureRequest, somebody_for_long: MakePerson) -> Iterator[Images]:
    """The example, up, and its pipeline at its end; on Docker of a normal user."""
    with tidied(somebody_for_long(request.param, normal=request.param == "docker")) as me:
        found = Images(me, example(me, "shapes"))
        found.workbench("toolchain", "up").ok()
        reported(found.root)
        yield found
        found.workbench("toolchain", "down").ok()


def test_the_pipeline_has_run_and_its_results_are_mine(shapes: Images) -> None:
    assert re.search(r"accuracy on 60 others \| (9\d|100)\.\d%", reported(shapes.root))
    with (shapes.root / "images/index.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 240 and len({row["sha256"] for row in rows}) > 200
    # What mlflow keeps: each epoch's accuracy.
    [metric] = (shapes.root / "log/mlruns").glob("*/*/metrics/accuracy_test")
    assert len(metric.read_text().splitlines()) == 20
    owners = {(path.lstat().st_uid, path.lstat().st_gid) for path in shapes.root.rglob("*")}
    assert owners == {shapes.me.ids}
    # Sockets are in memory, and nowhere in the project.
    assert not (shapes.root / "ipc").exists()


def test_two_containers_talked_over_a_socket_that_no_other_sees(shapes: Images) -> None:
    ask = (
        "import sys; sys.path.append('src'); import link; print(link.Link('prep').ask('batch', **eval(sys.argv[1]))[0])"
    )
    wanted = str({"split": "test", "start": 0, "size": 2})
    ran = shapes.workbench("toolchain", "run", "builder", "--", "python3", "-c", ask, wanted).ok()
    assert ran.out == "{'shape': [2, 256], 'labels': [0, 1]}\n"
    code = "import os, stat; print(os.getuid(), oct(os.stat('ipc').st_mode), sorted(os.listdir('ipc')))"
    ran = shapes.workbench("toolchain", "run", "builder", "--", "python3", "-c", code).ok()
    assert ran.out == f"{shapes.me.ids[0]} 0o40770 ['prep.sock', 'train.sock']\n"


def test_ls_and_logs(shapes: Images) -> None:
    listed = {each["name"]: each for each in shapes.workbench("toolchain", "ls", "--json").ok().json()}
    assert [*listed] == ["builder", "prep", "train"]
    assert listed["prep"]["image"] == shapes.reference("prep") and listed["prep"]["built"]
    assert (listed["prep"]["state"], listed["builder"]["state"]) == ("running", "stopped")
    assert re.search(
        r"^prep +shapes-prep:\S+ +workbench-shapes-\S+ +running", shapes.workbench("toolchain", "ls").ok().out, re.M
    )
    said = shapes.workbench("toolchain", "logs", "builder").ok().out
    assert "240 pictures drawn" in said and "listens" not in said and "\x1b[3" not in said
    # No workbench is one of them.
    assert shapes.me.listed() == []


def test_no_rights_and_only_its_own_volumes(shapes: Images) -> None:
    listed = {each["name"]: each for each in shapes.workbench("toolchain", "ls", "--json").ok().json()}
    found = shapes.me.engine.inspect(listed["prep"]["container"])
    host = found["HostConfig"]
    uid, gid = shapes.me.ids
    assert found["Config"]["User"] == f"{uid}:{gid}"
    assert host["SecurityOpt"] and "no-new-privileges" in host["SecurityOpt"][0]
    assert not host["Privileged"] and not host["CapAdd"]
    if shapes.me.engine.name == "docker":
        # Podman does not tell.
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
    mounts = {mount["Destination"]: mount["Source"] for mount in found["Mounts"]}
    assert [*sorted(mounts)] == ["/workspace/images", "/workspace/ipc", "/workspace/src"]
    assert mounts["/workspace/src"] == str(shapes.root / "src")
    status = shapes.workbench(
        "toolchain", "run", "builder", "--", "grep", "-E", "CapBnd|NoNewPrivs", "/proc/self/status"
    )
    assert status.ok().out.split() == ["CapBnd:", "0" * 16, "NoNewPrivs:", "1"]


def test_run_hands_on_words_exit_code_and_root(shapes: Images) -> None:
    code = "import os, sys; print(sys.argv[1:], os.environ['APP_ROOT'], os.getcwd()); sys.exit(7)"
    words = ["$HOME", "a b", "--rm", "'", "$$", "${X}"]
    ran = shapes.workbench("toolchain", "run", "builder", "--", "python3", "-c", code, *words)
    assert ran.code == 7, ran
    assert ran.out == f"{words} /workspace /workspace\n"
    # Nothing of it is left.
    listed = shapes.workbench("toolchain", "ls", "--json").ok().json()
    assert len(listed) == 3


def test_the_pipeline_makes_only_what_is_older(shapes: Images) -> None:
    shapes.workbench("toolchain", "run", "builder").ok()
    before = (shapes.root / "docs/report.md").stat().st_mtime_ns
    assert "Nothing to be done" in shapes.workbench("toolchain", "run", "builder").ok().out
    script = shapes.root / "scripts/report.py"
    shapes.me.write(script, script.read_text().replace("# Shapes", "# Three shapes"))
    ran = shapes.workbench("toolchain", "run", "builder").ok()
    assert "report.py" in ran.out and "draw.py" not in ran.out, ran
    assert (shapes.root / "docs/report.md").stat().st_mtime_ns > before
    assert reported(shapes.root).startswith("# Three shapes")


def test_the_printed_commands_do_it(shapes: Images) -> None:
    shown = shapes.workbench("toolchain", "up", "prep", "--dry-run").ok().out.splitlines()
    assert len(shown) == 2
    # The volume is there, and making it again changes nothing; the containers are as they are to be.
    listed = shapes.workbench("toolchain", "ls", "--json").ok().json()
    done = shapes.me.run("sh", "-ec", shown[1], cwd=shapes.root, env=dict(shapes.me.engine.env)).ok()
    assert "rror" not in done.err, done
    again = shapes.workbench("toolchain", "ls", "--json").ok().json()
    assert [each["container"] for each in again] == [each["container"] for each in listed]


def test_the_exported_file_needs_no_workbench(shapes: Images) -> None:
    """Another folder, another name: nothing of the first one is used but what the engine has built."""
    me = shapes.me
    if me.engine.name != "docker":
        pytest.skip("Compose builds with Docker")
    root = example(me, "elsewhere")
    compose = shapes.workbench("toolchain", "down", "--dry-run").ok().out.partition(" --project-name")[0].split()
    # The example has a compose.yaml of its own.
    named = ("--file", "toolchain.yaml")
    try:
        me.run("workbench", "compose", "export", "-o", "toolchain.yaml", cwd=root).ok()
        text = (root / "toolchain.yaml").read_text()
        assert str(me.folder) not in text and me.environment({})["USER"] not in text
        assert set(yaml.safe_load(text)["services"]) == {"builder", "prep", "train"}
        [folders] = re.findall(r"# Folders that must be there: (mkdir .*)", text)
        me.run("sh", "-c", folders, cwd=root).ok()
        # A build there finds what was built here: no package is fetched without this machine's certificates.
        env = {"DOCKER_BUILDKIT": "1", "COMPOSE_DOCKER_CLI_BUILD": "1"}
        me.run(*compose, *named, "up", "--build", "--detach", cwd=root, env=env).ok()
        first, second = reported(shapes.root), reported(root)
        assert first.splitlines()[1:] == second.splitlines()[1:]
        assert {(path.lstat().st_uid, path.lstat().st_gid) for path in root.rglob("*")} == {me.ids}
        # Ours may be replaced by the next one, and nothing else is.
        me.run("workbench", "compose", "export", "-o", "toolchain.yaml", cwd=root).ok()
        assert "it stays" in me.run("workbench", "compose", "export", "-o", "compose.yaml", cwd=root).fails(2)
    finally:
        me.run(*compose, *named, "down", "--volumes", "--rmi", "all", cwd=root).ok()


def test_the_notebook_runs_from_top_to_bottom(shapes: Images) -> None:
    me = shapes.me
    if me.engine.name != "docker":
        pytest.skip("the notebook does the same on Podman")
    root = example(me, "shapes-notebook")
    me.run("git", "config", "--global", "user.name", "Me").ok()
    command = ("jupyter", "nbconvert", "--to", "notebook", "--execute", "--output", "done.ipynb", "toolchain.ipynb")
    try:
        me.run(*command, cwd=root).ok()
        cells = json.loads((root / "done.ipynb").read_text())["cells"]
        said = [_said(cell) for cell in cells if cell["cell_type"] == "code"]
        assert "240 pictures drawn" in said[2] and "accuracy on 60 others" in said[3]
        assert "epoch  0" in said[4] and "Nothing to be done" in said[5] and '"prepared": 240' in said[6]
        assert "A  docs/report.md" in said[7] and "images/raw" not in said[7]
        assert "services:" in said[8] and said[9].endswith("True\n")
        assert left(me, root) == []
    finally:
        me.run("workbench", "toolchain", "down", cwd=root).ok()


def _said(cell: dict[str, Any]) -> str:
    return "".join("".join(output.get("text", "")) for output in cell["outputs"])


TOOL = "FROM BASE\nRUN mkdir -m 1777 /workspace /workspace/kept\n"
OWN = """\
[tool.workbench.toolchain]
volumes = { src = "lib/src", kept = "volume", ipc = "memory" }

[tool.workbench.toolchain.images]
tool = true
other = ["src"]
"""


@pytest.fixture(params=["docker", "podman"])
def own(request: pytest.FixtureRequest, somebody: MakePerson) -> Iterator[Images]:
    """A toolchain of somebody's own, of two small images; nothing is built yet."""
    with tidied(somebody(request.param, normal=request.param == "docker")) as me:
        files = {"workbench.toml": OWN.replace("tool.workbench.", ""), ".dockerignore": "*\n"}
        found = project(
            me, unused(), {**files, "docker/tool/Dockerfile": TOOL, "docker/other/Dockerfile": "FROM BASE\n"}
        )
        yield found
        found.write({"workbench.toml": files["workbench.toml"]})
        found.workbench("toolchain", "down", "--volumes").ok()
        assert left(me, found.root) == []


def keep(own: Images, text: str) -> None:
    own.workbench("toolchain", "run", "tool", "--", "sh", "-c", f"echo {text} > kept/a; echo {text} > src/a").ok()


def test_down_leaves_nothing_but_what_is_to_be_kept(own: Images) -> None:
    ran = own.workbench("toolchain", "run", "tool", "--", "sh", "-c", "echo 1 > kept/a; echo 1 > src/a; echo 1 > ipc/a")
    assert own.reference("tool") in ran.ok().err and own.id(own.reference("other")) is None
    assert (own.root / "lib/src/a").read_text() == "1\n"
    own.workbench("toolchain", "down").ok()
    # The named volume is all.
    assert [re.sub(".*_", "", name) for name in left(own.me, own.root)] == ["kept"]
    seen = own.workbench("toolchain", "run", "tool", "--", "sh", "-c", "cat kept/a src/a; ls ipc").ok()
    assert seen.out == "1\n1\n"
    own.workbench("toolchain", "down", "--volumes").ok()
    assert left(own.me, own.root) == []
    assert (own.root / "lib/src/a").exists()


def test_what_left_the_toolchain_goes_too(own: Images) -> None:
    sleeping = '\n[images.tool]\ncmd = ["sleep", "60"]\n[images.other]\ncmd = ["sleep", "60"]\n'
    table = OWN.replace("tool.workbench.", "")
    own.write({"workbench.toml": table + sleeping})
    own.workbench("toolchain", "up").ok()
    assert [each["state"] for each in own.workbench("toolchain", "ls", "--json").ok().json()] == ["running", "running"]
    own.write({"workbench.toml": table.replace('other = ["src"]\n', "") + sleeping})
    own.workbench("toolchain", "down", "--volumes").ok()
    assert left(own.me, own.root) == []


SERVICE = """\
services:
  store:
    image: BASE
    command: ["python3", "-m", "http.server", "8000"]
    init: true
"""


def test_services_that_run_are_reached_and_told_of(own: Images) -> None:
    more = '\n[services.store.env]\nSTORE = "http://store:8000/"\n'
    own.write(
        {
            "workbench.toml": OWN.replace("tool.workbench.", "") + more,
            "compose.yaml": SERVICE.replace("BASE", require("base-image")),
        }
    )
    ask = "import os; print(sorted(os.listdir('/sys/class/net')), os.environ['STORE'])"
    words = ("toolchain", "run", "tool", "--", "python3", "-c")
    assert "KeyError: 'STORE'" in own.workbench(*words, ask).err
    try:
        own.workbench("services", "up").ok()
        # Its own network, and theirs.
        assert own.workbench(*words, ask).ok().out == "['eth0', 'eth1', 'lo'] http://store:8000/\n"
        if own.me.engine.name == "docker":
            # This machine's Podman has no names in networks.
            assert answered(own, *words) == "200\n"
        own.workbench("toolchain", "down").ok()
        assert len(own.me.engine.docker("ps", "--quiet", f"--filter=name={own.root.name}").split()) == 1
    finally:
        own.workbench("services", "down").ok()


def answered(own: Images, *words: str) -> str:
    """What the service says, once it listens."""
    ask = "import os, urllib.request; print(urllib.request.urlopen(os.environ['STORE'], timeout=20).status)"
    deadline = time.monotonic() + 30
    while (ran := own.workbench(*words, ask)).code and time.monotonic() < deadline:
        time.sleep(0.5)
    return ran.ok().out


def test_a_value_of_mine_is_in_the_container_and_nowhere_else(own: Images) -> None:
    more = '\n[images.tool.env]\nKEY = "$MINE"\n[images.other.env]\nKEY = "x-$MINE"\n'
    own.write({"workbench.toml": OWN.replace("tool.workbench.", "") + more})
    given = {"MINE": "s3 $cret"}
    show = ("--", "sh", "-c", 'echo "$KEY"')
    assert "See the value of your environment variable MINE" in own.workbench(
        "toolchain", "run", "tool", *show, env=given
    ).fails(2)
    ran = own.workbench("toolchain", "run", "--trust", "tool", *show, env=given).ok()
    assert ran.out == "s3 $cret\n" and "s3 $cret" not in ran.err
    # Two images may have it differently.
    assert own.workbench("toolchain", "run", "--trust", "other", *show, env=given).ok().out == "x-s3 $cret\n"
    assert "s3" not in own.workbench("compose", "export", env=given).ok().out
    state = [path for path in (own.me.home / ".local/state/workbench").rglob("*") if path.is_file()]
    assert state and not [path for path in state if b"s3 $cret" in path.read_bytes()]
    assert {oct(path.stat().st_mode & 0o077) for path in state if path.name == "toolchain.yaml"} == {"0o0"}


def test_what_cannot_be_says_what_to_do(own: Images) -> None:
    table = OWN.replace("tool.workbench.", "")

    def fails(text: str, *words: str, code: int = 2) -> str:
        own.write({"workbench.toml": text})
        return own.workbench("toolchain", *words).fails(code)

    assert "has no toolchain" in fails("", "up")
    assert "workbench.toml:1: 'toool' is no image" in fails(table.replace("tool = true", "toool = true"), "up")
    assert "Did you mean `tool`?" in fails(table, "run", "tol")
    assert "'scr', which other is to have, is no volume" in fails(table.replace('["src"]', '["scr"]'), "ls")
    assert "up' is no folder of this project" in fails(table.replace("lib/src", "../up"), "up")
    # A link is followed, wherever it leads.
    (own.root / "lib").symlink_to(own.me.home)
    assert "leads out of the project" in fails(table, "run", "tool", "--", "true")
    (own.root / "lib").unlink()
    own.write({"lib": ""})
    assert "lib/src cannot be made: " in fails(table, "run", "tool", "--", "true")
    (own.root / "lib").unlink()
    # The engine's own words.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = fails(f'{table}\n[images.tool]\ncmd = ["sleep", "9"]\nports = ["{port}:80"]\n', "up", "tool", code=4)
    assert "Compose could not `up` the toolchain." in said and str(port) in said
    assert printed(own.workbench("toolchain", "down").ok(), "down")


def test_the_gpu_where_an_image_asks_for_it(own: Images) -> None:
    asking = OWN.replace("tool.workbench.", "") + '\n[images.tool]\ndevice = "gpu"\n'
    own.write({"workbench.toml": asking})
    look = ("--", "sh", "-c", "command -v nvidia-smi && nvidia-smi -L")
    ran = own.workbench("toolchain", "run", "tool", *look, env=with_gpu(own.me))
    if own.me.engine.name == "podman":
        # As old as it is here.
        assert "not to Compose" in ran.fails(4)
    else:
        assert "GPU 0: " in ran.ok().out
    assert own.workbench("toolchain", "run", "other", *look, env=with_gpu(own.me)).code == 127
    # Whatever this machine has: the file asks for it as Compose does.
    exported = yaml.safe_load(own.workbench("compose", "export").ok().out)
    [device] = exported["services"]["tool"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_cut_off_leaves_nothing(own: Images, number: signal.Signals) -> None:
    own.workbench("toolchain", "run", "tool", "--", "true").ok()
    words = ("workbench", "toolchain", "run", "tool", "--", "sh", "-c", "touch src/begun; sleep 300")
    running = own.me.start(*words, cwd=own.root)
    deadline = time.monotonic() + PATIENCE
    while not (own.root / "lib/src/begun").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert own.workbench("toolchain", "ls", "--json").ok().json()[0]["state"] == "running"
    os.kill(running.pid, number)
    assert own.me.wait(running, 60).code != 0
    while (
        there := own.workbench("toolchain", "ls", "--json").ok().json()[0]["container"]
    ) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not there


def test_an_image_on_another_one_is_exported_with_it(own: Images) -> None:
    table = OWN.replace("tool.workbench.", "").replace("tool = true\n", "")
    build = '\n[images.other]\nbuild-args = { BELOW = "{tool_image}" }\ncmd = ["sh", "-c", "ls -d kept > src/a"]\n'
    own.write({"docker/other/Dockerfile": "ARG BELOW\nFROM ${BELOW}\n", "workbench.toml": table + build})
    own.workbench("toolchain", "run", "other").ok()
    assert (own.root / "lib/src/a").read_text() == "kept\n"
    assert own.id(own.reference("tool"))
    own.workbench("compose", "export", "-o", "compose.yaml").ok()
    text = (own.root / "compose.yaml").read_text()
    assert own.reference("tool") not in text and f"BELOW: {own.root.name}-tool\n" in text
    if own.me.engine.name == "podman":
        # Compose builds with Docker.
        return
    (own.root / "lib/src/a").unlink()
    [said] = re.findall(r"^# +(docker compose build .*)", text, re.MULTILINE)
    program = own.workbench("toolchain", "down", "--dry-run").ok().out.partition(" --project-name")[0]
    env = {"DOCKER_BUILDKIT": "1", "COMPOSE_DOCKER_CLI_BUILD": "1"}
    try:
        own.me.run("sh", "-ec", said.replace("docker compose", program), cwd=own.root, env=env).ok()
        assert (own.root / "lib/src/a").read_text() == "kept\n"
    finally:
        own.me.run(*program.split(), "--profile", "build", "down", "--rmi", "all", "--volumes", cwd=own.root).ok()


def test_an_exported_file_finds_the_project_from_where_it_stands(own: Images) -> None:
    (own.root / "deploy/here").mkdir(parents=True)
    own.me.give(own.root)
    own.workbench("compose", "export", "-o", "deploy/here/compose.yaml").ok()
    program = own.workbench("toolchain", "down", "--dry-run").ok().out.partition(" --project-name")[0].split()
    read = own.me.run(*program, "-f", "deploy/here/compose.yaml", "config", cwd=own.root).ok().out
    services = yaml.safe_load(read)["services"]
    assert services["tool"]["build"]["context"] == str(own.root)
    assert re.search(rf"{re.escape(str(own.root))}/lib/src(:|$)", read, re.MULTILINE), read


def test_an_image_that_is_older_than_its_files_is_said(own: Images) -> None:
    own.write({"workbench.toml": OWN.replace("tool.workbench.", "") + '\n[images.tool]\ncmd = ["true"]\n'})
    own.workbench("toolchain", "up", "tool").ok()
    own.write({"docker/tool/Dockerfile": TOOL + "LABEL new=1\n"})
    assert "tool is older than its files (docker/tool/ changed)" in own.workbench("toolchain", "up", "tool").ok().err
    before = own.id(own.reference("tool"))
    assert "older" not in own.workbench("toolchain", "up", "--build", "tool").ok().err
    assert own.id(own.reference("tool")) != before
