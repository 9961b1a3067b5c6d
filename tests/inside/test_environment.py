"""Dependency files become one environment; what cannot be had is said."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from workbench.inside import environment, uv

STATIC = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "sample"
version = "1"
readme = "README.md"
dependencies = ["six==1.16.0"]
[project.optional-dependencies]
dev = ["idna<3.8"]
"""


def files(folder: Path, **content: str) -> Path:
    for name, text in content.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def create(dependencies: Path, venv: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-P", "-m", environment.__name__, str(dependencies), str(venv), *options]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def versions(venv: Path) -> dict[str, str]:
    code = "import json, importlib.metadata as m; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    done = subprocess.run([str(venv / "bin" / "python"), "-c", code], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_all_files_make_one_environment(tmp_path: Path) -> None:
    files(
        tmp_path / "in", pyproject_toml=STATIC, requirements_txt="-e .[dev]\n-r more.txt\n", more_txt="toml==0.10.2\n"
    )
    done = create(tmp_path / "in", tmp_path / "env")
    assert done.returncode == 0, done.stdout + done.stderr
    have = versions(tmp_path / "env")
    assert (have["six"], have["toml"]) == ("1.16.0", "0.10.2")
    assert have["idna"].startswith("3.") and int(have["idna"].split(".")[1]) < 8
    assert {"ipykernel", "pip"} <= have.keys()
    assert "sample" not in have
    assert (tmp_path / "env" / environment.BUILD_FOLDER / "hatchling").is_dir()
    assert (tmp_path / "env" / environment.BUILD_FOLDER / "editables").is_dir()
    assert "'.[dev]' is the project's own" in done.stdout
    assert list((tmp_path / "env").glob("lib/*/site-packages/__pycache__/six.*.pyc"))


def test_a_conflict_between_files_ends_with_the_words_of_uv(tmp_path: Path) -> None:
    files(tmp_path / "in", pyproject_toml=STATIC, requirements_txt="six==1.15.0\n")
    done = create(tmp_path / "in", tmp_path / "env")
    assert done.returncode == 1
    last = " ".join(done.stdout.split()[-40:])
    assert "six==1.15.0" in last and "six==1.16.0" in last and "unsatisfiable" in last


def test_a_lock_holds_against_the_other_files(tmp_path: Path) -> None:
    lock = 'lock-version = "1.0"\ncreated-by = "hand"\n[[packages]]\nname = "sample"\ndirectory = { path = "." }\n'
    folder = files(tmp_path / "in", pylock_toml=lock + locked("six", "1.16.0"), requirements_txt="six==1.15.0\n")
    done = create(folder, tmp_path / "env")
    assert done.returncode == 1
    assert "six==1.15.0 and six==1.16.0" in " ".join(done.stdout.split())


def locked(name: str, version: str) -> str:
    """A package of a `pylock.toml`, with the file that the index offers for it."""
    argv = [uv.uv_program(), "pip", "compile", "-", "--no-deps", "--format", "pylock.toml", "-q"]
    done = subprocess.run(argv, input=f"{name}=={version}", capture_output=True, text=True, check=True)
    return "[[packages]]" + done.stdout.split("[[packages]]", 1)[1]


def test_what_is_apart_is_left_out_whoever_asks_for_it(tmp_path: Path) -> None:
    text = "-e .[dev]\npython-dateutil==2.8.2\nSix\n"
    files(tmp_path / "in", pyproject_toml=STATIC, requirements_txt=text)
    done = create(tmp_path / "in", tmp_path / "env", "--apart", "six,idna")
    assert done.returncode == 0, done.stdout + done.stderr
    have = versions(tmp_path / "env")
    assert have["python-dateutil"] == "2.8.2"
    assert {"ipykernel", "pip"} <= have.keys()
    assert not {"six", "idna"} & have.keys()


def test_what_is_apart_leaves_a_lock_with_what_only_it_needs(tmp_path: Path) -> None:
    wanted = 'requires-python = ">=3.11"\ndependencies = ["jinja2", "six==1.15.0"]\n'
    text = f'[project]\nname = "locked"\nversion = "1"\n{wanted}'
    files(tmp_path / "in", pyproject_toml=text)
    uv.uv(tmp_path / "in", "lock", "--quiet")
    done = create(tmp_path / "in", tmp_path / "env", "--apart", "jinja2")
    assert done.returncode == 0, done.stdout + done.stderr
    have = versions(tmp_path / "env")
    assert have["six"] == "1.15.0"
    assert not {"jinja2", "Jinja2", "markupsafe", "MarkupSafe", "locked"} & have.keys()


def test_what_is_apart_is_taken_out_of_a_pylock(tmp_path: Path) -> None:
    lock = 'lock-version = "1.0"\ncreated-by = "hand"\n' + locked("six", "1.16.0") + locked("toml", "0.10.1")
    done = create(files(tmp_path / "in", pylock_toml=lock), tmp_path / "env", "--apart", "six")
    assert done.returncode == 0, done.stdout + done.stderr
    have = versions(tmp_path / "env")
    assert have["toml"] == "0.10.1"
    assert "six" not in have


@pytest.mark.parametrize("text", ["broken = [", "[project\n"])
def test_a_broken_pyproject_is_named(tmp_path: Path, text: str) -> None:
    done = create(files(tmp_path / "in", pyproject_toml=text), tmp_path / "env")
    assert done.returncode == 1
    assert "pyproject.toml" in done.stdout and "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        ("-e .", True),
        ("--editable=./lib", True),
        (".", True),
        (".[dev]", True),
        ("../other  # beside", True),
        ("name @ file:///srv/name", True),
        ("/srv/wheels/x.whl", True),
        ("-e git+https://example.org/x.git#egg=x", False),
        ("six==1.16.0", False),
        ("name @ https://example.org/name.zip", False),
        ("--extra-index-url https://example.org/simple", False),
        ("# -e .", False),
    ],
)
def test_lines_that_name_local_folders_are_taken_out(tmp_path: Path, line: str, taken: bool) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(f"{line}\n", encoding="utf-8")
    environment.take_out_local(file, set(), set())
    assert (line not in file.read_text(encoding="utf-8")) == taken


def test_included_files_are_read_once_and_cleaned_too(tmp_path: Path) -> None:
    files(tmp_path, requirements_txt="-r more/a.txt\n", more__a_txt="-r ../requirements.txt\n-e .[x, y]\nsix\n")
    extras: set[str] = set()
    environment.take_out_local(tmp_path / "requirements.txt", extras, set())
    assert extras == {"x", "y"}
    assert (tmp_path / "more" / "a.txt").read_text() == "-r ../requirements.txt\nsix\n"


@pytest.mark.parametrize(
    ("line", "extras", "wanted"),
    [
        ("six", set(), ["six"]),
        ("six ; python_version >= '3'", set(), ["six ; python_version >= '3'"]),
        ("idna ; extra == 'dev'", set(), []),
        ("idna ; extra == 'dev'", {"dev"}, ["idna"]),
        ('idna ; python_version >= "3" and extra == "dev"', {"dev"}, ['idna ; python_version >= "3"']),
    ],
)
def test_requirements_of_metadata(line: str, extras: set[str], wanted: list[str]) -> None:
    metadata = f"Metadata-Version: 2.1\nName: x\nRequires-Dist: {line}\n\nRequires-Dist: in the description\n"
    assert list(environment.required(metadata, extras)) == wanted


def test_dependencies_of_a_setup_script_that_wants_its_source(tmp_path: Path) -> None:
    script = 'from setuptools import setup\nN = ["six>=1"]\nsetup(version=open("pkg/v").read(), install_requires=N)\n'
    assert environment.literal_requirements(files(tmp_path, setup_py=script)) == ["six>=1"]


def test_dependencies_of_setup_cfg(tmp_path: Path) -> None:
    text = "[options]\ninstall_requires =\n    six\n    idna; python_version > '3'\n"
    assert environment.literal_requirements(files(tmp_path, setup_cfg=text)) == ["six", "idna; python_version > '3'"]


METADATA = {
    "setup_py": 'from setuptools import setup\nsetup(name="s", long_description=open("README.md").read(),'
    ' install_requires=["six"], extras_require={"d": ["idna"]})\n',
    "setup_cfg": "[metadata]\nname = s\n[options]\npackages = find:\ninstall_requires = six\n",
}
POETRY = """
[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
[tool.poetry]
name = "my-sample"
version = "1"
description = ""
authors = []
readme = "README.md"
packages = [{ include = "sample", from = "src" }]
[tool.poetry.dependencies]
python = ">=3.9"
six = ">=1.16"
"""


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing in it."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    uv.uv(folder.parent, "venv", "--quiet", "--python", sys.executable, str(folder))
    return folder


@pytest.mark.parametrize("name", ["setup_py", "setup_cfg", "pyproject_toml"])
def test_metadata_is_asked_of_the_build_backend(tmp_path: Path, venv: Path, name: str) -> None:
    shutil.rmtree(venv / environment.BUILD_FOLDER, ignore_errors=True)
    files(tmp_path, **{name: METADATA.get(name, POETRY)})
    found = environment.project_arguments(tmp_path, venv, environment.Inputs())
    assert [text.split()[0].split(">")[0] for text in found] == ["six"]


def test_folders_of_the_project_in_uv_sources_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tomllib.loads(
        '[project]\ndependencies = ["six", "My_Lib>=1"]\n[tool.uv.sources]\nmy-lib = { path = "libs/my" }\n'
    )
    assert environment.static_arguments(tmp_path, data, environment.Inputs(), tmp_path) == ["six"]
    assert "my-lib" in capsys.readouterr().out
