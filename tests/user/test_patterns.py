"""The patterns of docker/, in a project that has copied them: what each is for, with real builds and containers."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.person import MakePerson, Person
from support.require import require

from user.test_devices import with_gpu

CHECKOUT = Path(__file__).parents[2]
SETTINGS = """
[tool.workbench.images.base]
build-args = {{ BASE_IMAGE = "{base}" }}

[tool.workbench.images.tensorflow]
build-args = {{ CPU = "markdown-it-py==3.0.0", GPU = "markdown-it-py==4.0.0" }}
"""
"""What this machine has instead of Python's official image, and small packages instead of TensorFlow."""
TAGGED = """
git init --quiet && git add --all
git -c user.name=Me -c user.email=me@example.org commit --quiet --message=First && git tag v1.2.3
"""


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.xdist_group(f"patterns-{name}")) for name in ("docker", "podman")],
)
def at_work(request: pytest.FixtureRequest, somebody_for_long: MakePerson) -> Iterator[tuple[Person, Path]]:
    """Somebody, with a project that has the patterns, in git, and its base built; on Docker a normal user."""
    me = somebody_for_long(request.param, normal=request.param == "docker")
    root = me.project("patterns")
    shutil.copytree(CHECKOUT / "docker", root / "docker", ignore=shutil.ignore_patterns("notebook"))
    shutil.copy(CHECKOUT / ".dockerignore", root)
    about = root / "pyproject.toml"
    me.write(about, about.read_text() + SETTINGS.format(base=require("base-image")))
    me.give(root)
    me.run("sh", "-ec", TAGGED, cwd=root).ok()
    me.run("build-image", "base", cwd=root).ok()
    yield me, root
    me.run("build-image", "clean", cwd=root).ok()


@contextmanager
def written(me: Person, files: dict[Path, str]) -> Iterator[None]:
    """Files with another content for a while."""
    before = {path: path.read_text() if path.exists() else None for path in files}
    for path, text in files.items():
        me.write(path, text)
    try:
        yield
    finally:
        for path, content in before.items():
            path.unlink() if content is None else me.write(path, content)


INSTALLED = """
import importlib.util
from importlib.metadata import version
print(importlib.util.find_spec("beacon"), *map(version, ("iniconfig", "tabulate", "pytest")), version("setuptools_scm"))
"""


def test_base_has_everything_but_the_project(at_work: tuple[Person, Path]) -> None:
    me, root = at_work
    found = me.run("run-image", "base", "--network", "none", "--", "python", "-I", "-c", INSTALLED, cwd=root).ok()
    assert found.out.startswith("None 2.1.0 0.9.0 8.4.2 "), found


WHERE = "import beacon; from importlib.metadata import version; print(beacon.__file__, version('beacon'))"


def test_cicd_tests_what_is_installed(at_work: tuple[Person, Path]) -> None:
    me, root = at_work
    me.run("build-image", "cicd", cwd=root).ok()
    assert "1 passed" in me.run("run-image", "cicd", cwd=root).ok().out
    file, version = me.run("run-image", "cicd", "--", "python", "-I", "-c", WHERE, cwd=root).ok().out.split()
    assert file.startswith("/opt/venv/lib/"), file
    assert (root / "_version.env.bld").read_text().endswith(f"={version}\n") and version.startswith("1.2.")
    assert ".git" not in me.run("run-image", "cicd", "--", "ls", "-A", cwd=root).ok().out.split()


def test_an_edit_of_the_source_makes_only_old_what_has_it(at_work: tuple[Person, Path]) -> None:
    me, root = at_work
    me.run("build-image", "cicd", "dev", cwd=root).ok()
    module = root / "beacon/__init__.py"
    with written(me, {module: module.read_text() + "# edited\n"}):
        listed = me.run("workbench", "images", "--json", cwd=root).ok().json()
    changed = {each["name"]: each["changed"] for each in listed if each["name"] in ("base", "cicd", "dev")}
    assert changed == {"base": [], "cicd": ["beacon/ changed"], "dev": []}


FAILING = """
from beacon._version import WHAT

def test():
    assert WHAT == "something else"
"""


def test_cicd_fails_when_a_test_does_and_has_versioneers_version(at_work: tuple[Person, Path]) -> None:
    me, root = at_work
    files = {
        root / "tests/test_failing.py": FAILING,
        root / "setup.cfg": "[versioneer]\nversionfile_source = beacon/_version.py\n",
        root / "_version.py.bld": "WHAT = '7.8.9'\n",
    }
    with written(me, files):
        me.run("build-image", "cicd", cwd=root).ok()
        ran = me.run("run-image", "cicd", cwd=root)
    assert ran.code == 1, ran
    assert "assert '7.8.9' == 'something else'" in ran.out and "1 failed, 1 passed" in ran.out, ran


FETCH = """
RUN --mount=type=secret,id=ca.pem --mount=type=secret,id=network.env \\
    sh /opt/build/with-network pip download --quiet --no-deps --retries 0 iniconfig==2.1.0
"""


def test_cicd_cannot_fetch_anything(at_work: tuple[Person, Path]) -> None:
    me, root = at_work
    dockerfile, cfg = root / "docker/cicd/Dockerfile", root / "docker/dockerutils.cfg"
    with written(me, {dockerfile: dockerfile.read_text() + FETCH}):
        text = me.run("build-image", "cicd", cwd=root).fails(4)
        assert "iniconfig" in text, text
        # With a network the very same line succeeds.
        with written(me, {cfg: cfg.read_text().replace("--network none", "")}):
            me.run("build-image", "cicd", cwd=root).ok()


def test_cicd_is_built_without_workbench_too(at_work: tuple[Person, Path]) -> None:
    me, root = at_work
    base = f"patterns-base:{me.name or 'root'}"
    options = ("--network=none", f"--build-arg=BASE={base}", f"--file={root}/docker/cicd/Dockerfile")
    program, tag = me.engine.name, "patterns-by-hand"
    try:
        me.run(program, "build", *options, f"--tag={tag}", root, env={"DOCKER_BUILDKIT": "1"}).ok()
        assert "1 passed" in me.run(program, "run", "--rm", tag).ok().out
    finally:
        me.run(program, "rmi", tag)


ASKING = 'beacon && id -u && touch ready && while [ ! -e edited ]; do sleep 0.1; done && beacon && python -c "$0"'


def test_dev_sees_edits_at_once_and_writes_files_of_mine(at_work: tuple[Person, Path]) -> None:
    me, root = at_work
    me.run("build-image", "dev", cwd=root).ok()
    module, ready = root / "beacon/__init__.py", root / "ready"
    with written(me, {root / "edited": ""}):
        (root / "edited").unlink()
        running = me.start("run-image", "--network", "none", "dev", "--", "sh", "-c", ASKING, WHERE, cwd=root)
        while not ready.exists() and running.poll() is None:
            time.sleep(0.05)
        with written(me, {module: module.read_text().replace("green", "yellow")}):
            me.write(root / "edited", "")
            ran = me.wait(running).ok()
    before, after = ran.out.split(f"{me.ids[0]}\n")
    assert before == "north  red\nsouth  green\n"
    assert after.startswith("north  red\nsouth  yellow\n/workdir/beacon/__init__.py 1.2."), ran
    ready.unlink()
    assert not [path for path in root.rglob("*") if (path.lstat().st_uid, path.lstat().st_gid) != me.ids]


SESSION = """
command -v python
pytest -q tests/test_beacon.py
pip uninstall --yes tabulate
touch of-the-session
"""


def test_a_shell_in_dev(at_work: tuple[Person, Path]) -> None:
    me, root = at_work
    me.run("build-image", "dev", cwd=root).ok()
    me.write(root / "session", SESSION)
    ran = me.run("sh", "-c", "run-image shell < session", cwd=root).ok()
    assert "/bin/bash -l" in ran.err
    assert ran.out.startswith("/opt/venv/bin/python\n") and "1 passed" in ran.out, ran
    # The environment may be changed, until the container ends.
    assert "Successfully uninstalled tabulate" in ran.out, ran
    made = (root / "of-the-session").stat()
    assert (made.st_uid, made.st_gid) == me.ids


OURS = "import markdown_it, mdurl, beacon; print(markdown_it.__version__, mdurl.__file__, beacon.__file__)"


def test_one_framework_in_two_builds(at_work: tuple[Person, Path]) -> None:
    me, root = at_work
    # Built on dev, which comes along where it is not there.
    me.run("build-image", "tensorflow", cwd=root).ok()
    code = ("tensorflow", "--", "python", "-c", OURS)
    cpu = me.run("run-image", *code, cwd=root).ok().out.split(maxsplit=1)
    gpu = me.run("run-image", "-g", *code, cwd=root, env=with_gpu(me)).ok().out.split(maxsplit=1)
    assert (cpu[0], gpu[0]) == ("3.0.0", "4.0.0")
    assert cpu[1] == gpu[1] and "/opt/venv/lib/" in cpu[1] and "/workdir/beacon/" in cpu[1]

    switching = 'for each in gpu cpu gpu; do source "/$each-env"; python -c "$0"; done; bash -lc "command -v python"'
    ran = me.run("run-image", "tensorflow", "--", "bash", "-c", switching, OURS, cwd=root).ok().out.splitlines()
    assert [line.split()[0] for line in ran] == ["4.0.0", "3.0.0", "4.0.0", "/opt/gpu/bin/python"]


def test_the_dockerignore_here_has_all_that_a_good_one_has(somebody: MakePerson) -> None:
    me = somebody("local")
    root = me.project()
    me.write(root / ".dockerignore", (CHECKOUT / ".dockerignore").read_text())
    assert me.run("build-image", "--init", cwd=root).ok().out == ".dockerignore is there and stays as it is.\n"
