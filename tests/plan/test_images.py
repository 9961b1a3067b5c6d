"""Which images are built from the folders of a project, as values and as the commands that a person would type."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.engines import Engine, engine
from support.require import require

from workbench.images.spec import BuildSpec, DockerfileBuild, ImageRun, ImageSpec, RunSpec
from workbench.model import Project
from workbench.plan.image_commands import build_command, run_command
from workbench.plan.images import Folder, in_order, plan_builds, reference

PROJECT = Project(Path("/srv/my project"), "my-project")
PLAIN = {"dev": Folder(b"FROM scratch\n"), "base": Folder(b"FROM scratch\n")}


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (ImageSpec("dev", folder="dev"), "my-project-dev:ada"),
        (ImageSpec("dev", folder="dev", tag="experiment.2017"), "my-project-dev:experiment.2017"),
        (ImageSpec("dev", folder="dev", name="lab"), "my-project-lab:ada"),
        (ImageSpec("shell", folder="dev", name="dev"), "my-project-dev:ada"),
        (ImageSpec("ds", name="quay.io/ds", tag="latest", prefix=False), "quay.io/ds:latest"),
        (ImageSpec("dev", folder="dev", name="quay.io/ds", prefix=False), "quay.io/ds:ada"),
        (ImageSpec("my_Image", folder="my_Image"), "my-project-my-image:ada"),
        (ImageSpec("my_image.2", folder="my_image.2"), "my-project-my_image.2:ada"),
        (ImageSpec("$(id);x", folder="$(id);x"), "my-project-id-x:ada"),
        (ImageSpec("ü", folder="ü"), "my-project-image:ada"),
    ],
)
def test_names(spec: ImageSpec, name: str) -> None:
    assert reference(spec, "my-project", "ada") == name


@pytest.mark.parametrize(
    ("names", "base", "expected"),
    [
        (["dev"], False, ("dev",)),
        (["dev"], True, ("base", "dev")),
        (["base"], True, ("base",)),
        (["a", "base", "b", "a"], False, ("base", "a", "b")),
    ],
)
def test_the_base_comes_first(names: list[str], base: bool, expected: tuple[str, ...]) -> None:
    assert in_order(names, folders=["a", "b", "base", "dev"], base=base) == expected


def test_there_may_be_no_base() -> None:
    assert in_order(["dev"], folders=["dev"], base=True) == ("dev",)


def test_a_build_and_its_command() -> None:
    how = BuildSpec({"A": "b c"}, {"KEY": "s3"}, target="run", platform="linux/amd64", pull=True, cache=False)
    [build] = plan_builds(PROJECT, [ImageSpec("dev", folder="dev", build=how)], PLAIN, "ada", owner="7", force=False)
    assert build == DockerfileBuild(
        "my-project-dev:ada",
        "docker/dev/Dockerfile",
        "/srv/my project",
        args={"A": "b c"},
        private={"KEY": "s3"},
        target="run",
        platform="linux/amd64",
        labels={"io.workbench.owner": "7", "io.workbench.project": "/srv/my project/docker/dev"},
        pull=True,
        cache=False,
    )
    assert build_command(build, "docker") == (
        "docker",
        "build",
        "--tag",
        "my-project-dev:ada",
        "--file=/srv/my project/docker/dev/Dockerfile",
        "--target=run",
        "--platform=linux/amd64",
        "--build-arg",
        "A=b c",
        "--build-arg",
        "KEY",
        "--pull",
        "--no-cache",
        "--label",
        "io.workbench.owner=7",
        "--label",
        "io.workbench.project=/srv/my project/docker/dev",
        "/srv/my project",
    )
    assert "s3" not in repr(build)


@pytest.mark.parametrize(
    ("program", "said", "words"),
    [
        ("docker", {}, ["--log-driver=json-file", "--log-opt", "max-size=10m", "--log-opt", "max-file=3"]),
        ("podman", {}, ["--log-driver=k8s-file", "--log-opt", "max-size=10m"]),
        # Options that were said are for the driver that the engine has.
        ("docker", {"tag": "x"}, ["--log-opt", "tag=x"]),
    ],
)
def test_the_log_of_a_container_does_not_grow_without_end(program: str, said: dict[str, str], words: list[str]) -> None:
    command = run_command(ImageRun("x", "image", RunSpec(log_opts=said), {}), program)
    first = next(place for place, word in enumerate(command) if word.startswith("--log"))
    assert list(command[first : first + len(words)]) == words
    assert sum(word.startswith("--log") for word in command) == sum(word.startswith("--log") for word in words)


@pytest.mark.parametrize(
    ("pull", "on_force", "force", "expected"),
    [(True, False, False, True), (False, True, False, False), (False, True, True, True), (False, False, True, False)],
)
def test_when_a_newer_base_is_looked_for(pull: bool, on_force: bool, force: bool, expected: bool) -> None:
    spec = ImageSpec("dev", folder="dev", build=BuildSpec(pull=pull, pull_on_force=on_force))
    assert [build.pull for build in plan_builds(PROJECT, [spec], PLAIN, "ada", owner="7", force=force)] == [expected]


@pytest.mark.parametrize(
    ("dockerfile", "target", "expected"),
    [
        (
            b"FROM x AS builder\nFROM y\n",
            None,
            [("my-project-dev-builder:ada", "builder"), ("my-project-dev:ada", None)],
        ),
        (
            b"from x as Builder \nFROM y\n",
            None,
            [("my-project-dev-builder:ada", "builder"), ("my-project-dev:ada", None)],
        ),
        (b"FROM x AS builder\n", "y", [("my-project-dev-builder:ada", "builder"), ("my-project-dev:ada", "y")]),
        (b"FROM x AS builder\n", "builder", [("my-project-dev:ada", "builder")]),
        (
            b"FROM x AS builders\n# FROM x AS builder\nRUN echo FROM x AS builder\n",
            None,
            [("my-project-dev:ada", None)],
        ),
        (b"\xff FROM\n", None, [("my-project-dev:ada", None)]),
    ],
)
def test_a_builder_stage_is_tagged(
    dockerfile: bytes, target: str | None, expected: list[tuple[str, str | None]]
) -> None:
    spec = ImageSpec("dev", folder="dev", build=BuildSpec(target=target))
    builds = plan_builds(PROJECT, [spec], {"dev": Folder(dockerfile)}, "ada", owner="7", force=False)
    assert [(build.tag, build.target) for build in builds] == expected


def test_an_image_that_exists_is_not_built() -> None:
    assert (
        plan_builds(PROJECT, [ImageSpec("ds", name="x", tag="y", prefix=False)], {}, "ada", owner="7", force=True) == ()
    )


@pytest.fixture(params=["docker", "podman"])
def at(request: pytest.FixtureRequest) -> Iterator[Engine]:
    return engine(request.param)


def test_the_command_does_it_and_the_engine_obeys_dockerignore(at: Engine, tmp_path: Path) -> None:
    """With a folder, a value and a variable of the user's that a shell would take for more than text."""
    root, folder, value = tmp_path / "a b;$(id)", "--x $(id)", "$(id) 'q' \"d\" ü, --privileged"
    for name, text in {
        f"docker/{folder}/Dockerfile": "FROM scratch AS builder\nCOPY . /sent/\nFROM builder\nARG A\nARG KEY\n"
        'LABEL a="${A}" key="${KEY}"\n',
        ".dockerignore": "# ours\n**/*.pyc\n/data\n!data/keep.txt\n.git\n",
        "kept.py": "",
        "deep/er/gone.pyc": "",
        "data/gone.csv": "",
        "data/keep.txt": "",
        ".git/gone": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    name = f"workbench-test-{uuid.uuid4().hex[:8]}"
    spec = ImageSpec(folder, folder=folder, build=BuildSpec({"A": value}, {"KEY": value}))
    dockerfile = (root / "docker" / folder / "Dockerfile").read_bytes()
    builds = plan_builds(Project(root, name), [spec], {folder: Folder(dockerfile)}, "ada", owner="7", force=False)
    tags = [build.tag for build in builds]
    assert tags == [f"{name}-x-id-builder:ada", f"{name}-x-id:ada"]
    try:
        for build in builds:
            _, *words = build_command(build, at.name)
            # The builder that Docker has itself: a client that has another one of its own would not tell the engine.
            env = {**os.environ, **at.env, "DOCKER_BUILDKIT": "1", "BUILDX_BUILDER": "default", **build.private}
            program = ["podman", "--remote", "--url", at.host] if at.name == "podman" else [_client(), "-H", at.host]
            done = subprocess.run([*program, *words], env=env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        labels = '{{index .Config.Labels "a"}}\n{{index .Config.Labels "key"}}'
        assert at.docker("inspect", "--format", labels, tags[1]).splitlines() == [value, value]
        container = at.docker("create", tags[1], "none").strip()
        try:
            archive = tmp_path / "container.tar"
            at.docker("export", "-o", str(archive), container)
        finally:
            at.docker("rm", container)
        listed = subprocess.run(["tar", "-tf", archive], capture_output=True, text=True, check=True).stdout.split("\n")
        assert {each for each in listed if each.startswith("sent/") and not each.endswith("/")} == {
            "sent/.dockerignore",
            "sent/data/keep.txt",
            f"sent/docker/{folder}/Dockerfile",
            "sent/kept.py",
        }
    finally:
        at.docker("rmi", "-f", *tags)


def _client() -> str:
    return str(Path(require("docker-cli")) / "docker")
