"""Where a project is found, what is read of it, and what is refused."""

import os
from pathlib import Path

import pytest

from workbench import project
from workbench.dependencies import allows, python
from workbench.errors import ConfigError, ProjectError, WorkbenchError
from workbench.model import DependencyFile, Project


def write(root: Path, files: dict[str, str]) -> Path:
    """Files of a project, with the folders they need."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def find(path: Path | str, cwd: Path | None = None, home: Path = Path("/nowhere/home")) -> Project:
    return project.find(Path(path), cwd=cwd, home=home)


def names(found: Project) -> list[str]:
    return [file.name for file in found.dependencies]


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("My Project", "my-project"),
        ("Ünïcödé_Größe", "unicode-grosse"),
        ("łódź-Ørsted-Æther", "lodz-orsted-aether"),
        ("データ", "project"),
        ("--", "project"),
        ("", "project"),
        ("a,b:c'd\"e", "a-b-c-d-e"),
        ("x" * 39 + " y", "x" * 39),
        ("İstanbul", "istanbul"),
    ],
)
def test_slug(text: str, slug: str) -> None:
    assert project.slug(text) == slug


def test_a_folder_given_is_the_project(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "numpy"})
    (tmp_path / "notebooks").mkdir()
    assert find(tmp_path / "notebooks").root == tmp_path / "notebooks"
    assert find("notebooks", cwd=tmp_path).root == tmp_path / "notebooks"


def test_without_a_path_the_project_around_is_found(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    write(tmp_path, {"lib/deep/x.py": "", "sub/pyproject.toml": ""})
    assert find(".", cwd=tmp_path / "lib" / "deep").root == tmp_path
    assert find(".", cwd=tmp_path / "sub").root == tmp_path / "sub"


def test_a_notebook_means_the_project_around_it(tmp_path: Path) -> None:
    write(tmp_path, {"setup.py": "", "notebooks/a.ipynb": "{}"})
    assert find(tmp_path / "notebooks" / "a.ipynb").root == tmp_path


def test_with_no_marker_the_folder_itself_is_the_project(tmp_path: Path) -> None:
    home = tmp_path / "home"
    write(tmp_path, {"requirements.txt": "", "home/requirements.txt": "", "home/office/x.txt": ""})
    assert find(".", cwd=home / "office", home=home).root == home / "office"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_climbing_ends_where_the_owner_changes(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": "", "mine/x.txt": ""})
    os.chown(tmp_path / "mine", 12345, 12345)
    assert find(".", cwd=tmp_path / "mine").root == tmp_path / "mine"


@pytest.mark.parametrize("name", ["a b", "ünï", "a,b", "a:b", "it's", 'q"q', "データ", "$(touch x)"])
def test_awkward_names_work(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, {"requirements.txt": "numpy"})
    found = find(tmp_path / name)
    assert found.root == tmp_path / name
    assert names(found) == ["requirements.txt"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("missing", "does not exist"),
        ("data.csv", "neither a folder nor a notebook"),
        ("data.csv/x", "data.csv/x"),
        ("/", "cannot be a project"),
        ("home", "Your home folder"),
        ("loop", "loop"),
        ("a\nb", "line break"),
        ("a\x1b[31mb", "control character"),
        ("a\udcffb", "UTF-8"),
        ("x" * 300, "cannot be opened"),
    ],
)
def test_refused(tmp_path: Path, path: str, words: str) -> None:
    write(tmp_path, {"data.csv": "", "home/x.txt": ""})
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ProjectError) as caught:
        find(path, cwd=tmp_path, home=tmp_path / "home")
    assert words in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_a_link_to_a_folder_with_a_line_break_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a\nb").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a\nb")
    with pytest.raises(ProjectError, match="line break"):
        find(tmp_path / "link")


@pytest.mark.parametrize(("mode", "words"), [(0o000, "cannot be read"), (0o555, "cannot be written to")])
def test_permissions(tmp_path: Path, mode: int, words: str) -> None:
    folder = tmp_path / "p"
    folder.mkdir(mode=0o755)
    folder.chmod(mode)
    if os.geteuid() == 0:
        for parent in (tmp_path, *tmp_path.parents[:3]):
            # pytest's folders are 0700; another user has to get as far as ours.
            parent.chmod(0o755)
    message = as_somebody(folder)
    folder.chmod(0o755)
    assert words in message


def as_somebody(folder: Path) -> str:
    """The message of the error that `find` raises for a user who is not root."""
    if os.geteuid() != 0:
        with pytest.raises(ProjectError) as caught:
            find(folder)
        return caught.value.message
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            os.setuid(65534)
            find(folder)
        except WorkbenchError as error:
            os.write(writing, error.message.encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.wait()
    with os.fdopen(reading, "rb") as pipe:
        return pipe.read().decode()


def test_all_dependency_files_count(tmp_path: Path) -> None:
    wanted = ["uv.lock", "pylock.toml", "requirements.txt", "pyproject.toml", "setup.py", "setup.cfg", "apt.txt"]
    wanted += [".python-version", "runtime.txt", "postBuild", "binder/requirements.txt", ".binder/apt.txt"]
    write(tmp_path, dict.fromkeys([*wanted, "other.txt", "src/setup.py"], ""))
    write(tmp_path, {".python-version": "3.12", "runtime.txt": "python-3.12"})
    assert names(find(tmp_path)) == wanted


def test_included_requirements(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "requirements.txt": "-r deps/base.txt\n--constraint=pins.txt # why\n-r https://example.org/x.txt\n",
            "deps/base.txt": "numpy\n-r more.txt\n-r ../requirements.txt\n",
            "deps/more.txt": "-c'quoted name.txt'\n",
            "deps/quoted name.txt": "",
            "pins.txt": "numpy==2",
            "binder/requirements.txt": "-r ../pins.txt",
        },
    )
    assert sorted(names(find(tmp_path))) == [
        "binder/requirements.txt",
        "deps/base.txt",
        "deps/more.txt",
        "deps/quoted name.txt",
        "pins.txt",
        "requirements.txt",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-r ../out.txt", "requirements.txt:2: ../out.txt lies outside of the project."),
        ("--requirement gone.txt", "requirements.txt:2: gone.txt does not exist."),
        ("-c /etc/passwd", "requirements.txt:2: /etc/passwd lies outside of the project."),
    ],
)
def test_includes_that_cannot_be(tmp_path: Path, line: str, message: str) -> None:
    write(tmp_path, {"out.txt": "", "p/requirements.txt": f"numpy\n{line}\n"})
    with pytest.raises(ProjectError) as caught:
        find(tmp_path / "p")
    assert caught.value.message == message


def test_a_link_to_a_file_outside_is_never_read(tmp_path: Path) -> None:
    write(tmp_path, {"secret": "s", "p/x.txt": ""})
    (tmp_path / "p" / "requirements.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(ProjectError, match="outside of the project"):
        find(tmp_path / "p")


@pytest.mark.parametrize(
    ("content", "message", "detail"),
    [
        (b"[project]\nname = \n", "pyproject.toml:2: not valid TOML: Invalid value.", ("name = ",)),
        (
            b"[project\n",
            "pyproject.toml:1: not valid TOML: Expected ']' at the end of a table declaration.",
            ("[project",),
        ),
        (b'[project]\nx = "', "pyproject.toml:2: not valid TOML: Unterminated string.", ('x = "',)),
        (b"[project]\nx = '\xff'\n", "pyproject.toml:2: not valid UTF-8 text.", ()),
    ],
)
def test_broken_pyproject(tmp_path: Path, content: bytes, message: str, detail: tuple[str, ...]) -> None:
    (tmp_path / "pyproject.toml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        find(tmp_path)
    assert (caught.value.message, caught.value.detail) == (message, detail)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("files", "installable"),
    [
        ({}, False),
        ({"setup.py": ""}, True),
        ({"pyproject.toml": "[tool.ruff]\n"}, False),
        ({"pyproject.toml": "[project]\nname='x'\n"}, True),
        ({"pyproject.toml": "[build-system]\nrequires=[]\n"}, True),
        ({"pyproject.toml": "[project]\nname='x'\n[tool.uv]\npackage=false\n"}, False),
        ({"pyproject.toml": "[project]\nname='x'\n[tool.poetry]\npackage-mode=false\n"}, False),
        ({"pyproject.toml": "[tool.ruff]\n", "setup.cfg": "[metadata]\nname=x\n"}, True),
        ({"pyproject.toml": "tool = 3\n", "setup.cfg": "[flake8]\n"}, False),
        ({"setup.cfg": "[metadata]\nname=x\n"}, False),  # neither pip nor uv installs that
        ({"requirements.txt": "x"}, False),
    ],
)
def test_installable(tmp_path: Path, files: dict[str, str], installable: bool) -> None:
    assert find(write(tmp_path, files)).installable is installable


REQUIRES = "pyproject.toml"


@pytest.mark.parametrize(
    ("files", "version", "source", "notices"),
    [
        ({}, None, "", 0),
        ({".python-version": "3.12.4\n"}, "3.12", ".python-version", 0),
        ({".python-version": "# ours\ncpython-3.14\n"}, "3.14", ".python-version", 0),
        ({".python-version": "my-env\n"}, None, "", 1),
        ({"runtime.txt": "python-3.11"}, "3.11", "runtime.txt", 0),
        ({"binder/runtime.txt": "python-3.12"}, "3.12", "binder/runtime.txt", 0),
        ({"runtime.txt": "r-4.1-2021-01-01"}, None, "", 1),
        ({REQUIRES: ">=3.9"}, "3.13", REQUIRES, 0),
        ({REQUIRES: ">= 3.9, < 4"}, "3.13", REQUIRES, 0),
        ({REQUIRES: ">=3"}, "3.13", REQUIRES, 0),
        ({REQUIRES: "==3.12.*"}, "3.12", REQUIRES, 0),
        ({REQUIRES: "==3.12.4"}, "3.12", REQUIRES, 0),
        ({REQUIRES: "~=3.11"}, "3.13", REQUIRES, 0),
        ({REQUIRES: "<3.13,>=3.10"}, "3.12", REQUIRES, 0),
        ({REQUIRES: ">=3.14"}, "3.14", REQUIRES, 0),
        ({REQUIRES: ">=3.11,!=3.13.*"}, "3.14", REQUIRES, 0),
        ({".python-version": "3.12", "runtime.txt": "python-3.11"}, "3.12", ".python-version", 1),
        ({".python-version": "3.12", REQUIRES: ">=3.13"}, "3.12", ".python-version", 1),
        ({".python-version": "3.12", REQUIRES: ">=3.11"}, "3.12", ".python-version", 0),
        ({"setup.cfg": "[options]\npython_requires = <3.12\n"}, "3.11", "setup.cfg", 0),
    ],
)
def test_python_version(files: dict[str, str], version: str | None, source: str, notices: int) -> None:
    found = python(dependency_files(files))
    assert (found[0], found[1], len(found[2])) == (version, source, notices)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({".python-version": "3.10"}, ".python-version asks for Python 3.10"),
        ({"runtime.txt": "python-2.7"}, "runtime.txt asks for Python 2.7"),
        ({REQUIRES: "==3.9.*"}, "pyproject.toml asks for Python ==3.9.*"),
        ({REQUIRES: "<3.11"}, "<3.11"),
        ({REQUIRES: "three"}, "'three' is not a version specifier"),
    ],
)
def test_python_versions_that_cannot_be(files: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        python(dependency_files(files))
    assert words in caught.value.message
    assert caught.value.hint


def dependency_files(files: dict[str, str]) -> list[DependencyFile]:
    table = '[project]\nrequires-python = "{}"\n'
    return [DependencyFile(n, (table.format(t) if n == REQUIRES else t).encode()) for n, t in files.items()]


@pytest.mark.parametrize("minor", range(9, 16))
def test_the_short_way_agrees_with_packaging(minor: int) -> None:
    for version in ("3.11", "3.13", "3.14"):
        assert allows(f">=3.{minor},<4", version) == allows(f">=3.{minor},<4,!=2.0", version)


def test_conda_is_named(tmp_path: Path) -> None:
    found = find(write(tmp_path, {"environment.yml": "", "requirements.txt": ""}))
    assert names(found) == ["requirements.txt"]
    assert [notice for notice in found.notices if "environment.yml" in notice]


def test_own_dockerfile_and_its_neighbours(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "docker/notebook/Dockerfile": "FROM x\n",
            "docker/notebook/start.sh": "#!/bin/sh\n",
            "docker/notebook/conf/a.json": "{}",
            "docker/notebook/__pycache__/x.pyc": "",
            "docker/other/Dockerfile": "",
        },
    )
    (tmp_path / "docker/notebook/inner").symlink_to("start.sh")
    found = find(tmp_path)
    assert found.dockerfile == DependencyFile("docker/notebook/Dockerfile", b"FROM x\n")
    assert [file.name.removeprefix("docker/notebook/") for file in found.dockerfile_context] == [
        "inner",
        "start.sh",
        "conf/a.json",
    ]


@pytest.mark.parametrize("target", ["/etc/hostname", "/etc", "../other.txt", "gone"])
def test_links_that_leave_the_dockerfile_folder(tmp_path: Path, target: str) -> None:
    write(tmp_path, {"docker/notebook/Dockerfile": "", "docker/other.txt": ""})
    (tmp_path / "docker/notebook/link").symlink_to(target)
    with pytest.raises(ProjectError, match="docker/notebook/link is a symbolic link"):
        find(tmp_path)


def test_a_dockerfile_folder_that_is_too_large(tmp_path: Path) -> None:
    write(tmp_path, {"docker/notebook/Dockerfile": ""})
    with (tmp_path / "docker/notebook/model.bin").open("wb") as file:
        file.truncate(project.CONTEXT_LIMIT + 1)
    with pytest.raises(ProjectError, match="more than 20 MB"):
        find(tmp_path)


def test_owner(tmp_path: Path) -> None:
    status = tmp_path.stat()
    assert find(tmp_path).owner == (status.st_uid, status.st_gid)
