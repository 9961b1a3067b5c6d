"""What a workbench's container is and is not allowed to do: read from the engine, and tried from inside."""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
import requests
from support.person import MakePerson, Person, Workbench

pytestmark = pytest.mark.xdist_group("container")

KINDS = ["docker as a user", "docker as root", "docker as root in a user's project", "podman as root"]
STATUS = "print([line.split()[1] for line in open('/proc/self/status') if line.startswith(('Cap', 'NoNewPrivs'))])"


@dataclass(frozen=True)
class Case:
    """A workbench, who started it, and whom its files must belong to."""

    me: Person
    bench: Workbench
    inspect: dict[str, Any]
    owner: tuple[int, int]


@pytest.fixture(scope="module", params=KINDS)
def case(request: pytest.FixtureRequest, somebody_for_long: MakePerson) -> Iterator[Case]:
    engine = request.param.split()[0]
    me = somebody_for_long(engine, normal=request.param.endswith("as a user"))
    project = me.project("requirements-only")
    owner = me.ids
    if request.param.endswith("user's project"):
        owner = somebody_for_long(engine, normal=True).ids
        for path in (project, *project.rglob("*")):
            os.chown(path, *owner)
    bench = me.launch(project)
    yield Case(me, bench, me.engine.inspect(bench.container), owner)
    me.clean_up()


def test_no_rights_to_speak_of(case: Case) -> None:
    host = case.inspect["HostConfig"]
    assert not host["Privileged"]
    assert not host["CapAdd"]
    assert host["PidsLimit"] and host["PidsLimit"] > 0
    assert host["NetworkMode"] != "host" and host["PidMode"] != "host"
    assert any("no-new-privileges" in option for option in host["SecurityOpt"])
    *capabilities, no_new_privileges = eval(case.bench.jupyter.run(STATUS))  # noqa: S307 - a list that we printed
    assert len(capabilities) == 5 and set(capabilities) == {"0" * 16}
    assert no_new_privileges == "1"


def test_limits_and_house_keeping(case: Case) -> None:
    host = case.inspect["HostConfig"]
    if case.me.engine.name == "docker":
        assert host["Init"]
        assert {"max-size", "max-file"} <= set(host["LogConfig"]["Config"])
    assert host["ShmSize"] >= 1 << 30
    assert case.inspect["Config"]["Healthcheck"]["Test"]
    assert case.inspect["Config"]["Labels"]["io.workbench.name"] == case.bench.name


def test_no_engine_socket_and_only_known_mounts(case: Case) -> None:
    mounts = {mount["Destination"]: mount for mount in case.inspect["Mounts"] if mount["Type"] != "tmpfs"}
    binds = [mount["Source"] for mount in mounts.values() if mount["Type"] == "bind"]
    assert binds == [str(case.bench.project)]
    assert not [target for target in mounts if "sock" in target]


def test_only_on_loopback(case: Case) -> None:
    ports = case.inspect["HostConfig"]["PortBindings"]
    assert [(each["HostIp"], each["HostPort"]) for bound in ports.values() for each in bound] == [
        ("127.0.0.1", str(case.bench.port))
    ]
    entries = [entry for several in psutil.net_if_addrs().values() for entry in several]
    for address in {entry.address for entry in entries if entry.family == socket.AF_INET}:
        with socket.socket() as probe:
            probe.settimeout(3)
            reached = probe.connect_ex((address, case.bench.port)) == 0
        assert reached == address.startswith("127."), address


def test_uid_is_the_users(case: Case) -> None:
    text = case.bench.jupyter.run("import os; print(os.getuid(), os.getgid(), os.access(os.environ['HOME'], os.W_OK))")
    assert text.split() == [str(case.owner[0]), str(case.owner[1]), "True"]


def test_files_belong_to_the_user(case: Case) -> None:
    case.bench.jupyter.run("from pathlib import Path; Path('results').mkdir(); Path('results/a.csv').write_text('1')")
    for name in ("results", "results/a.csv"):
        status = (case.bench.project / name).stat()
        assert (status.st_uid, status.st_gid) == case.owner


def test_whoami_and_pip_work(case: Case) -> None:
    assert case.bench.jupyter.run("!whoami").strip()
    case.bench.jupyter.run("!pip install --quiet iniconfig==2.1.0", "import iniconfig; print(iniconfig.__file__)")


def test_token_is_long_and_kept_secret(case: Case) -> None:
    token = case.bench.token
    assert len(token) >= 43 and len(set(token)) > 10
    told = str(case.inspect) + case.me.engine.docker("logs", case.bench.container)
    told += case.me.engine.docker("exec", case.bench.container, "env")
    told += case.me.engine.docker("history", "--no-trunc", case.inspect["Image"])
    assert token not in told
    for process in psutil.process_iter(["cmdline"]):
        assert token not in " ".join(process.info["cmdline"] or [])
    for path in (path for path in case.bench.project.rglob("*") if path.is_file()):
        assert token.encode() not in path.read_bytes(), path
    inside = "import os; print([name for name, value in os.environ.items() if value.startswith(START)])"
    assert case.bench.jupyter.run(f"START = {token[:20]!r}", inside).strip() == "[]"


def test_state_is_the_users_alone(case: Case) -> None:
    state = case.me.home / ".local/state/workbench"
    assert state.is_dir()
    for path in (state, *state.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize(
    ("host", "status"), [("evil.com", 403), ("127.0.0.1.evil.com", 403), ("localhost", 200), ("NAME.localhost", 200)]
)
def test_host_header(case: Case, host: str, status: int) -> None:
    wanted = host.replace("NAME", case.bench.name)
    headers = {"Host": f"{wanted}:{case.bench.port}", "Authorization": f"token {case.bench.token}"}
    answer = requests.get(f"http://127.0.0.1:{case.bench.port}/api/contents", headers=headers, timeout=30)
    assert answer.status_code == status


def test_nothing_without_the_token(case: Case) -> None:
    base = f"http://127.0.0.1:{case.bench.port}"
    for path in ("/api/contents", "/api/kernels", "/api/sessions"):
        assert requests.get(base + path, timeout=30).status_code == 403
        wrong = {"Authorization": "token " + "0" * 64}
        assert requests.get(base + path, headers=wrong, timeout=30).status_code == 403


REACH = """
import os
import socket
def reached(host):
    try:
        socket.create_connection((host, 8888), 3).close()
    except OSError:
        return False
    return True
print([host for host in {hosts!r} if reached(host)])
"""


def test_workbenches_cannot_reach_each_other(case: Case, somebody: MakePerson) -> None:
    me = somebody(case.me.engine.name)
    other = me.launch(me.project("notebooks-only"))
    networks = me.engine.inspect(other.container)["NetworkSettings"]["Networks"].values()
    hosts = [network["IPAddress"] for network in networks] + [other.container, other.name]
    assert hosts[0]
    assert case.bench.jupyter.run(REACH.format(hosts=["127.0.0.1"])).strip() == "['127.0.0.1']"
    assert case.bench.jupyter.run(REACH.format(hosts=hosts)).strip() == "[]"


def test_home_survives_a_restart_and_goes_with_rm(somebody: MakePerson) -> None:
    me = somebody("docker")
    project = me.project("notebooks-only")
    bench = me.launch(project)
    bench.jupyter.run("import os; open(os.path.expanduser('~/kept.txt'), 'w').write('1')")
    volumes = me.containers()[0].volumes
    assert len(volumes) == 1 and not list(project.rglob("kept.txt"))
    me.run("workbench", "stop", cwd=project).ok()
    again = me.launch(project, "--env", "NEW=1", "--restart")
    read = "import os; assert open(os.path.expanduser('~/kept.txt')).read() == '1'; assert os.environ['NEW'] == '1'"
    again.jupyter.run(read)
    me.run("workbench", "stop", cwd=project).ok()
    me.run("workbench", "rm", cwd=project).ok()
    assert volumes[0] not in me.engine.docker("volume", "ls", "--quiet").split()
