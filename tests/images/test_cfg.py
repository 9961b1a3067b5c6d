"""`dockerutils.cfg` as its documentation describes it, with variables as they are written."""

import pytest

from workbench.errors import ConfigError
from workbench.images.cfg import read
from workbench.images.spec import Said
from workbench.model import Origin

LINE = "docker/dockerutils.cfg"


def said(line: str) -> list[Said]:
    return list(read(f"[dev]\n{line}\n")["dev"])


def mount(source: str, target: str, **more: object) -> tuple[str, object]:
    return ("mounts", [{"source": source, "target": target, **more}])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("environment = -e A=b", [("env", {"A": "b"})]),
        (
            "environment = -e A=b --env C='d e' --env=F= -eG=h",
            [("env", {"A": "b"}), ("env", {"C": "d e"}), ("env", {"F": ""}), ("env", {"G": "h"})],
        ),
        ("environment = -e A={user}$HOME", [("env", {"A": "{user}$HOME"})]),
        ("environment = -e 'A={\"x\": 1}'", [("env", {"A": '{"x": 1}'})]),
        ("environment = -e HTTP_PROXY", [("env", {"HTTP_PROXY": "$HTTP_PROXY"})]),
        ("environment = -e A=$(id)`id`;id", [("env", {"A": "$(id)`id`;id"})]),
        ("environment = -e A=100%%", [("env", {"A": "100%"})]),
        ("interactive = -it", [("interactive", True)] * 2),
        ("interactive = -e", [("interactive", True)]),
        ("interactive = -d", [("interactive", False)]),
        ("gpu = --runtime=nvidia -e NVIDIA_VISIBLE_DEVICES=all", [("device", "gpu")] * 2),
        ("gpu = --runtime nvidia -e NVIDIA_VISIBLE_DEVICES=0,1", [("device", "gpu"), ("device", "gpu:0,1")]),
        ("gpu = --gpus all", [("device", "gpu")]),
        ("gpu = --gpus '\"device=0,2\"'", [("device", "gpu:0,2")]),
        ("gpu = -e NVIDIA_VISIBLE_DEVICES=void", [("device", "cpu")]),
        ("gpu = --runtime=runc", []),
        ("network = mynet", [("network", "mynet")]),
        ("network = --network host", [("network", "host")]),
        ("volumes = -v /data:/data", [mount("/data", "/data")]),
        ("volumes = -v {project_root}:/x:ro", [mount("{project_root}", "/x", **{"read-only": True})]),
        ("volumes = -v $DATA:/x -v ${DATA}/y:/y", [mount("$DATA", "/x"), mount("${DATA}/y", "/y")]),
        ("volumes = -v cache:/x", [mount("cache", "/x", type="volume")]),
        ("volumes = -v /a:b:/x", [mount("/a:b", "/x")]),
        ("volumes = --mount type=bind,source=/a,target=/b", [mount("/a", "/b")]),
        ("volumes = --mount=type=bind,src=/a,dst=/b,readonly", [mount("/a", "/b", **{"read-only": True})]),
        ("volumes = --mount 'type=bind,\"src=/a,b\",destination=/b,ro=false'", [mount("/a,b", "/b")]),
        ("volumes = --mount source=v,target=/b", [mount("v", "/b", type="volume")]),
        ("ports = -p 8080:80 --publish 127.0.0.1:1:2", [("ports", ["8080:80"]), ("ports", ["127.0.0.1:1:2"])]),
        ("args = --privileged --cap-add=SYS_ADMIN", [("privileged", True), ("cap-add", ["SYS_ADMIN"])]),
        ("args = --privileged=false --init=false", [("privileged", False), ("init", False)]),
        ("args = -m 4g --cpus 2 --shm-size=1g", [("memory", "4g"), ("cpus", "2"), ("shm-size", "1g")]),
        ("args = --device /dev/fuse --rm --init", [("devices", ["/dev/fuse"]), ("init", True)]),
        (
            "args = -u 1:2 -w /x -h box --entrypoint sh",
            [("user", "1:2"), ("workdir", "/x"), ("hostname", "box"), ("entrypoint", "sh")],
        ),
        (
            "args = --add-host a:1.2.3.4 --ipc=host --ulimit stack=1",
            [("add-hosts", ["a:1.2.3.4"]), ("ipc", "host"), ("ulimits", ["stack=1"])],
        ),
        ("init = --init", [("init", True)]),
        ("init = False", [("init", False)]),
        ("keep_container = --rm", []),
        ("cmd = /bin/bash -l -c 'echo {user} $DATA'", [("cmd", ["/bin/bash", "-l", "-c", "echo {user} $DATA"])]),
        ('cmd = ["/bin/bash", "-l"]', [("cmd", ["/bin/bash", "-l"])]),
        ("cmd = [ -f x ]", [("cmd", ["[", "-f", "x", "]"])]),
        ("name = base\ntag = latest", [("name", "base"), ("tag", "latest")]),
        ("prefix = False\npull_FROM_on_force = True", [("prefix", False), ("pull-from-on-force", True)]),
        ("publication_tag = {account}.dkr/{image}:{tag}", [("publication-tag", "{account}.dkr/{image}:{tag}")]),
        # As the documentation of dockerutils writes it, with a quote at its end.
        (
            'publication_tag={account}.amazonaws.com/{image}:{tag}"',
            [("publication-tag", "{account}.amazonaws.com/{image}:{tag}")],
        ),
        ("image_repo = aws", [("image-repo", "aws")]),
        ("pre_build_script = make 'a b'", [("pre-build-script", ["make", "a b"])]),
        ("post_build_script = ./done.sh", [("post-build-script", ["./done.sh"])]),
        (
            "build_args = --build-arg A=b --build-arg C --target dev --no-cache --pull",
            [
                ("build-args", {"A": "b"}),
                ("build-args", {"C": "$C"}),
                ("target", "dev"),
                ("cache", False),
                ("pull", True),
            ],
        ),
        ("volumes =", []),
    ],
)
def test_values(line: str, expected: list[tuple[str, object]]) -> None:
    assert [(each.key, each.value) for each in said(line)] == expected


def test_sections_lines_and_defaults() -> None:
    text = """# ours
[DEFAULT]
tag = shared

[run_image]
synthetic_images = shell, dev

[dev]
; a comment
name=base
volumes=-v /a:/a
        -v /b:/b

        --mount type=bind,source=/c,target=/c
[shell]
  name = dev
"""
    sections = read(text)
    assert list(sections) == ["dev", "shell"]
    assert [(each.key, str(each.origin)) for each in sections["dev"]] == [
        ("name", f"{LINE}:10"),
        ("mounts", f"{LINE}:11"),
        ("mounts", f"{LINE}:12"),
        ("mounts", f"{LINE}:14"),
        ("tag", f"{LINE}:3"),
    ]
    assert str(sections["shell"][0].origin) == f"{LINE}:16"


def test_a_section_of_variables() -> None:
    text = "[DEFAULT]\ntag=x\n[dev]\nenv=secrets\n[secrets]\nA=1 2\nB=$HOME;id\n[other]\nname=dev\n"
    sections = read(text)
    assert list(sections) == ["dev", "other"]
    assert sections["dev"][:2] == (
        Said("env", {"A": "1 2"}, Origin("dockerutils.cfg", f"{LINE}:6")),
        Said("env", {"B": "$HOME;id"}, Origin("dockerutils.cfg", f"{LINE}:7")),
    )
    assert {each.key for each in sections["dev"]} == {"env", "tag"}


@pytest.mark.parametrize(
    ("lines", "instead"),
    [
        ("volumes=-v /a:/x\nvolumes_docked=-v /b:/x", [mount("/b", "/x")]),
        ("volumes=-v /a:/x\nvolumes_docked=-v /a:/x", []),
        # One key of dockerutils goes, what another one says of the same thing stays.
        ("volumes=-v /a:/x\nargs=-v /c:/y\nvolumes_docked=-v /b:/x", [mount("/b", "/x"), mount("/c", "/y")]),
        ("ports_docked=-p 80:80", [("ports", ["80:80"])]),
        ("volumes=-v /a:/x\nvolumes_docked=", [("mounts", [])]),
        ("environment=-e A=b\nenvironment_docked=", [("env", {})]),
        ("network=host\nnetwork_docked=", [("network", "")]),
        ("interactive=-d\ninteractive_docked=", [("interactive", True)]),
        ("args=--privileged\nargs_docked=", [("privileged", False)]),
    ],
)
def test_what_is_said_instead_for_remote_engines(lines: str, instead: list[tuple[str, object]]) -> None:
    assert [(each.key, each.value) for each in said(lines) if each.docked] == instead


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\nvolums = -v /a:/b", "2: 'volums' is not a setting."),
        ("[a]\nname_docked = x", "2: 'name_docked' is not a setting."),
        ("[a]\nargs = --rm\n  --pid host", "3: the docker option '--pid' is not understood."),
        ("[a]\nargs = ubuntu", "2: the docker option 'ubuntu' is not understood."),
        ("[a]\nargs = -x", "2: the docker option '-x' is not understood."),
        ("[a]\nargs = -", "2: the docker option '-' is not understood."),
        ("[a]\nargs = --privileged=maybe", "2: the docker option '--privileged=maybe' is not"),
        ("[a]\nbuild_args = --security-opt x", "2: the docker option '--security-opt' is not understood."),
        ("[a]\nenvironment = -e", "2: -e has no value."),
        ("[a]\nenvironment = -e 'A", "2: a quote is not closed"),
        ("[a]\ncmd = sh -c 'A", "2: a quote is not closed"),
        ("[a]\nvolumes = -v /x", "2: /x: a volume is SOURCE:TARGET"),
        ("[a]\nvolumes = -v /x:/y:exec", "2: /x:/y:exec: 'exec' is no option of a volume"),
        ("[a]\nvolumes = --mount type=tmpfs,target=/x", "2: type=tmpfs,target=/x: a mount needs"),
        ("[a]\nvolumes = --mount type=bind,wat=1", "2: type=bind,wat=1: 'wat' is no part of"),
        ("[a]\ngpu = --gpus some", "2: some: a request for GPUs is all"),
        ("[a]\ngpu = --runtime=kata", "2: kata: only the runtime nvidia"),
        ("[a]\nprefix = maybe", "2: 'maybe' is neither True nor False."),
        ("[a]\ntag = 100%", "2: a % that stands for nothing."),
        ("[a]\nenv = gone", "2: there is no section [gone] with variables."),
        ("[a]\nsynthetic_images = b", "2: synthetic_images belongs into [run_image]."),
        ("[run_image]\nsynthetic_images = b,c\n[b]\nname=a", "2: the synthetic image 'c' has no name."),
        ("[run_image]\nname = b", "2: 'name' is not a setting of [run_image]."),
        ("name = x", "1: not a valid configuration file."),
        ("[a]\nname = x\nname = y", "3: not a valid configuration file."),
        ("[a]\n\nnonsense\n", "3: not a valid configuration file."),
    ],
)
def test_errors_name_the_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert caught.value.message.startswith(f"{LINE}:{message}")
    assert caught.value.hint


def test_an_option_that_is_nearly_right_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        said("args = --privilege")
    assert caught.value.hint == "Did you mean '--privileged'?"
