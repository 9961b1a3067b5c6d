"""What is said of an image becomes values: names, variables, types, and what is refused with file and line."""

from pathlib import Path

import pytest
from image_projects import CFG, image, scene, written

from workbench.errors import ConfigError
from workbench.images import catalogue
from workbench.images.places import PUBLICATION_NAMES, Variables, expand
from workbench.images.spec import BuildSpec, ImageSpec, Port, RunSpec
from workbench.model import Device, Mount

TOML = "workbench.toml"


def test_an_image_of_which_nothing_is_said(tmp_path: Path) -> None:
    assert image(tmp_path, "") == ImageSpec("dev", folder="dev")


def test_every_key(tmp_path: Path) -> None:
    (tmp_path / "home/data").mkdir(parents=True)
    text = """[dev]
name=lab
tag=experiment.2017.12.16
image_repo=aws
publication_tag={account}.dkr.ecr.{region}.amazonaws.com/{image}:{tag}-$USER
pull_FROM_on_force=True
pre_build_script=make 'the data'
post_build_script=./done.sh {user} $USER
build_args=--build-arg A=b --target run --platform linux/amd64 --no-cache --pull
environment=-e A=b -e USER -e WHERE={home}
interactive=-d
gpu=--runtime=nvidia -e NVIDIA_VISIBLE_DEVICES=0,1
network=lab
volumes=-v {project_root}:/workdir -v {home}/data:/data:ro --mount source=cache,target=/cache
ports=-p 8080:80 -p 192.0.2.1:443:443/udp -p [::1]:7-8:5-6 -p 9
cmd=/bin/bash -l '{project} $$HOME'
init=False
args=-m 4g --cpus 0.5 --shm-size=1g --privileged --cap-add CAP_SYS_PTRACE --device /dev/fuse -u 1:2 -w /workdir
     -h box --entrypoint '' --add-host db:10.0.0.1 --ipc=host --ulimit memlock=-1
"""
    spec = image(tmp_path, text)
    assert spec == ImageSpec(
        "dev",
        folder="dev",
        name="lab",
        tag="experiment.2017.12.16",
        image_repo="aws",
        publication_tag="{account}.dkr.ecr.{region}.amazonaws.com/{image}:{tag}-$USER",
        build=BuildSpec(
            args={"A": "b"},
            target="run",
            platform="linux/amd64",
            pull=True,
            pull_on_force=True,
            cache=False,
            before=("make", "the data"),
            after=("./done.sh", "{user}", "$USER"),
        ),
        run=RunSpec(
            env={"A": "b", "WHERE": str(tmp_path / "home")},
            private={"USER": "ada"},
            interactive=False,
            device=Device("gpu", ("0", "1")),
            network="lab",
            mounts=(
                Mount(str(tmp_path), "/workdir"),
                Mount(str(tmp_path / "home/data"), "/data", read_only=True),
                Mount("cache", "/cache", "volume"),
            ),
            ports=(Port(80, 8080), Port(443, 443, "192.0.2.1", "udp"), Port(5, 7, "::1"), Port(6, 8, "::1"), Port(9)),
            command=("/bin/bash", "-l", f"{tmp_path.name} $HOME"),
            init=False,
            memory=4 << 30,
            cpus=0.5,
            shm_size=1 << 30,
            privileged=True,
            cap_add=("SYS_PTRACE",),
            devices=("/dev/fuse",),
            user="1:2",
            workdir="/workdir",
            hostname="box",
            hosts={"db": "10.0.0.1"},
            ipc="host",
            ulimits=("memlock=-1",),
        ),
        reads={"env.USER": ("USER",)},
    )
    assert str(spec.origins["mounts./cache"]) == f"{CFG}:14"
    assert "ada" not in repr(spec.run)


def test_a_variable_never_becomes_further_options(tmp_path: Path) -> None:
    key = "s3 --privileged -v /:/host"
    spec = image(tmp_path, "[dev]\nenvironment=-e A=$KEY\ncmd=run $KEY\n")
    assert (spec.run.private, spec.run.command) == ({"A": key}, ("run", key))
    assert (spec.run.privileged, spec.run.mounts) == (False, ())
    assert spec.reads == {"env.A": ("KEY",), "cmd": ("KEY",)}


def test_a_variable_of_another_image_need_not_be_set(tmp_path: Path) -> None:
    text = "[dev]\ntag=x\nenvironment_docked=-e A=$GONE\n[other]\nname=dev\nvolumes=-v $GONE:/x\n"
    assert image(tmp_path, text).tag == "x"
    with pytest.raises(ConfigError, match=rf"{CFG}:3: `env`: \$GONE is not set"):
        image(tmp_path, text, docked=True)


def test_remote_engines(tmp_path: Path) -> None:
    text = "[dev]\nvolumes=-v /:/a\nvolumes_docked=-v /not/here:/a\nnetwork=host\nnetwork_docked=\ncmd=a\n"
    here, there = image(tmp_path, text).run, image(tmp_path, text, docked=True).run
    assert (here.mounts, here.network, here.command) == ((Mount("/", "/a"),), "host", ("a",))
    assert (there.mounts, there.network, there.command) == ((Mount("/not/here", "/a"),), None, ("a",))


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("[run_image]\nsynthetic_images=shell\n[shell]\nname=dev\ncmd=sh\n", "shell", ("dev", "dev", None, True)),
        ("[shell]\nname=dev\ntag=x\n", "shell", ("dev", "dev", "x", True)),
        ("[ds]\nname=quay.io/ds\ntag=latest\nprefix=False\n", "ds", (None, "quay.io/ds", "latest", False)),
        ("[dev]\nname=quay.io/ds\nprefix=F\n", "dev", ("dev", "quay.io/ds", None, False)),
    ],
)
def test_which_folder_and_name(tmp_path: Path, text: str, name: str, expected: tuple[object, ...]) -> None:
    spec = image(tmp_path, text, name)
    assert (spec.folder, spec.name, spec.tag, spec.prefix) == expected


def test_which_images_there_are(tmp_path: Path) -> None:
    found = written(tmp_path, {CFG: "[zoo]\nname=b\n[a]\ntag=x\n", TOML: "[images.more]\nname='a'\n"}, ("b", "a"))
    assert catalogue.read(found).names == ("a", "b", "zoo", "more")
    with pytest.raises(ConfigError) as caught:
        catalogue.read(found).image("c", scene(found))
    assert caught.value.hint == "There are: a, b, zoo, more."


def test_the_projects_toml_goes_over_dockerutils(tmp_path: Path) -> None:
    files = {
        CFG: "[dev]\ntag=a\nnetwork=one\nenvironment=-e A=1 -e B=1\ncmd=a\n",
        "pyproject.toml": "[tool.workbench.images.dev]\ntag = 'b'\nenv = {B = 2, C = '$USER'}\ndocked.cmd = 'c'\n",
    }
    found = written(tmp_path, files)
    here, there = (catalogue.read(found).image("dev", scene(found, docked=docked)) for docked in (False, True))
    assert (here.tag, here.run.network, here.run.env) == ("b", "one", {"A": "1", "B": "2"})
    assert (here.run.private, here.run.command, there.run.command) == ({"C": "ada"}, ("a",), ("c",))
    assert [str(here.origins[name]) for name in ("env.A", "env.C", "tag")] == [
        f"{CFG}:4",
        "pyproject.toml:3",
        "pyproject.toml:2",
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("environment=-e A=$GONE", "2: `env`: $GONE is not set"),
        ("environment=-e 'a b=c'", "2: `env`: 'a b' is not the name of an environment variable"),
        ("environment=-e WORKBENCH_X=c", "2: `env`: WORKBENCH_X: names that begin with"),
        ("tag=x\nvolumes=-v {hme}/x:/x", "3: `mounts`: {hme} stands for nothing: use project_root"),
        ("volumes=-v /:/y$DATA", "2: `mounts`: /y$DATA: a variable of your environment cannot stand here"),
        ("volumes=-v /not/here:/y", "2: `mounts`: /not/here does not exist on this machine"),
        ("volumes=-v /:y", "2: `mounts`: 'y' is not a folder of the container"),
        ("args=--cpus $KEY", "2: `cpus`: $KEY: a variable of your environment cannot stand here"),
        ("gpu=-e NVIDIA_VISIBLE_DEVICES=$KEY", "2: `device`: gpu:$KEY: a variable of your environment cannot"),
        ("args=-m " + "9" * 400, "2: `memory`: expected a size"),
        ("network=-x", "2: the docker option '-x'"),
        ("network=a b", "2: `network`: 'a b' is not a network"),
        ("ports=-p 80:80:80", "2: `ports`: '80:80:80' is not a port"),
        ("ports=-p 0:80", "2: `ports`: '0' is not a port from 1 to 65535"),
        ("ports=-p 1-3:1-2", "2: `ports`: '1-3:1-2' has ranges of different lengths"),
        ("ports=-p 1.2.3.400:1:1", "2: `ports`: '1.2.3.400' does not appear to be an IPv4 or IPv6 address"),
        ("args=--add-host a", "2: `add-hosts`: 'a' is not NAME:ADDRESS"),
        ("args=--ulimit a=b", "2: `ulimits`: 'a=b' is not a limit"),
        ("args=--ipc=x", "2: `ipc`: 'x' is not none"),
        ("args=-u -1", "2: `user`: '-1' is not a user"),
        ("name=--privileged", "2: `name`: '--privileged' is not the name of an image"),
        ("name=$(id)", "2: `name`: '$(id)' is not the name of an image"),
        ("tag=a b", "2: `tag`: 'a b' is not a tag"),
        ("publication_tag={acount}/x", "2: `publication-tag`: {acount} stands for nothing: use account"),
        ("publication_tag=-x", "2: `publication-tag`: '-x' is not an image reference"),
        ("prefix=False\ntag=x", "2: prefix=False needs a name and a tag."),
    ],
)
def test_what_is_refused(tmp_path: Path, lines: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        image(tmp_path, f"[dev]\n{lines}\n")
    assert caught.value.message.startswith(f"{CFG}:{message}")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[shell]\nname=gone\n", "2: 'gone', the name of 'shell', is no folder of docker/ with a Dockerfile."),
        ("[shell]\ntag=x\n", "2: 'shell' is no folder of docker/ with a Dockerfile."),
        (
            "[shell]\ntag=x\nname=ds\nprefix=False\n[shell2]\nname=ds\nprefix=0\n",
            "7: prefix=False needs a name and a tag.",
        ),
    ],
)
def test_an_image_that_is_made_from_nothing(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        image(tmp_path, text, "shell2" if "shell2" in text else "shell")
    assert caught.value.message == f"{CFG}:{message}"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("tga = 'x'", "2: `tga`: 'tga' is not known here. Did you mean `tag`?"),
        ("tag = 3", "2: `tag`: expected `str`, got `int`"),
        ("tag = 'x'\nenv = {A = [1]}", "3: `env`: expected"),
        ("docked = {tag = 'x'}", "2: `tag`: 'tag' is not known here."),
        ("docked = 3", "2: `docked`: expected `object`, got `int`"),
        ("mounts = [{source = '/'}]", "2: `mounts`: object missing required field `target`"),
        ('cmd = "sh -c \'x"', "2: `cmd`: a quote is not closed"),
        ("ports = ['80:80', 'x']", "2: `ports`: 'x' is not a port"),
    ],
)
def test_what_is_refused_of_a_table(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        image(tmp_path, f"[images.dev]\n{table}\n", file=TOML)
    assert caught.value.message.lower().startswith(f"{TOML}:{message}".lower())


@pytest.mark.parametrize(("text", "key"), [("images = 3", "images"), ("images.dev = 3", "dev")])
def test_a_table_that_is_none(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(ConfigError, match=f"^{TOML}:1: `{key}`: expected"):
        image(tmp_path, text, file=TOML)


def test_what_a_publication_tag_stands_for() -> None:
    variables = Variables(
        dict(zip(PUBLICATION_NAMES, ("123", "eu-west-1", "p-dev", "ada", "ada"), strict=True)), {"V": "1;"}
    )
    made = expand("{account}.dkr.ecr.{region}.amazonaws.com/{image}:{tag}-${V}$$", variables)
    assert (made.value, made.reads) == ("123.dkr.ecr.eu-west-1.amazonaws.com/p-dev:ada-1;$", ("V",))
