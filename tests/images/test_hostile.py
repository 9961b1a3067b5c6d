"""Configuration that is broken, or means harm: refused with file and line, or nothing but data."""

import random
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from image_projects import CFG, scene, written
from support.images import hostile

from workbench.cli.main import main
from workbench.errors import WorkbenchError
from workbench.images import catalogue, migrate
from workbench.images.spec import ImageSpec, Said
from workbench.model import Origin, Project
from workbench.plan.image_commands import build_command
from workbench.plan.images import Folder, plan_builds

SEEDS = range(200)
CFG_LINES = [
    "[dev]",
    "[run_image]",
    "[DEFAULT]",
    "synthetic_images=shell,dev",
    "name=dev",
    "tag=x",
    "prefix=False",
    "init=--init",
    "environment=-e A=b -e 'C=d e' -e $X",
    "interactive=-it",
    "gpu=--runtime=nvidia -e NVIDIA_VISIBLE_DEVICES=all",
    "network=host",
    "volumes=-v {project_root}:/x --mount type=bind,source=/tmp,target=/y",
    "ports=-p 80-81:80-81/udp",
    "cmd=/bin/bash -l -c 'a b'",
    'cmd=["a", "b"]',
    "pull_FROM_on_force=True",
    "image_repo=aws",
    "env=vars",
    "[vars]",
    "publication_tag={account}.dkr.ecr.{region}.amazonaws.com/{image}:{tag}",
    "build_args=--build-arg A=b --target x",
    "pre_build_script=make 'x y'",
    "args=--privileged -m 4g --ulimit a=1 --add-host a:1.2.3.4",
    "volumes_docked=-v /a:/b",
]
TOML_LINES = [
    "[images.dev]",
    "[images.'a b']",
    "tag = 'x'",
    "name = 'dev'",
    "env = {A = 'b', C = 1}",
    "mounts = ['/tmp:/x:ro']",
    "mounts = [{source = '/tmp', target = '/y'}]",
    "ports = ['80:80']",
    "cmd = 'a b'",
    "docked.cmd = ['a']",
    "init = true",
    "[images.dev.docked]",
    "network = 'host'",
    "publication-tag = '{image}:{tag}'",
    "build-args.A = 'x'",
    "[images]",
]
NOISE = [
    "=",
    ":",
    "[",
    "]",
    "{",
    "}",
    "$",
    "${",
    "%",
    "%(x)s",
    "'",
    '"',
    "\\",
    "\n",
    "\r",
    "\t ",
    "\0",
    "\x1b[2J",
    ";",
    "`id`",
    "$(id)",
    "--",
    "-",
    "-v",
    "{hme}",
    "é",
    "\u2028",
    "\ufeff",
    "9" * 400,
    "/" * 300,
    "a" * 5000,
    "\U0001f600",
]


def fuzzed(seed: int, lines: list[str]) -> str:
    """A file of lines in any order, most of them damaged somewhere."""
    chance = random.Random(seed)  # noqa: S311 - the same files each time
    text = [lines[0], *chance.sample(lines, chance.randint(2, 8))]
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text))
        line, cut = text[at], chance.randint(0, len(text[at]))
        text[at] = line[:cut] + chance.choice(NOISE) + line[cut + chance.randint(0, 3) :]
    return "\n".join(text) + "\n"


def outcome(root: Path, name: str, text: str) -> WorkbenchError | None:
    """How reading every image ends, for engines here and elsewhere."""
    try:
        found = written(root, {name: text})
        images = catalogue.read(found)
        for each in images.names:
            for docked in (False, True):
                images.image(each, scene(found, docked=docked))
    except WorkbenchError as error:
        return error
    return None


@pytest.mark.parametrize(("name", "lines"), [(CFG, CFG_LINES), ("workbench.toml", TOML_LINES)])
def test_what_is_broken_is_refused_with_file_and_line(tmp_path: Path, name: str, lines: list[str]) -> None:
    ends = [outcome(tmp_path / str(seed), name, fuzzed(seed, lines)) for seed in SEEDS]
    refused = [error for error in ends if error]
    assert len(refused) > len(SEEDS) / 2
    for error in refused:
        assert error.exit_code == 2, error
        assert re.match(rf"{name}:\d+: ", error.message), error
        assert error.hint


def test_the_command_says_so_without_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codes = []
    for seed in SEEDS:
        written(tmp_path / str(seed), {CFG: fuzzed(seed, CFG_LINES)})
        with pytest.raises(SystemExit) as ended:
            main(["config", "migrate", "--print", str(tmp_path / str(seed))])
        codes.append(ended.value.code)
        said = capsys.readouterr().err
        if ended.value.code:
            assert re.match(rf"Error: {CFG}:\d+: ", said), said
            assert len(said.splitlines()) <= 10
    assert set(codes) == {0, 2}
    assert codes.count(2) > len(SEEDS) / 4


def quoted(text: str) -> str:
    """A word for a `.cfg`: quoted for the splitting into words, and as configparser wants it."""
    return "'" + text.replace("'", "'\"'\"'").replace("%", "%%").replace("$", "$$") + "'"


def test_values_are_data(tmp_path: Path) -> None:
    for number, value in enumerate(hostile()):
        # A line break ends a line of this file, and no quote changes that; what follows is indented, as it must be.
        if {"\n", "\r"} & set(value):
            continue
        root = tmp_path / str(number)
        environment, argument = quoted(f"A={value}"), quoted(f"B={value}")
        text = f"[dev]\nenvironment=-e {environment}\ncmd=run {quoted(value)}\nbuild_args=--build-arg {argument}\n"
        found = written(root, {CFG: text})
        spec = catalogue.read(found).image("dev", scene(found))
        assert (spec.run.env, spec.run.command, spec.build.args) == ({"A": value}, ("run", value), {"B": value})
        assert (spec.run.privileged, spec.run.mounts, spec.build.before) == (False, (), ())


def test_variables_of_the_environment_are_data(tmp_path: Path) -> None:
    found = written(tmp_path, {CFG: "[dev]\nenvironment=-e A=$X\ncmd=run $X ${X}\nbuild_args=--build-arg X\n"})
    for value in hostile():
        spec = catalogue.read(found).image("dev", scene(found, environ={"USER": "ada", "X": value}))
        assert (spec.run.private, spec.run.command) == ({"A": value}, ("run", value, value))
        assert spec.build.private == {"X": value}


def test_names_of_folders_are_data() -> None:
    for name in hostile():
        project = Project(Path("/srv") / name, "p")
        [build] = plan_builds(
            project, [ImageSpec(name, folder=name)], {name: Folder(b"FROM scratch")}, name, owner="7", force=False
        )
        assert re.fullmatch(r"p-[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*:\w[\w.-]*", build.tag, re.ASCII), build.tag
        assert build_command(build, "docker") == (
            *("docker", "build", "--tag", build.tag, f"--file=/srv/{name}/docker/{name}/Dockerfile"),
            *(
                "--label",
                "io.workbench.owner=7",
                "--label",
                f"io.workbench.project=/srv/{name}/docker/{name}",
                f"/srv/{name}",
            ),
        )


def test_names_and_values_are_data_in_what_is_migrated() -> None:
    here = Origin("file")
    for value in hostile():
        said = [
            Said("env", {value: value}, here),
            Said("cmd", [value], here),
            Said("mounts", [{"source": value}], here),
        ]
        expected = {"env": {value: value}, "cmd": [value], "mounts": [{"source": value}]}
        docked = [replace(each, docked=True) for each in said]
        assert tomllib.loads(migrate.written([*said, *docked])) == {**expected, "docked": expected}
