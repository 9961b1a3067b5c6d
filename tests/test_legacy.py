"""`dockerutils.cfg` as its documentation describes it."""

import pytest

from workbench.errors import ConfigError
from workbench.legacy import Value, Variables, read

HERE = Variables("/srv/my project", "ada", "my project", "/home/ada", {"DATA": "/da ta", "KEY": "s3 --privileged"})


def values(line: str) -> list[Value]:
    return list(read(f"[notebook]\n{line}\n", HERE)["notebook"])


def mount(source: str, target: str, kind: str = "bind", read_only: bool = False) -> dict[str, object]:
    return {"source": source, "target": target, "type": kind, "read-only": read_only}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("environment = -e A=b", [("env", {"A": "b"})]),
        (
            "environment = -e A=b --env C='d e' --env=F= -eG=h",
            [("env", {"A": "b"}), ("env", {"C": "d e"}), ("env", {"F": ""}), ("env", {"G": "h"})],
        ),
        ("environment = -e A={user}", [("env", {"A": "ada"})]),
        ("environment = -e 'A={\"x\": 1}'", [("env", {"A": '{"x": 1}'})]),
        ("environment = -e HTTP_PROXY", [("pass-env", ["HTTP_PROXY"])]),
        ("environment: -e A=$$x", [("env", {"A": "$x"})]),
        ("interactive = -it", [("interactive", True)] * 2),
        ("interactive = -e", [("interactive", True)]),
        ("interactive = -d", [("interactive", False)]),
        ("gpu = --runtime=nvidia -e NVIDIA_VISIBLE_DEVICES=all", [("device", "gpu")] * 2),
        ("gpu = --runtime nvidia -e NVIDIA_VISIBLE_DEVICES=0,1", [("device", "gpu"), ("device", "gpu:0,1")]),
        ("gpu = --gpus all", [("device", "gpu")]),
        ("gpu = --gpus '\"device=0,2\"'", [("device", "gpu:0,2")]),
        ("gpu = -e NVIDIA_VISIBLE_DEVICES=void", [("device", "cpu")]),
        ("network = mynet", [("network", "mynet")]),
        ("network = --network host", [("network", "host")]),
        ("volumes = -v /data:/data", [("mounts", mount("/data", "/data"))]),
        ("volumes = -v {project_root}:/x:ro", [("mounts", mount("/srv/my project", "/x", read_only=True))]),
        ("volumes = -v {home}/{project}:/x", [("mounts", mount("/home/ada/my project", "/x"))]),
        (
            "volumes = -v $DATA:/x -v ${DATA}/y:/y",
            [("mounts", mount("/da ta", "/x")), ("mounts", mount("/da ta/y", "/y"))],
        ),
        ("volumes = -v cache:/x", [("mounts", mount("cache", "/x", "volume"))]),
        ("volumes = -v /a:b:/x", [("mounts", mount("/a:b", "/x"))]),
        ("volumes = --mount type=bind,source=/a,target=/b", [("mounts", mount("/a", "/b"))]),
        ("volumes = --mount=type=bind,src=/a,dst=/b,readonly", [("mounts", mount("/a", "/b", read_only=True))]),
        ("volumes = --mount 'type=bind,\"src=/a,b\",destination=/b,ro=false'", [("mounts", mount("/a,b", "/b"))]),
        ("volumes = --mount source=v,target=/b", [("mounts", mount("v", "/b", "volume"))]),
        ("ports = -p 8080:80 --publish 127.0.0.1:1:2", [("ports", "8080:80"), ("ports", "127.0.0.1:1:2")]),
        ("args = --privileged --cap-add=SYS_ADMIN", [("privileged", True), ("cap-add", "SYS_ADMIN")]),
        ("args = -m 4g --cpus 2 --shm-size=1g", [("memory", "4g"), ("cpus", "2"), ("shm-size", "1g")]),
        ("args = --device /dev/fuse --rm --init", [("devices", "/dev/fuse")]),
        ("cmd = /bin/bash -l -c 'echo {user} $DATA'", [("cmd", ("/bin/bash", "-l", "-c", "echo ada /da ta"))]),
        ("name = base\ntag = latest", [("name", "base"), ("tag", "latest")]),
        ("prefix = False\npull_FROM_on_force = True", [("prefix", False), ("pull", True)]),
        ("publication_tag = {account}.dkr/{image}:{tag}", [("publication-tag", "{account}.dkr/{image}:{tag}")]),
        ("image_repo = aws\npre_build_script = make x", [("image-repo", "aws"), ("pre-build-script", "make x")]),
        ("volumes =", []),
        ("volumes_docked = -v /remote:/data", []),
    ],
)
def test_values(line: str, said: list[tuple[str, object]]) -> None:
    assert [(value.name, value.value) for value in values(line)] == said


def test_a_value_never_becomes_further_options() -> None:
    found = values("environment = -e A=$KEY\n")
    assert found == [Value("env", {"A": "s3 --privileged"}, 2, ("KEY",))]
    assert values("volumes = -v $DATA/x:/y")[0].reads == ("DATA",)


def test_a_shell_never_sees_a_value() -> None:
    assert values("environment = -e A=$(id)`id`;id")[0].value == {"A": "$(id)`id`;id"}


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
"""
    sections = read(text, HERE)
    assert list(sections) == ["run_image", "dev"]
    assert sections["run_image"][1] == Value("synthetic-images", ("shell", "dev"), 6)
    assert [(value.name, value.line) for value in sections["dev"]] == [
        ("tag", 3),
        ("name", 10),
        ("mounts", 11),
        ("mounts", 12),
        ("mounts", 14),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\nvolums = -v /a:/b", "docker/dockerutils.cfg:2: 'volums' is not a setting."),
        ("[a]\nargs = --rm\n  --pid host", "docker/dockerutils.cfg:3: the docker option '--pid' is not understood."),
        ("[a]\nargs = ubuntu", "docker/dockerutils.cfg:2: the docker option 'ubuntu' is not understood."),
        ("[a]\nargs = -x", "docker/dockerutils.cfg:2: the docker option '-x' is not understood."),
        ("[a]\nargs = --privileged=true", "docker/dockerutils.cfg:2: the docker option '--privileged=true' is not"),
        ("[a]\nenvironment = -e", "docker/dockerutils.cfg:2: -e has no value."),
        ("[a]\nenvironment = -e 'A", "docker/dockerutils.cfg:2: a quote is not closed"),
        ("[a]\nenvironment = -e A=$GONE", "docker/dockerutils.cfg:2: $GONE is not set."),
        ("[a]\nvolumes = -v {hme}/x:/x", "docker/dockerutils.cfg:2: {hme} stands for nothing."),
        ("[a]\nvolumes = -v /x:/y$DATA", "docker/dockerutils.cfg:2: /x:/y$DATA: a variable of your environment cannot"),
        (
            "[a]\nvolumes = --mount type=bind,src=/,dst=${KEY}",
            "docker/dockerutils.cfg:2: type=bind,src=/,dst=${KEY}: a var",
        ),
        ("[a]\nargs = --cpus $KEY", "docker/dockerutils.cfg:2: $KEY: a variable of your environment cannot"),
        (
            "[a]\ngpu = -e NVIDIA_VISIBLE_DEVICES=$KEY",
            "docker/dockerutils.cfg:2: NVIDIA_VISIBLE_DEVICES=$KEY: a variable",
        ),
        ("[a]\nvolumes = -v /x", "docker/dockerutils.cfg:2: /x: a volume is SOURCE:TARGET"),
        ("[a]\nvolumes = -v /x:/y:exec", "docker/dockerutils.cfg:2: /x:/y:exec: 'exec' is no option of a volume"),
        (
            "[a]\nvolumes = --mount type=tmpfs,target=/x",
            "docker/dockerutils.cfg:2: type=tmpfs,target=/x: a mount needs",
        ),
        ("[a]\nvolumes = --mount type=bind,wat=1", "docker/dockerutils.cfg:2: type=bind,wat=1: 'wat' is no part of"),
        ("[a]\ngpu = --gpus some", "docker/dockerutils.cfg:2: some: a request for GPUs is all"),
        ("[a]\ngpu = --runtime=kata", "docker/dockerutils.cfg:2: kata: only the runtime nvidia"),
        ("[a]\nprefix = maybe", "docker/dockerutils.cfg:2: 'maybe' is neither True nor False."),
        ("name = x", "docker/dockerutils.cfg:1: not a valid configuration file."),
        ("[a]\nname = x\nname = y", "docker/dockerutils.cfg:3: not a valid configuration file."),
        ("[a]\n\nnonsense\n", "docker/dockerutils.cfg:3: not a valid configuration file."),
    ],
)
def test_errors_name_the_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, HERE)
    assert caught.value.message.startswith(message)
    assert caught.value.hint


def test_an_option_that_is_nearly_right_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        values("args = --privilege")
    assert caught.value.hint == "Did you mean '--privileged'?"
