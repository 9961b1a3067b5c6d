"""A run as the engine's API body and as a command: what both must hold. That they are equal, a real engine says."""

import csv
from dataclasses import replace
from itertools import pairwise

import pytest

from workbench.engines import translate
from workbench.errors import EngineError
from workbench.model import Bridge, ContainerRun, ImageBuild, Mount, Secret
from workbench.plan import commands

RUN = ContainerRun(
    name="workbench-x",
    image="x-notebook:me",
    labels={"io.workbench.name": "x", "io.workbench.project": "/p", "io.workbench.plan": "1"},
    hostname="x",
    port=20001,
    container_port=8888,
    workdir="/projects/x",
    user="1000:1000",
    mounts=(Mount("/p", "/projects/x"), Mount("workbench-x-home", "/home/me", kind="volume")),
    tmpfs={"/run/workbench": "rw,mode=0700,uid=1000,gid=1000"},
    bridge=Bridge("workbench", {"io.workbench.version": "1"}, isolated=True),
    deliver=("/bin/deliver",),
)
BUILD = ImageBuild(tag="x:me", digest="1", inputs={}, base="python:3", files={}, context="/cache/contexts/x")


def option(command, name):
    """Values of every `name value` or `name=value` of a command."""
    joined = [word.partition("=")[2] for word in command if word.startswith(f"{name}=")]
    return [value for word, value in pairwise(command) if word == name] + joined


def test_a_container_is_hardened_by_default():
    host = translate.container(RUN, "docker")["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["PidsLimit"] == 4096
    assert host["Init"] is True
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert host["PortBindings"] == {"8888/tcp": [{"HostIp": "127.0.0.1", "HostPort": "20001"}]}
    assert "Privileged" not in host


def test_the_hosts_network_publishes_nothing():
    body = translate.container(replace(RUN, bridge=None), "docker")
    assert body["HostConfig"]["NetworkMode"] == "host"
    assert "PortBindings" not in body["HostConfig"]
    command = commands.run_command(replace(RUN, bridge=None), "docker")
    assert option(command, "--network") == ["host"]
    assert not option(command, "--publish")


def test_privileged_keeps_the_capabilities():
    host = translate.container(replace(RUN, privileged=True, cap_add=("SYS_PTRACE",)), "docker")["HostConfig"]
    assert (host["Privileged"], host["CapAdd"]) == (True, ["CAP_SYS_PTRACE"])
    assert "CapDrop" not in host


@pytest.mark.parametrize(
    ("entrypoint", "command", "body", "words"),
    [
        (None, (), {}, []),
        (None, ("a", "b"), {"Cmd": ["a", "b"]}, ["a", "b"]),
        ((), ("sh",), {"Entrypoint": [""], "Cmd": ["sh"]}, ["sh"]),
        (("python", "-u"), ("x.py",), {"Entrypoint": ["python"], "Cmd": ["-u", "x.py"]}, ["-u", "x.py"]),
    ],
)
def test_entry_points(entrypoint, command, body, words):
    run = replace(RUN, entrypoint=entrypoint, command=command)
    told = translate.container(run, "docker")
    assert {key: told[key] for key in ("Entrypoint", "Cmd") if key in told} == body
    typed = commands.run_command(run, "docker")
    assert list(typed[typed.index(RUN.image) + 1 :]) == words
    assert option(typed, "--entrypoint") == ([] if entrypoint is None else [(entrypoint or ("",))[0]])


@pytest.mark.parametrize("path", ["/a b", "/a,b", '/a"b', "/ä:ö", "/a'b"])
def test_any_path_survives_the_mount_option(path):
    command = commands.run_command(replace(RUN, mounts=(Mount(path, "/projects/x", read_only=True),)), "docker")
    (mount,) = option(command, "--mount")
    assert next(csv.reader([mount])) == ["type=bind", f"source={path}", "target=/projects/x", "readonly"]


def test_podman_takes_odd_paths_as_binds_and_refuses_what_it_cannot_read():
    odd, plain = Mount("/a,b", "/projects/x"), Mount("/p:q", "/projects/y")
    host = translate.container(replace(RUN, mounts=(odd, plain)), "podman")["HostConfig"]
    assert host["Binds"] == ["/a,b:/projects/x:rw,rprivate"]
    assert [mount["Source"] for mount in host["Mounts"]] == ["/p:q"]
    with pytest.raises(EngineError, match="cannot mount /a,b:c"):
        translate.container(replace(RUN, mounts=(Mount("/a,b:c", "/projects/x"),)), "podman")


def test_podman_gives_tmpfs_to_the_containers_user_in_its_own_way():
    assert commands.tmpfs(RUN, "podman") == {"/run/workbench": "rw,mode=0700,U"}
    assert commands.tmpfs(RUN, "docker") == RUN.tmpfs


@pytest.mark.parametrize(
    ("text", "inside", "rights"),
    [("/dev/a", "/dev/a", "rwm"), ("/dev/a:/dev/b", "/dev/b", "rwm"), ("/dev/a:/dev/b:r", "/dev/b", "r")],
)
def test_devices(text, inside, rights):
    (device,) = translate.container(replace(RUN, devices=(text,)), "docker")["HostConfig"]["Devices"]
    assert device == {"PathOnHost": "/dev/a", "PathInContainer": inside, "CgroupPermissions": rights}


@pytest.mark.parametrize(
    ("more", "host", "words"),
    [
        ({}, {}, ()),
        ({"gpu_form": "runtime"}, {"Runtime": "nvidia"}, ("--runtime=nvidia",)),
        (
            {"gpu_form": "request"},
            {"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]], "Options": {}}]},
            ("--gpus", "all"),
        ),
        (
            {"gpu_form": "request", "gpu_ids": ("0", "1")},
            {"DeviceRequests": [{"DeviceIDs": ["0", "1"], "Capabilities": [["gpu"]], "Options": {}}]},
            # The client reads it as a line of comma-separated values.
            ("--gpus", '"device=0,1"'),
        ),
        (
            {"gpu_form": "cdi", "devices": ("/dev/a", "nvidia.com/gpu=0", "vendor.com/nic=eth1")},
            {"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0", "vendor.com/nic=eth1"]}]},
            ("--device", "/dev/a", "--device", "nvidia.com/gpu=0", "--device", "vendor.com/nic=eth1"),
        ),
    ],
)
def test_gpus_in_every_form(more, host, words):
    run = replace(RUN, **more)
    told = translate.container(run, "docker")["HostConfig"]
    assert {key: told[key] for key in ("Runtime", "DeviceRequests") if key in told} == host
    assert [each["PathOnHost"] for each in told.get("Devices", ())] == [each for each in run.devices if each[0] == "/"]
    typed = commands.run_command(run, "docker")
    place = typed.index("--security-opt=no-new-privileges") + 1
    assert typed == (*commands.run_command(RUN, "docker")[:place], *words, *typed[place + len(words) :])
    assert len(typed) == len(commands.run_command(RUN, "docker")) + len(words)
    assert commands.create_command(run, "podman")[:2] == ("podman", "create")


def test_limits_are_told_exactly():
    run = replace(RUN, memory=4_000_000_000, nano_cpus=1_250_000_000, pids=None)
    host = translate.container(run, "docker")["HostConfig"]
    assert (host["Memory"], host["NanoCpus"]) == (4_000_000_000, 1_250_000_000)
    assert "PidsLimit" not in host
    command = commands.run_command(run, "docker")
    assert option(command, "--memory") == ["4000000000b"]
    assert option(command, "--cpus") == ["1.25"]


@pytest.mark.parametrize(
    ("policy", "body", "words"),
    [
        ("no", {"Name": "no"}, []),
        ("unless-stopped", {"Name": "unless-stopped"}, ["unless-stopped"]),
        ("on-failure", {"Name": "on-failure"}, ["on-failure"]),
        ("on-failure:3", {"Name": "on-failure", "MaximumRetryCount": 3}, ["on-failure:3"]),
    ],
)
def test_restart_policies(policy, body, words):
    run = replace(RUN, restart=policy)
    assert translate.container(run, "docker")["HostConfig"]["RestartPolicy"] == body
    assert option(commands.run_command(run, "docker"), "--restart") == words


@pytest.mark.parametrize(
    ("engine", "driver", "options"),
    [("docker", "json-file", {"max-size": "5m", "max-file": "7"}), ("podman", "k8s-file", {"max-size": "5m"})],
)
def test_the_log_is_limited(engine, driver, options):
    run = replace(RUN, log_size="5m", log_files=7)
    assert translate.container(run, engine)["HostConfig"]["LogConfig"] == {"Type": driver, "Config": options}
    command = commands.run_command(run, engine)
    assert option(command, "--log-driver") == [driver]
    assert option(command, "--log-opt") == [f"{name}={value}" for name, value in options.items()]


def test_whole_cpus_stay_whole():
    assert option(commands.run_command(replace(RUN, nano_cpus=10_000_000_000), "docker"), "--cpus") == ["10"]


def test_nothing_of_a_delivery_is_in_a_command_but_its_size():
    assert commands.deliver_command(RUN, "docker", 12) == (
        "docker", "exec", "-i", "workbench-x", "/bin/deliver", "12",
    )  # fmt: skip


def test_a_build_command_names_secrets_by_file():
    build = replace(
        BUILD, args={"A": "1"}, labels={"l": "x y"}, secrets=(Secret("ca.pem", "/etc/my, certs/ca.pem"),), force=True
    )
    assert commands.build_command(build, "docker") == (
        *("docker", "build", "--progress=plain", "--tag", "x:me", "--build-arg", "A=1", "--label", "l=x y"),
        *("--secret", 'id=ca.pem,"src=/etc/my, certs/ca.pem"', "--no-cache", "/cache/contexts/x"),
    )
    assert "--progress=plain" not in commands.build_command(build, "podman")


def test_volumes_say_whose_they_are():
    assert commands.volume_commands(RUN, "docker") == (
        *(("docker", "volume", "create", "--label", "io.workbench.name=x", "--label", "io.workbench.project=/p",
           "workbench-x-home"),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("engine", "isolated", "options"),
    [
        ("docker", True, {"com.docker.network.bridge.enable_icc": "false"}),
        ("docker", False, {}),
        ("podman", False, {"isolate": "true"}),
    ],
)
def test_networks_keep_workbenches_apart(engine, isolated, options):
    bridge = Bridge("workbench", {"l": "v"}, isolated)
    assert commands.network_options(bridge, engine) == options
    marks = [f"{key}={value}" for key, value in options.items()]
    assert option(commands.network_command(bridge, engine), "--opt") == marks
