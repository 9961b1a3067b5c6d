"""The mounted project becomes an editable install, whatever builds it; what fails is said, and imports work still."""

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from serving import free_port, serving

from workbench.inside import environment, install, uv
from workbench.inside.lacking import lacking_requirements
from workbench.inside.place import Place

MODULE = '"""A sample."""\n__version__ = "1"\n'
PROJECT = '[project]\nname = "sample"\nversion = "1"\ndescription = "x"\n'
POETRY = '[tool.poetry]\nname = "sample"\nversion = "1"\ndescription = "x"\nauthors = ["A <a@example.org>"]\n'
SETUP = (
    'from setuptools import setup\nsetup(name="sample", version="1", package_dir={"": "src"}, packages=["sample"])\n'
)


def build_system(requires: str, backend: str) -> str:
    return f'[build-system]\nrequires = ["{requires}"]\nbuild-backend = "{backend}"\n'


PROJECTS = {
    "hatchling": {"pyproject.toml": build_system("hatchling", "hatchling.build") + PROJECT},
    "setuptools": {"pyproject.toml": build_system("setuptools>=64", "setuptools.build_meta") + PROJECT},
    "flit": {"pyproject.toml": build_system("flit_core>=3.4", "flit_core.buildapi") + PROJECT},
    "poetry": {"pyproject.toml": build_system("poetry-core", "poetry.core.masonry.api") + POETRY},
    "uv": {"pyproject.toml": build_system("uv_build", "uv_build") + PROJECT},
    "setup.py": {"setup.py": SETUP},
}


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An environment with nothing in it."""
    uv.uv(tmp_path, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv"))
    return tmp_path / "venv"


def make_project(folder: Path, files: dict[str, str]) -> Path:
    (folder / "src" / "sample").mkdir(parents=True)
    (folder / "src" / "sample" / "__init__.py").write_text(MODULE)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def prepare(project: Path, venv: Path) -> None:
    """What the image build does for a project: its build requirements, without its source."""
    copy = project.parent / "copy"
    copy.mkdir()
    for file in project.glob("*.*"):
        shutil.copy(file, copy) if file.is_file() else None
    data = environment.read_toml(copy / "pyproject.toml") if (copy / "pyproject.toml").exists() else {}
    environment.build_hooks(copy, data, venv, metadata=False)


def run(project: Path, venv: Path, tmp_path: Path) -> install.Outcome:
    """The live install."""
    (tmp_path / "run").mkdir()
    delivered = threading.Event()
    delivered.set()
    place = Place("demo", project, tmp_path / "run", venv, install=True)
    return install.begin(place, delivered).result(timeout=120)


def imported(venv: Path) -> str:
    code = "import sample, sys; sys.stdout.write(sample.__file__)"
    argv = [str(venv / "bin" / "python"), "-c", code]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("kind", PROJECTS)
def test_every_build_backend_without_a_network(
    tmp_path: Path, venv: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "my project, ünï", PROJECTS[kind])
    prepare(project, venv)
    monkeypatch.setenv("UV_OFFLINE", "1")
    outcome = run(project, venv, tmp_path)
    assert outcome.state == "installed", outcome
    assert imported(venv) == str(project / "src" / "sample" / "__init__.py")
    assert json.loads((tmp_path / "run" / "install.json").read_text())["state"] == "installed"
    (project / "src" / "sample" / "late.py").write_text("")
    subprocess.run([str(venv / "bin" / "python"), "-c", "import sample.late"], check=True)


def test_a_project_that_cannot_be_built_can_be_imported(
    tmp_path: Path, venv: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    project = make_project(tmp_path / "p", {"pyproject.toml": build_system("no-such-thing", "nowhere") + PROJECT})
    outcome = run(project, venv, tmp_path)
    assert outcome.state == "path" and outcome.detail
    assert imported(venv) == str(project / "src" / "sample" / "__init__.py")
    said = capsys.readouterr().err
    assert "can be imported all the same" in said and outcome.detail[-1] in said


def test_requirements_that_only_the_source_tells_are_installed_and_said(
    tmp_path: Path, venv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = SETUP.replace('version="1"', 'version="1", install_requires=open("src/needs").read().split()')
    project = make_project(tmp_path / "p", {"setup.py": script})
    (project / "src" / "needs").write_text("six==1.16.0\nnever;python_version<'3'")
    prepare(project, venv)
    assert run(project, venv, tmp_path).state == "installed"
    assert list(venv.glob("lib/*/site-packages/six-1.16.0.dist-info"))
    assert "six==1.16.0" in capsys.readouterr().err
    assert lacking_requirements(next(venv.glob("lib/*/site-packages")), project) == []


def test_nothing_to_install(tmp_path: Path, venv: Path) -> None:
    outcome = install.begin(Place("demo", tmp_path, tmp_path, venv), threading.Event()).result(timeout=1)
    assert outcome.state == "none"


def test_a_kernel_imports_the_live_project_and_sees_it_change(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", PROJECTS["hatchling"])
    prepare_folder(project, tmp_path)
    with serving(tmp_path, free_port(), project, tmp_path / "venv") as server, server.jupyter.kernel() as kernel:
        assert kernel.run("import sample, sys; print(sample.__version__, sys.prefix)").ok() == f"1 {tmp_path}/venv\n"
        (project / "src" / "sample" / "__init__.py").write_text("__version__ = 'changed'\n")
        kernel.run("import importlib; importlib.reload(sample)").ok()
        assert "changed" in kernel.run("print(sample.__version__)").ok()
        assert kernel.run("!which python pip").ok().split() == [
            f"{tmp_path}/venv/bin/{name}" for name in ("python", "pip")
        ]
        assert "project installed live" in server.log


def test_a_kernel_waits_for_an_install_that_takes_its_time(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", {"setup.py": f"import time; time.sleep(3)\n{SETUP}"})
    prepare_folder(project, tmp_path)
    with serving(tmp_path, free_port(), project, tmp_path / "venv") as server:
        assert "project installed live" not in server.log, "the server was to come first"
        server.jupyter.run("import sample")


def prepare_folder(project: Path, folder: Path) -> None:
    """An environment at `venv` in `folder`, as a build makes it."""
    dependencies = folder / "dependencies"
    dependencies.mkdir()
    for name in ("pyproject.toml", "setup.py"):
        if (project / name).exists():
            shutil.copy(project / name, dependencies)
    assert environment.main([str(dependencies), str(folder / "venv"), "--python", sys.executable]) == 0
