"""What a build sends: counted as the engine counts, warned of when it is much, and kept small by a `.dockerignore`."""

import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.images import Images, project, tidied
from support.person import MakePerson, Person
from support.require import require

from workbench import show
from workbench.images import context

# Names of images are the same for all who build here.
pytestmark = pytest.mark.xdist_group("images-context")

PATTERNS = {
    "plain": "build\n*.md\n",
    "taken-back": "*.md\n!README.md\nb.md\n",
    "only": "*\n!src\n!docs/README.md\n",
    "again": "*\n!/src/\nsrc/__pycache__\n",
    "deep": "**/*.pyc\n**/b.md\n",
    "below": "docs/**\n!docs/README.md\nsrc/**/keep.pyc\n",
    "slashes": "/build/\n//a.txt\ndocs//deep/\n./src/../b.txt\n",
    "comments": "# a.txt\n\n  b.txt  \n#hash.txt\n",
    "indented": "  #hash.txt\n",
    "escaped": "\\#hash.txt\n\\!bang.txt\n\\[br\\].txt\n",
    "classes": "data[0-9]\nda?a/x\n[^a-z]*.txt\n",
    "spaces": "with space.txt\ndir space/\n",
    "hidden": ".*\n!.env\n",
    "outside": "../a.txt\n.\n",
    "windows": "\ufeffbuild\r\nsrc/m.py\r\n",
    "itself": "docker\n.dockerignore\n",
    "unicode": "é*\n",
}
FILES = (
    *("a.txt", "b.txt", "b.md", "README.md", "docs/README.md", "docs/b.md", "docs/deep/y.md", "build/o", "lib/build/z"),
    *("src/m.py", "src/__pycache__/m.pyc", "src/a/__pycache__/n.pyc", "src/a/keep.pyc", "src/a/b/keep.pyc"),
    *("with space.txt", "dir space/f", "#hash.txt", "!bang.txt", "[br].txt", "0.txt", "data1/x", "data/x"),
    *(".env", ".git/config", "é.txt"),
)


def in_image(images: Images, folder: str, below: Path) -> set[str]:
    """The files that an image has below `/all`, folders not counted."""
    container = images.me.engine.docker("create", images.reference(folder), "/none").strip()
    try:
        client = (str(Path(require("docker-cli"), "docker")), "-H", images.me.engine.host)
        subprocess.run([*client, "export", "-o", str(below / folder), container], check=True)
    finally:
        images.me.engine.docker("rm", container)
    with tarfile.open(below / folder) as archive:
        return {each.name.removeprefix("all/") for each in archive if not each.isdir() and each.name.startswith("all/")}


def compared(images: Images, names: tuple[str, ...], below: Path, *typed: str) -> list[int]:
    """Build, and hold what is counted against what arrived; how many files that is."""
    done = images.build(*(typed or names)).ok()
    numbers = []
    for name in names:
        paths, there = {each.path for each in context.survey(images.root, name).entries}, in_image(images, name, below)
        # They are sent in any case, and kept from the image where they are named.
        sent = {f"docker/{name}/Dockerfile", f"docker/{name}/Dockerfile.dockerignore", ".dockerignore"}
        assert paths - sent == there - sent, (name, sorted(paths ^ there))
        size = show.size(sum((images.root / path).stat().st_size for path in paths - {"link", "dangling"}))
        assert f"{images.reference(name)}: context {size}, {len(paths)} files" in done.err
        numbers.append(len(there))
    return numbers


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_what_is_counted_is_what_is_sent(engine: str, somebody: MakePerson, tmp_path: Path) -> None:
    with tidied(somebody(engine, normal=engine == "docker")) as me:
        dockerfiles = {f"docker/{name}/Dockerfile": "FROM scratch\nCOPY . /all/\n" for name in (*PATTERNS, "project")}
        own = {f"docker/{name}/Dockerfile.dockerignore": text for name, text in PATTERNS.items()}
        images = project(me, "context", {**{name: name for name in FILES}, **dockerfiles, **own})
        (images.root / "link").symlink_to("docs")
        (images.root / "dangling").symlink_to("nowhere")
        numbers = compared(images, (*PATTERNS, "project"), tmp_path, "all")
        assert len(set(numbers)) > 8, numbers
        images.write({".dockerignore": "docs\nsrc\n"})
        # With Docker the project's counts for those only that have none of their own.
        more, fewer = numbers[-1], compared(images, ("project", *["hidden"][: engine == "docker"]), tmp_path)[0]
        assert fewer < more - 5


@pytest.fixture
def ada(somebody: MakePerson) -> Iterator[Person]:
    with tidied(somebody("docker", normal=True)) as me:
        yield me


def test_much_to_send_is_warned_of(ada: Person) -> None:
    images = project(ada, "much", {"docker/dev/Dockerfile": "FROM scratch\nCOPY docker /d\n", "small/a": "a"})
    for name, size in (("data/raw/big", 90_000_000), ("models/m", 30_000_000), ("notes", 5_000), ("none/a", 0)):
        path = images.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(size)
    done = images.build("dev").ok()
    assert "much-dev:" in done.err and "context 120 MB, 6 files" in done.err
    assert "data/ 90.0 MB, models/ 30.0 MB, notes 5.0 kB" in done.err and ".dockerignore" in done.err
    # `data` is in it.
    assert ".dockerignore: written" in images.build("--init").ok().out
    done = images.build("dev").ok()
    assert "context 30.0 MB" in done.err and "much to send" not in done.err


def test_init_writes_a_dockerignore_and_never_over_one(ada: Person) -> None:
    images = project(
        ada,
        "init",
        {
            "docker/dev/Dockerfile": "FROM scratch\nCOPY . /all/\n",
            **dict.fromkeys((".git/config", "src/__pycache__/a.pyc", ".venv/bin/python", "src/a.py", "server.pem"), ""),
        },
    )
    assert ".dockerignore: written" in images.workbench("build", "--init").ok().out
    images.build("dev").ok()
    kept = {each.path for each in context.survey(images.root, "dev").entries}
    assert kept == {".dockerignore", "docker/dev/Dockerfile", "src/a.py"}
    images.write({".dockerignore": "# mine\n.git/\n"})
    before = (images.root / ".dockerignore").stat()
    done = images.build("--init").ok()
    assert "stays as it is" in done.out and " .venv " in done.out and " .git " not in done.out
    assert (images.root / ".dockerignore").read_text() == "# mine\n.git/\n"
    assert (images.root / ".dockerignore").stat().st_mtime_ns == before.st_mtime_ns
