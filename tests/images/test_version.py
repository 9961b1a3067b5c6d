"""`genversion`: with real tools, and real builds without `.git` that then have the right version."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from workbench import project
from workbench.cli import genversion
from workbench.errors import ProjectError
from workbench.images import version
from workbench.images.version import Source, source
from workbench.inside import install, uv
from workbench.inside.place import Place

GIT = ("git", "-c", "user.name=A", "-c", "user.email=a@localhost")
BUILD = (
    '[build-system]\nrequires = [{}]\nbuild-backend = "{}"\n[project]\nname = "Sample.Thing"\ndynamic = ["version"]\n'
)
SCM = BUILD.format('"setuptools>=64", "setuptools-scm>=8"', "setuptools.build_meta") + "[tool.setuptools_scm]\n"
HATCH = BUILD.format('"hatchling", "hatch-vcs"', "hatchling.build") + '[tool.hatch.version]\nsource = "vcs"\n'
OLD = """from setuptools import setup
setup(name="Sample.Thing", use_scm_version=True, setup_requires=["setuptools-scm>=8"], packages=["sample"])
"""
VERSIONEER = """[versioneer]
VCS = git
style = pep440
versionfile_source = sample/_version.py
versionfile_build = sample/_version.py
tag_prefix = v
parentdir_prefix = sample-
"""
SETUP = """import sys; sys.path.insert(0, ".")
import versioneer
from setuptools import setup
setup(name="Sample.Thing", version=versioneer.get_version(), cmdclass=versioneer.get_cmdclass(), packages=["sample"])
"""


def run(*argv: str, cwd: Path) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def repository(root: Path, files: Mapping[str, str]) -> Path:
    """A project whose last commit is one after the tag v1.2.3."""
    for name, text in {"sample/__init__.py": "", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    if "[versioneer]" in files.get("setup.cfg", ""):
        run(uv.uv_program(), "run", "-q", "--no-project", "--with=versioneer==0.29", "versioneer", "install", cwd=root)
    run("git", "init", "-q", cwd=root)
    run("git", "add", ".", cwd=root)
    run(*GIT, "commit", "-qm", "one", cwd=root)
    run("git", "tag", "v1.2.3", cwd=root)
    run(*GIT, "commit", "-q", "--allow-empty", "-m", "two", cwd=root)
    return root


def without_git(root: Path, folder: Path) -> Path:
    """What a container sees of the project."""
    return Path(shutil.copytree(root, folder, ignore=shutil.ignore_patterns(".git")))


def installed(root: Path, tmp_path: Path) -> str:
    """The version that the project has after a workbench installed it live."""
    venv = tmp_path / "venv"
    uv.uv(tmp_path, "venv", "--quiet", "--python", sys.executable, str(venv))
    (tmp_path / "run").mkdir()
    delivered = threading.Event()
    delivered.set()
    outcome = install.begin(Place("demo", root, tmp_path / "run", venv, install=True), delivered).result(timeout=300)
    assert outcome.state == "installed", outcome
    return run(
        str(uv.interpreter(venv)),
        "-c",
        "import importlib.metadata as m; print(m.version('sample-thing'))",
        cwd=tmp_path,
    ).strip()


@pytest.mark.parametrize(
    ("files", "variable"),
    [
        ({"pyproject.toml": SCM + '[tool.setuptools]\npackages = ["sample"]\n'}, "_FOR_SAMPLE_THING"),
        ({"pyproject.toml": HATCH + '[tool.hatch.build.targets.wheel]\npackages = ["sample"]\n'}, ""),
        ({"setup.py": OLD}, ""),
    ],
    ids=["setuptools-scm", "hatch-vcs", "use_scm_version"],
)
def test_what_is_installed_without_git_has_the_version(files: dict[str, str], variable: str, tmp_path: Path) -> None:
    root = repository(tmp_path / "project", files)
    name, found = version.generate(project.find(root)) or ("", "")
    commit = run("git", "rev-parse", "--short=9", "HEAD", cwd=root).strip()
    assert name == "_version.env.bld"
    assert found.startswith(f"1.2.4.dev1+g{commit[:7]}")
    assert (root / name).read_text() == f"SETUPTOOLS_SCM_PRETEND_VERSION{variable}={found}\n"
    assert run("git", "status", "--porcelain", cwd=root).split() == ["??", name]
    assert installed(without_git(root, tmp_path / "copy"), tmp_path) == found


def test_versioneer(tmp_path: Path) -> None:
    root = repository(tmp_path / "project", {"setup.cfg": VERSIONEER, "setup.py": SETUP})
    assert (root / "versioneer.py").exists()
    name, found = version.generate(project.find(root)) or ("", "")
    assert (name, found[:8]) == ("_version.py.bld", "1.2.3+1.")
    assert run("git", "status", "--porcelain", cwd=root).split() == ["??", name]
    image = without_git(root, tmp_path / "copy")
    shutil.copy(image / name, image / "sample" / "_version.py")  # as its Dockerfile does
    asked = run(sys.executable, "-c", "import sample; print(sample.__version__)", cwd=image)
    assert asked.strip() == found
    assert installed(image, tmp_path) == found


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"pyproject.toml": b"[project]\nname = 'x'\nversion = '1'\n"}, None),
        ({"setup.py": b"setup(version='1')"}, None),
        ({"pyproject.toml": b"build-system = 3"}, None),
        ({"pyproject.toml": b"[build-system]\nrequires = ['-x', 'setuptools']\n"}, None),
        (
            {"pyproject.toml": b"[build-system]\nrequires = ['setuptools', 'Setuptools_SCM[toml]>=6']\n"},
            Source(
                "setuptools-scm",
                ("setuptools", "Setuptools_SCM[toml]>=6"),
                ("-m", "setuptools_scm"),
                "SETUPTOOLS_SCM_PRETEND_VERSION",
            ),
        ),
        (
            {"setup.py": b"setup(use_scm_version=True)"},
            Source(
                "setuptools-scm",
                ("setuptools", "setuptools-scm"),
                ("setup.py", "--quiet", "--version"),
                "SETUPTOOLS_SCM_PRETEND_VERSION",
            ),
        ),
        (
            {"pyproject.toml": b"[build-system]\nrequires = ['versioneer']\n[tool.versioneer]\nVCS = 'git'\n"},
            Source("versioneer", ("versioneer",), ("-c", version._ASK_VERSIONEER)),
        ),
    ],
)
def test_what_tells_the_version(files: dict[str, bytes], expected: Source | None) -> None:
    assert source(files) == expected


def test_a_project_without_a_version_from_git(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "setup.py").write_text("")
    genversion.genversion([str(tmp_path)], standalone_mode=False)
    assert "does not take its version from git" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["setup.py"]


def test_what_cannot_tell_says_so(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(SCM)
    with pytest.raises(ProjectError) as caught:
        version.generate(project.find(tmp_path))
    assert caught.value.message == f"setuptools-scm cannot tell the version of {tmp_path.name}."
    assert caught.value.detail
    assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]


def test_what_is_no_version_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("use_scm_version = True\nprint('1; rm -rf /')\n")
    with pytest.raises(ProjectError, match="is no version of a Python package"):
        version.generate(project.find(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["setup.py"]
