"""The container engines' own promises, on real ones: equal commands, hardening, builds, pulls, addresses."""

import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from packaging.version import Version
from support.require import require

from workbench import engines, process
from workbench.engines.base import NameTaken, PortTaken
from workbench.engines.dialect import DOCKER, PODMAN
from workbench.engines.docker import DockerEngine
from workbench.engines.sockets import Address
from workbench.errors import EngineError, NoEngineError
from workbench.labels import BUILD, INPUTS, NAME, OWNER, PLAN, PROJECT, VERSION
from workbench.model import Bridge, ContainerRun, Delivery, ImageBuild, ImageUse, Mount, Secret
from workbench.plan import commands

SERVER = """\
import http.server, os, pathlib, signal, time
run = pathlib.Path(os.environ["WORKBENCH_RUN"])
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
while not (run / "delivery.json").exists():
    time.sleep(0.01)
print("delivered", (run / "delivery.json").stat().st_size, flush=True)
http.server.HTTPServer(("0.0.0.0", 8888), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
DELIVER = """\
#!/bin/sh
set -e
umask 077
head -c "$1" > "$WORKBENCH_RUN/.delivery"
mv "$WORKBENCH_RUN/.delivery" "$WORKBENCH_RUN/delivery.json"
"""
DOCKERFILE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY --chmod=755 deliver /opt/workbench/bin/workbench-deliver
COPY server.py /opt/server.py
CMD ["python3", "/opt/server.py"]
"""
DIALECTS = {"docker": DOCKER, "podman": PODMAN}


class Lab:
    """One engine with things of one test's own; `clean` takes them away."""

    def __init__(self, name, folder):
        self.dialect, self.address, self.folder = DIALECTS[name], require(name), folder
        self.engine = DockerEngine(self.dialect, self.address)
        self.key = uuid4().hex[:8]
        self.project = str(folder / "project")
        Path(self.project).mkdir()

    def build(self, text="# one", *, content=None, tag="", project="", **more):
        """A build whose digest follows from its Dockerfile."""
        dockerfile = DOCKERFILE + text + "\n"
        inputs = {"requirements.txt": f"{hash(dockerfile):x}"}
        marks = {BUILD: inputs["requirements.txt"], INPUTS: json.dumps(inputs), PROJECT: project or self.project}
        files = {"Dockerfile": dockerfile.encode(), "deliver": DELIVER.encode(), "server.py": SERVER.encode()}
        return ImageBuild(
            tag=tag or f"workbench-lab-{self.key}:test",
            digest=inputs["requirements.txt"],
            inputs=inputs,
            base=require("base-image"),
            files={**files, **(content or {})},
            context=str(self.folder / "context"),
            args={"BASE_IMAGE": require("base-image")},
            labels=marks,
            **{"pull": False, **more},
        )

    def run(self, name="one", *, shared=False, **more):
        """A workbench with everything that a plan may ask for."""
        full = f"workbench-{self.key}-{name}"
        marks = {NAME: f"{self.key}-{name}", PROJECT: self.project, PLAN: "1", OWNER: str(os.getuid()), VERSION: "1"}
        network = Bridge(f"workbench-{self.key}", {VERSION: "1"}, isolated=True)
        own = Bridge(full, {NAME: marks[NAME], VERSION: "1"}, isolated=False)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        run = ContainerRun(
            name=full,
            image=self.build().tag,
            labels=marks,
            hostname=name,
            port=port,
            container_port=8888,
            workdir="/projects/x",
            user="1000:1000",
            env={"WORKBENCH_RUN": "/run/workbench", "GREETING": "grüß, 'Gott'"},
            mounts=(Mount(self.project, "/projects/x"), Mount(f"{full}-home", "/home/me", kind="volume")),
            tmpfs={"/run/workbench": "rw,noexec,nosuid,nodev,size=16m,mode=0700,uid=1000,gid=1000"},
            bridge=network if shared and self.dialect.isolated_bridge else own,
            health=("true", "it is"),
            memory=300_000_000,
            nano_cpus=1_500_000_000,
            stop_timeout=5,
            deliver=("/opt/workbench/bin/workbench-deliver",),
        )
        return replace(run, **more)

    def provide(self, build=None):
        return list(self.engine.provide(build or self.build()))

    def start(self, run):
        return self.engine.start(run, Delivery("f00d" * 16))

    def cli(self, *words):
        """The engine's own program."""
        if self.dialect is DOCKER:
            return process.run(("docker", "-H", self.address, *words), timeout=60)
        return process.run(("podman", "--remote", "--url", self.address, *words), timeout=60)

    def inspect(self, name):
        done = self.cli("inspect", name)
        assert done.code == 0, done.err
        return json.loads(done.out)[0]

    def images(self):
        return self.cli("images", "-q", "--no-trunc", "--filter", f"label={PROJECT}={self.project}").out.split()

    def networks(self):
        names = self.cli("network", "ls", "--format", "{{.Name}}").out.split()
        return [name for name in names if self.key in name]

    def volumes(self):
        return [name for name in self.cli("volume", "ls", "-q").out.split() if self.key in name]

    def clean(self):
        names = self.cli("ps", "-a", "--format", "{{.Names}}").out.split()
        for kind, found in (
            (("rm", "-f"), [name for name in names if self.key in name]),
            (("volume", "rm"), self.volumes()),
            (("network", "rm"), self.networks()),
            (("rmi", "-f"), self.images()),
        ):
            if found:
                self.cli(*kind, *found)
        self.engine.close()


@pytest.fixture(params=["docker", "podman"])
def lab(request, tmp_path):
    made = Lab(request.param, tmp_path)
    yield made
    made.clean()


@pytest.fixture
def docker(tmp_path):
    made = Lab("docker", tmp_path)
    yield made
    made.clean()


def read(port, seconds=10.0):
    """Whether the server in a container answers within the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as link:
                link.sendall(b"GET / HTTP/1.0\r\n\r\n")
                if link.recv(12):
                    return True
        except OSError:
            pass
        time.sleep(0.05)
    return False


def without_nothing(value):
    """JSON without what means nothing: clients differ in how they leave a field empty."""
    if isinstance(value, dict):
        kept = {key: without_nothing(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each not in (None, "", [], {}, 0, False, [0, 0])}
    return sorted(value) if isinstance(value, list) and all(isinstance(each, str) for each in value) else value


# Containers


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"entrypoint": (), "command": ("python3", "/opt/server.py")},
        {"user": None, "tmpfs": {"/run/workbench": "rw,mode=0700"}, "memory": None, "health": ()},
        {"gpu_form": "runtime"},
        {"gpu_form": "request"},
        {"gpu_form": "request", "gpu_ids": ("0", "1")},
        {"gpu_form": "request", "gpu_ids": ("0",)},
        {"gpu_form": "cdi", "devices": ("nvidia.com/gpu=0", "/dev/null", "nvidia.com/gpu=1")},
    ],
)
def test_the_printed_commands_make_an_equal_container(docker, odd):
    docker.provide()
    if "gpu_form" in odd:
        require("nvidia")
    if odd.get("gpu_form") == "cdi" and not docker.engine.facts().takes_cdi:
        pytest.skip("this Docker takes no CDI names")
    more = {"cap_add": ("SYS_PTRACE",), "devices": ("/dev/null",), "extra_hosts": {"db": "10.0.0.9"}, **odd}
    run = docker.run(**more)
    ours = docker.start(run)
    first = docker.inspect(ours.id)
    docker.engine.stop(ours.id)
    docker.engine.remove(ours.id, volumes=True)
    for command in (
        commands.network_command(run.bridge, "docker"),
        *commands.volume_commands(run, "docker"),
        commands.run_command(run, "docker"),
    ):
        done = docker.cli(*command[1:])
        assert done.code == 0, done.err
    second = docker.inspect(run.name)
    for found in (first, second):
        # The engine keeps them in no order.
        found["Mounts"].sort(key=lambda mount: mount["Destination"])
    for part in ("HostConfig", "Config", "Mounts"):
        assert without_nothing(first[part]) == without_nothing(second[part])
    assert docker.engine.find({NAME: run.labels[NAME]})[0].port == run.port


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"gpu_form": "request", "gpu_ids": ("99",)}, "could not put the GPU into the container"),
        ({"devices": ("vendor.com/nothing=0",)}, "finds no CDI specification"),
    ],
)
def test_a_device_that_cannot_be_given_is_said_with_its_fix(lab, odd, said):
    require("nvidia")
    if lab.dialect is PODMAN and "gpu_form" in odd:
        pytest.skip("Podman takes CDI names only")
    lab.provide()
    with pytest.raises(EngineError, match=said) as refused:
        lab.start(lab.run(**odd))
    assert "--cpu" in refused.value.hint
    assert lab.engine.find({PROJECT: lab.project}) == []


def test_a_container_can_do_no_more_than_it_must(lab):
    lab.provide()
    running = lab.start(lab.run())
    status = lab.engine.exec(running.id, ("cat", "/proc/self/status")).out
    marks = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (int(marks["CapEff"], 16), int(marks["CapBnd"], 16), marks["NoNewPrivs"]) == (0, 0, "1")
    assert marks["Uid"].split()[0] == "1000"
    folder = lab.engine.exec(running.id, ("stat", "-c", "%a %u", "/run/workbench")).out
    assert folder.split() == ["700", "1000"]
    host = lab.inspect(running.id)["HostConfig"]
    assert [each["HostIp"] for each in host["PortBindings"]["8888/tcp"]] == ["127.0.0.1"]
    assert (host["Memory"], host["PidsLimit"]) == (300_000_000, 4096)


def test_workbenches_do_not_reach_each_other_but_the_host_reaches_both(lab):
    lab.provide()
    runs = [lab.run(name, shared=True) for name in ("one", "two")]
    one, two = (lab.start(run) for run in runs)
    assert all(read(run.port) for run in runs)
    networks = lab.inspect(two.id)["NetworkSettings"]["Networks"]
    (address,) = [each["IPAddress"] for each in networks.values()]
    attempt = f"import socket; socket.create_connection(({address!r}, 8888), 2)"
    reached = lab.engine.exec(one.id, ("python3", "-c", attempt))
    assert reached.code != 0
    assert "timed out" in reached.err or "unreachable" in reached.err or "refused" in reached.err
    itself = lab.engine.exec(two.id, ("python3", "-c", attempt))
    assert itself.code == 0, itself.err


@pytest.mark.parametrize("name", ["two words", "a,b", 'quo"te', "ünïcode", "co:lon", "apos'trophe", "$(x)"])
def test_a_project_in_any_folder_is_mounted(lab, name):
    folder = lab.folder / name
    folder.mkdir()
    (folder / "here.txt").write_text(name)
    lab.provide()
    running = lab.start(lab.run(mounts=(Mount(str(folder), "/projects/x", read_only=True),)))
    assert lab.engine.exec(running.id, ("cat", "here.txt")).out == name
    assert lab.engine.exec(running.id, ("touch", "new.txt")).code != 0


def test_a_delivery_of_half_a_megabyte_arrives_whole(lab):
    lab.provide()
    delivery = Delivery("f00d" * 16, env={"P": "s3cret"}, files={"ca.pem": "x" * 500_000})
    running = lab.engine.start(lab.run(), delivery)
    taken = json.loads(lab.engine.exec(running.id, ("cat", "/run/workbench/delivery.json")).out)
    assert taken == {"token": delivery.token, "env": dict(delivery.env), "files": dict(delivery.files)}
    assert "s3cret" not in lab.cli("inspect", running.id).out


def test_a_command_reads_its_input_to_the_end_and_both_outputs_come_back(lab):
    lab.provide()
    running = lab.start(lab.run())
    text = b"x" * 200_000
    done = lab.engine.exec(running.id, ("sh", "-c", "wc -c; echo bad >&2; exit 3"), stdin=text)
    assert (done.code, done.out.strip(), done.err) == (3, "200000", "bad\n")
    echo = lab.engine.exec(running.id, ("cat",), stdin=text)
    assert echo.out == text.decode()


def test_a_container_that_ends_at_once_says_its_last_words_and_leaves_nothing(lab):
    lab.provide()
    with pytest.raises(EngineError) as refused:
        lab.start(lab.run(command=("sh", "-c", "echo no such module >&2; exit 1")))
    assert "no such module" in "\n".join(refused.value.detail)
    assert (lab.engine.find({PROJECT: lab.project}), lab.networks(), lab.volumes()) == ([], [], [])


def test_a_failed_start_keeps_the_volume_that_was_there(lab):
    lab.provide()
    run = lab.run()
    first = lab.start(run)
    lab.engine.stop(first.id)
    lab.engine.remove(first.id)
    assert lab.volumes()
    with socket.create_server(("127.0.0.1", run.port)), pytest.raises(PortTaken, match=str(run.port)):
        lab.start(run)
    assert lab.volumes() == [f"{run.name}-home"]
    assert not lab.networks()


def test_a_half_made_one_of_a_killed_launcher_is_replaced(lab):
    lab.provide()
    run = lab.run()
    done = lab.cli("create", "--name", run.name, *(f"--label={k}={v}" for k, v in run.labels.items()), run.image)
    assert done.code == 0, done.err
    assert lab.start(run).id != done.out.strip()
    assert [each.state for each in lab.engine.find({PROJECT: lab.project})] == ["running"]


def test_a_foreign_container_keeps_its_name(lab):
    lab.provide()
    run = lab.run()
    # Of our image, so it has the image's labels: that does not make it a workbench.
    assert lab.cli("create", "--name", run.name, run.image).code == 0
    with pytest.raises(NameTaken, match="is not a workbench") as refused:
        lab.start(run)
    assert f"rename {run.name}" in refused.value.hint
    assert lab.cli("inspect", run.name).code == 0
    assert lab.engine.find({PROJECT: lab.project}) == []


def test_a_foreign_network_is_not_used(docker):
    docker.provide()
    run = docker.run(shared=True)
    assert docker.cli("network", "create", run.bridge.name).code == 0
    with pytest.raises(NameTaken, match="which Workbench did not make"):
        docker.start(run)
    assert docker.networks() == [run.bridge.name]


def test_many_starts_at_once_share_one_network_which_goes_with_the_last(docker):
    docker.provide()
    runs = [docker.run(f"n{number}", shared=True) for number in range(8)]
    with ThreadPoolExecutor(len(runs)) as pool:
        started = list(pool.map(docker.start, runs))
    assert len({each.id for each in started}) == len(runs)
    assert docker.networks() == [runs[0].bridge.name]
    for each in started:
        docker.engine.stop(each.id)
        assert docker.networks()
        docker.engine.remove(each.id, volumes=True)
    assert (docker.networks(), docker.volumes()) == ([], [])


def test_the_list_alone_tells_health_port_and_exit_code(lab):
    lab.provide()
    run = lab.run()
    running = lab.start(run)
    # Before it says so the server may not have its handler yet, and SIGTERM would end it with 143.
    assert any(line.startswith("delivered") for line in lab.engine.logs(running.id, follow=True))
    lab.engine.stop(running.id)
    (found,) = [each for each in lab.engine.find({}) if each.id == running.id]
    assert (found.state, found.port, found.container, found.exit_code) == ("stopped", run.port, run.name, 0)


def test_stats_measure_a_busy_container(lab):
    lab.provide()
    running = lab.start(lab.run())
    busy = "import time; end = time.time() + 6\nwhile time.time() < end: pass"
    worker = threading.Thread(target=lab.engine.exec, args=(running.id, ("python3", "-c", busy)))
    worker.start()
    time.sleep(1)
    stats = lab.engine.stats(running.id)
    worker.join()
    assert 0.05 < stats.cpu <= 1.6
    assert 1_000_000 < stats.memory < 300_000_000
    assert stats.memory_limit is not None
    assert 299_000_000 < stats.memory_limit <= 300_000_000


# Images


def test_a_build_sends_exactly_its_files(lab):
    context = lab.folder / "context"
    (context / "old").mkdir(parents=True)
    (context / "old/stray.txt").write_text("from before")
    (context / "link").symlink_to("/etc")
    copy = "COPY . /all"
    lab.provide(lab.build(copy, content={"dependencies/a b/ä.txt": b"1"}))
    found = {str(path.relative_to(context)) for path in context.rglob("*") if not path.is_dir()}
    assert found == {"Dockerfile", "deliver", "server.py", "dependencies/a b/ä.txt"}
    assert context.stat().st_mode & 0o777 == 0o700
    assert Path("/etc/passwd").exists()


def test_a_second_build_does_nothing_and_a_change_tells_what_was_there(lab):
    one, two = lab.build("# one"), lab.build("# two")
    assert lab.engine.present(one) is None
    assert lab.provide(one)
    assert (lab.engine.present(one), lab.provide(one)) == (one.inputs, [])
    assert lab.engine.present(two) == one.inputs


def test_projects_of_one_name_do_not_rebuild_each_others_images(lab):
    mine, theirs = lab.build("# mine"), lab.build("# theirs", project=f"{lab.project}2")
    for build in (mine, theirs):
        lab.provide(build)
    assert lab.provide(mine) == []
    assert lab.inspect(mine.tag)["Config"]["Labels"][PROJECT] == lab.project
    lab.cli("rmi", "-f", theirs.tag)


def test_a_failed_build_names_the_step_and_its_last_lines(lab):
    with pytest.raises(EngineError) as refused:
        lab.provide(lab.build("RUN seq 1 30; sleep 0.5; echo cannot find that >&2; exit 4"))
    error = refused.value
    assert "RUN seq 1 30" in error.message
    assert "cannot find that" in error.detail
    assert len(error.detail) <= 6
    assert lab.engine.present(lab.build()) is None


def test_a_secret_reaches_the_build_and_not_the_image(lab):
    secret = lab.folder / ("my, secret" if lab.dialect is DOCKER else "my secret")
    secret.write_text("hunter2")
    text = "RUN --mount=type=secret,id=pw,target=/run/secrets/pw test $(wc -c < /run/secrets/pw) = 7"
    lab.provide(lab.build(text, secrets=(Secret("pw", str(secret)),)))
    assert "hunter2" not in lab.cli("history", "--no-trunc", lab.build().tag).out


def test_closing_a_build_ends_it(lab):
    # Podman's service ends a build only after the command that runs.
    mark = f"echo {lab.key}; sleep {60 if lab.dialect is DOCKER else 5}"
    with closing(lab.engine.provide(lab.build(f"RUN {mark}"))) as events:
        for event in events:
            if event.text == lab.key:
                break
    ended = time.monotonic() + 15
    while mark in (seen := process.run(("ps", "-eo", "args")).out) and time.monotonic() < ended:
        time.sleep(0.2)
    assert mark not in seen
    assert lab.engine.present(lab.build()) is None


def test_podman_says_which_secrets_path_it_cannot_take(tmp_path):
    lab = Lab("podman", tmp_path)
    with closing(lab.engine), pytest.raises(EngineError, match="a comma in its path"):
        lab.provide(lab.build(secrets=(Secret("ca.pem", "/my, certificates/ca.pem"),)))


def test_a_base_that_is_not_here_is_said_without_asking_a_registry(lab):
    with pytest.raises(EngineError, match="nowhere/base:1 is not here"):
        lab.provide(replace(lab.build(), base="nowhere/base:1"))


def test_an_image_is_pulled_with_its_bytes_and_later_used_though_the_registry_is_gone(docker):
    registry = require("registry")
    docker.provide()
    name = f"{registry}/lab-{docker.key}:1"
    for words in (("tag", docker.build().tag, name), ("push", name), ("rmi", name)):
        done = docker.cli(*words)
        assert done.code == 0, done.err
    assert docker.engine.present(ImageUse(name)) is None
    kinds = [event.kind for event in docker.provide(ImageUse(name))]
    assert (kinds[0], kinds[-1]) == ("step", "done")
    assert docker.engine.present(ImageUse(name)) == {}
    gone = name.replace(registry, "127.0.0.1:9")
    assert docker.cli("tag", name, gone).code == 0
    (*_, note) = docker.provide(ImageUse(gone, force=True))
    assert note.kind == "note"
    assert "cannot be reached" in note.text
    docker.cli("rmi", name, gone)


def test_why_a_pull_failed_is_told_apart(docker):
    registry = require("registry")
    with pytest.raises(EngineError, match="it does not exist"):
        docker.provide(ImageUse(f"{registry}/no-such-image:1"))
    with pytest.raises(EngineError, match="registry cannot be reached"):
        docker.provide(ImageUse("127.0.0.1:9/no-such-image:1"))
    with pytest.raises(EngineError, match="--offline forbids"):
        docker.provide(ImageUse(f"{registry}/no-such-image:1", pull=False))


def test_prune_takes_old_images_and_spares_the_newest_and_what_is_used(lab):
    one, two = lab.build("# one"), lab.build("# two")
    for build in (one, two):
        lab.provide(build)
    newest = lab.inspect(two.tag)["Id"].removeprefix("sha256:")
    mine = [each for each in lab.engine.leftovers() if each.project == lab.project]
    assert [(each.kind, each.why) for each in mine] == [("image", "replaced by a newer one")]
    lab.engine.delete(mine[0])
    assert [image.removeprefix("sha256:") for image in lab.images()] == [newest]


# Addresses


def test_a_wrong_docker_host_is_an_error_for_every_choice(tmp_path):
    env = {"HOME": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/nothing.sock"}
    for kind in ("auto", "docker"):
        with pytest.raises(NoEngineError, match=r"from DOCKER_HOST\) does not answer") as refused:
            engines.connect(kind, env)
        assert "DOCKER_HOST" in refused.value.hint
        assert refused.value.exit_code == 3


def test_what_is_no_engine_is_said(tmp_path):
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Nonsense(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, format, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Nonsense)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(NoEngineError, match="is not a container engine"):
            engines.connect("docker", {"DOCKER_HOST": f"tcp://127.0.0.1:{server.server_port}", "HOME": str(tmp_path)})
    finally:
        server.shutdown()
        server.server_close()


def test_an_engine_that_hangs_is_reported_in_ten_seconds(tmp_path):
    path = tmp_path / "hangs.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        started = time.monotonic()
        with pytest.raises(NoEngineError, match="did not answer within 10 s"):
            DockerEngine(DOCKER, Address(f"unix://{path}"))
    assert 9 < time.monotonic() - started < 15


def test_podman_behind_dockers_address_is_known_as_podman():
    with closing(DockerEngine(DOCKER, require("podman"))) as engine:
        assert (engine.name, engine.facts().engine) == ("podman", "podman")


def test_facts_come_from_the_engine(lab):
    facts = lab.engine.facts()
    assert facts.engine == lab.dialect.name
    assert facts.version[0].isdigit()
    assert (facts.uid, facts.gid) == (os.getuid(), os.getgid())
    assert (facts.address, facts.isolated_bridge) == (lab.address, lab.dialect is DOCKER)
    assert not facts.desktop
    assert facts.program
    assert not facts.remote
    if lab.dialect is PODMAN:
        assert facts.takes_cdi == (Version(facts.version) >= Version("5.4"))
    else:
        assert facts.takes_cdi == bool(json.loads(lab.cli("info", "--format", "{{json .}}").out).get("CDISpecDirs"))


def test_the_terminal_command_reaches_the_same_container(lab):
    lab.provide()
    running = lab.start(lab.run())
    argv, env = lab.engine.exec_argv(running.id, ("hostname",), tty=False)
    assert process.run(argv, env=env).out.strip() == "one"
