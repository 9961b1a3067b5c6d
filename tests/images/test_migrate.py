"""`workbench config migrate`: the same in TOML, and the same plans from it."""

import tomllib
from pathlib import Path

import pytest
from image_projects import CFG, scene, written

from workbench import config
from workbench.cli.main import main
from workbench.errors import ConfigError
from workbench.images import catalogue, migrate
from workbench.model import Project

EVERYTHING = r"""
[DEFAULT]
tag=shared
[run_image]
synthetic_images=shell
[shell]
name=dev
env=variables
volumes=-v {project_root}:/workdir:ro -v $WHERE:/data --mount source=cache,target=/cache
volumes_docked=-v /remote/{user}:/workdir
network=host
network_docked=
args=--privileged -m 4g --cpus 2 --cap-add SYS_PTRACE --cap-add=NET_ADMIN --ulimit memlock=-1
args_docked=-m 8g
cmd=/bin/bash -c "echo \"$WHERE\" '$$HOME' ü; $(id)"
ports=-p 80:80 -p 0.0.0.0:90-92:90-92/udp
[variables]
A=1 "2" \ '3' %%
B=$WHERE
[dev]
environment=-e 'A=a
  b' -e B={user} -e WHERE
gpu=--runtime=nvidia -e NVIDIA_VISIBLE_DEVICES=0,1
build_args=--build-arg X=y --build-arg WHERE --target run
pull_FROM_on_force=True
image_repo=aws
publication_tag={account}.dkr.ecr.{region}.amazonaws.com/{image}:{tag}"
pre_build_script=make 'a b'
interactive=-d
[a.b "c"]
name=quay.io/ds
prefix=False
"""


def specs(found: Project) -> dict[tuple[str, bool], object]:
    images = catalogue.read(found)
    environ = {"USER": "ada", "WHERE": str(found.root)}
    return {
        (name, docked): images.image(name, scene(found, docked=docked, environ=environ))
        for name in images.names
        for docked in (False, True)
    }


@pytest.mark.parametrize("toml", [None, "[project]\nname = 'x'\nversion = '1'", "[tool.workbench]\r\nport = 9000\r\n"])
def test_both_give_equal_plans(tmp_path: Path, toml: str | None) -> None:
    before = written(tmp_path, {CFG: EVERYTHING, **({"pyproject.toml": toml} if toml else {})})
    expected = specs(before)
    assert len(expected) == 6
    migrate.apply(migrate.plan(before))
    (tmp_path / CFG).unlink()
    after = written(tmp_path, {})
    assert specs(after) == expected
    assert (
        (tmp_path / ("pyproject.toml" if toml else "workbench.toml"))
        .read_bytes()
        .startswith((toml or "[images").encode())
    )


def test_what_is_written_has_its_lines(tmp_path: Path) -> None:
    found = written(tmp_path, {CFG: "[dev]\ntag=x\nports=-p 99:x\n"})
    migrate.apply(migrate.plan(found))
    (tmp_path / CFG).unlink()
    with pytest.raises(ConfigError, match=r"^workbench.toml:3: `ports`: '99:x' is not a port"):
        catalogue.read(written(tmp_path, {})).image("dev", scene(found))


def test_the_notebook_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    text = "[notebook]\nvolumes=-v {project_root}/data:/data:ro\nenvironment=-e A=b -e H=$USER-x\nnetwork=host\n"
    text += (
        "args=--device /dev/fuse:/dev/fuse --shm-size 2g --cap-add SYS_ADMIN\nname=quay.io/ds\ntag=1\nprefix=False\n"
    )
    before = written(tmp_path, {CFG: text}, ())
    expected = config.load(before, {"USER": "ada"})
    assert (expected.image, expected.host_network, expected.pass_env) == ("quay.io/ds:1", True, {"H": "ada-x"})
    migrate.apply(migrate.plan(before))
    (tmp_path / CFG).unlink()
    found = config.load(written(tmp_path, {}, ()), {"USER": "ada"})
    assert found.origins.keys() == expected.origins.keys()
    assert {field: getattr(found, field) for field in found.__slots__ if field != "origins"} == {
        field: getattr(expected, field) for field in expected.__slots__ if field != "origins"
    }


def test_what_is_there_already_is_not_written_twice(tmp_path: Path) -> None:
    found = written(tmp_path, {CFG: "[dev]\ntag=x\n"})
    migrate.apply(migrate.plan(found))
    with pytest.raises(ConfigError, match=r"^workbench.toml:2: the image 'dev' is configured here already."):
        migrate.plan(written(tmp_path, {}))


@pytest.mark.parametrize("text", [None, "", "[run_image]\nsynthetic_images=\n"])
def test_nothing_to_migrate(tmp_path: Path, text: str | None) -> None:
    with pytest.raises(ConfigError, match="says nothing"):
        migrate.plan(written(tmp_path, {} if text is None else {CFG: text}))


def test_a_file_that_cannot_take_tables_at_its_end_is_left_alone(tmp_path: Path) -> None:
    toml = "[tool]\nworkbench = {port = 9000}\n"
    found = written(tmp_path, {CFG: "[dev]\ntag=x\n", "pyproject.toml": toml})
    with pytest.raises(ConfigError, match="tables cannot be added"):
        migrate.apply(migrate.plan(found))
    assert (tmp_path / "pyproject.toml").read_text() == toml
    assert sorted(path.name for path in tmp_path.iterdir()) == ["docker", "pyproject.toml"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, {CFG: "[dev]\ntag=x\n", "pyproject.toml": "[project]\n"})
    (tmp_path / "pyproject.toml").chmod(0o600)

    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["config", "migrate", str(tmp_path), *words])
        assert ended.value.code == 0
        return capsys.readouterr().out

    assert tomllib.loads(run("--print")) == {"tool": {"workbench": {"images": {"dev": {"tag": "x"}}}}}
    assert (tmp_path / "pyproject.toml").read_text() == "[project]\n"
    assert run().startswith("pyproject.toml: added [tool.workbench.images.dev]\n")
    assert "[tool.workbench.images.dev]" in (tmp_path / "pyproject.toml").read_text()
    assert (tmp_path / "pyproject.toml").stat().st_mode & 0o777 == 0o600
