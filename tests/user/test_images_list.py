"""`workbench images` says what changed; `build-image clean` and `workbench prune` take what they may, and no more."""

import re
import shlex
from collections.abc import Iterator

import pytest
from support.images import CFG, Images, images_below, printed, project, tidied, unused
from support.person import MakePerson, Person
from support.require import require

# Names of images are the same for all who build here.
pytestmark = pytest.mark.xdist_group("images-list")


@pytest.fixture(params=["docker", "podman"])
def me(request: pytest.FixtureRequest, somebody: MakePerson) -> Iterator[Person]:
    with tidied(somebody(request.param, normal=request.param == "docker")) as found:
        yield found


def changed(images: Images, name: str = "dev") -> list[str]:
    found: list[str] = images.listed()[name]["changed"]
    return found


@pytest.mark.parametrize("me", ["docker"], indirect=True)
def test_what_changed_since_it_was_built(me: Person) -> None:
    bases = project(me, "lists-bases", {"a": "", "docker/one/Dockerfile": "FROM scratch\nCOPY a /1\n"})
    bases.write({"docker/two/Dockerfile": "FROM scratch\nCOPY a /2\n"})
    bases.build("all").ok()
    base = f"{unused()}/base:1"
    me.engine.docker("tag", bases.reference("one"), base)
    files = {
        "docker/dev/Dockerfile": f"ARG VERSION=1\nFROM {base}\nARG A\nCOPY . /all\n",
        "docker/app/Dockerfile": f"FROM {base}\n",
        "docker/dev/entry": "",
        "src/a/b.py": "",
        "big": "x" * 100_000,
        CFG: "[dev]\nbuild_args=--build-arg A=1\n",
    }
    images = project(me, "lists", files)
    assert images.listed()["dev"]["id"] is None
    made = images.build("dev", "--json").ok().json()[0]
    listed = images.listed()
    assert list(listed) == ["app", "dev"]
    assert listed["dev"] == {
        **{"name": "dev", "image": images.reference("dev"), "id": made["id"], "size": made["size"]},
        **{"made": listed["dev"]["made"], "digests": listed["dev"]["digests"], "changed": [], "problem": None},
    }
    assert 100_000 < made["size"] < 400_000 and listed["dev"]["made"] > 1e9
    table = images.workbench("images").ok().out.splitlines()
    assert [line.split()[0] for line in table] == ["IMAGE", "app", "dev"]
    assert re.search(rf" {images.reference('app')} +- +- +- +not here$", table[1])
    assert re.search(rf" {images.reference('dev')} +\d+ kB +[\d.]+ \w+ +sha256:[0-9a-f]{{12}} +as built$", table[2])

    def turned(name: str, text: str | None) -> list[str]:
        """What is said when a file has another content, or is not there; it is as it was after that."""
        before = (images.root / name).read_text() if (images.root / name).exists() else None
        for each in (text, before):
            if each is None:
                (images.root / name).unlink()
            else:
                images.write({name: each})
            if each is text:
                said = changed(images)
        return said

    assert turned("src/a/b.py", "pass\n") == ["src/ changed"]
    assert turned("src/a/b.py", None) == ["src/ is gone"]
    assert turned("new", "") == ["new is new"]
    assert turned("docker/dev/Dockerfile", files["docker/dev/Dockerfile"] + "# more\n") == ["docker/dev/ changed"]
    assert turned("docker/dev/entry", "#") == ["docker/dev/ changed"]
    assert turned(CFG, "[dev]\nbuild_args=--build-arg A=2\n") == ["(options) changed"]
    # What does not go into it makes it no older.
    assert turned(CFG, files[CFG] + "environment=-e B=1\n") == []
    assert turned("docker/app/Dockerfile", "FROM scratch\n") == []
    (images.root / "src/a/b.py").touch()
    assert changed(images) == []
    me.engine.docker("tag", bases.reference("two"), base)
    assert changed(images) == [f"({base}) changed"]
    assert f" ({base}) changed" in images.workbench("images").ok().out
    images.build("dev").ok()
    assert changed(images) == []
    me.engine.docker("rmi", base)


def test_a_base_that_comes_with_the_build(me: Person) -> None:
    base = f"{require('registry')}/{unused()}/base:1"
    bases = project(me, "comes-bases", {"a": "", "docker/one/Dockerfile": "FROM scratch\nCOPY a /1\n"})
    bases.build("one").ok()
    me.engine.docker("tag", bases.reference("one"), base)
    me.engine.docker("push", "--quiet", base)
    me.engine.docker("rmi", base)
    images = project(me, "comes", {"a": "", "docker/base/Dockerfile": f"FROM {base}\nCOPY a /2\n"})
    # What is built on an image of the project is in no registry.
    images.write({"docker/dev/Dockerfile": f"FROM {images.reference('base')}\nCOPY a /3\n"})
    try:
        images.build("base").ok()
        assert changed(images, "base") == []
        shown = printed(images.build("all", "-p").ok(), "build")
        assert ["--pull" in shlex.split(line) for line in shown] == [True, False]
        assert changed(images, "base") == changed(images) == []
    finally:
        if images.id(base):
            me.engine.docker("rmi", base)


def test_what_others_built_is_not_known(me: Person) -> None:
    images = project(me, "foreign", {"docker/dev/Dockerfile": "FROM scratch\nCOPY . /\n"})
    me.engine.docker("tag", require("base-image"), images.reference("dev"))
    try:
        assert changed(images) == ["what it was built from is not known: it was not built by build-image"]
        assert "was not built by build-image" in images.workbench("images").ok().out
        # It is not this project's to remove, either.
        assert "nothing to remove" in images.build("clean").ok().err
    finally:
        me.engine.docker("rmi", images.reference("dev"))


def test_clean_takes_what_is_the_projects_and_nothing_else(me: Person) -> None:
    images = project(me, "cleaned", {"a": "", "docker/base/Dockerfile": "FROM BASE\nRUN true\n"})
    images.write(
        {
            "docker/dev/Dockerfile": f"FROM {images.reference('base')} AS builder\nCOPY a /a\n"
            "FROM scratch\nCOPY --from=builder /a /b\n",
            "docker/runs/Dockerfile": f"FROM {images.reference('base')}\nCOPY a /a\n",
        }
    )
    # A folder whose name begins alike, and what was tagged by hand.
    others = project(me, "cleaned2", {"a": "", "docker/dev/Dockerfile": "FROM scratch\nCOPY a /other\n"})
    others.build("dev").ok()
    by_hand = f"{unused()}/by-hand:1"
    me.engine.docker("tag", require("base-image"), by_hand)
    images.build("all").ok()
    first = set(images_below(me, images.root))
    images.write({"a": "another"})
    images.build("all", "-t", "2").ok()
    images.build("all").ok()
    # The first ones have no name any more; Podman shows none that others were built on.
    every = set(images_below(me, images.root))
    assert len(first) >= 4 and first & every and every - first and (first < every or me.engine.name == "podman")
    name = images.run("runs", "--detach", "--", "sleep", "1000").ok().out.strip()
    running = me.engine.inspect(name)["Image"].removeprefix("sha256:")

    planned = images.build("clean", "--dry-run").ok().out.splitlines()
    assert len(planned) >= 6 and all(shlex.split(line)[1] == "rmi" for line in planned)
    assert set(images_below(me, images.root)) == every

    done = images.build("clean", "--json").ok()
    assert f"{images.reference('runs')} stays: " in done.err
    assert images.reference("dev") in done.json() and images.reference("dev-builder") in done.json()
    left = {id.removeprefix("sha256:") for id in images_below(me, images.root)}
    assert running in left
    # With Podman its base stays, too.
    assert left <= {running} if me.engine.name == "docker" else len(left) <= 2
    assert images.listed()["dev"]["id"] is None and images.listed()["runs"]["id"]
    assert others.listed()["dev"]["changed"] == []
    me.engine.docker("rm", "--force", name)
    images.build("clean").ok()
    assert not images_below(me, images.root)
    assert "nothing to remove" in images.build("clean").ok().err
    assert others.id(others.reference("dev")) and others.id(by_hand) and others.id(require("base-image"))
    me.engine.docker("rmi", by_hand)


def test_prune_leaves_images_that_have_a_name(me: Person) -> None:
    images = project(me, "pruned", {"a": "", "docker/dev/Dockerfile": "FROM scratch AS builder\nCOPY a /a\n"})
    images.build("dev").ok()
    images.write({"docker/dev/Dockerfile": "FROM scratch AS builder\nCOPY a /b\n"})
    old = images_below(me, images.root)
    images.build("dev").ok()
    listed = me.run("workbench", "prune", "--dry-run", "--json").ok().json()
    mine = {each["id"]: each for each in listed if each["project"].startswith(str(images.root))}
    named = {images.id(images.reference(name)) for name in ("dev", "dev-builder")}
    assert None not in named and not named & set(mine)
    assert {each["why"] for each in mine.values()} == {"replaced by a newer one"} and set(mine) <= set(old)


@pytest.mark.parametrize("me", ["docker"], indirect=True)
def test_prune_leaves_images_of_projects_that_it_may_not_look_at(me: Person) -> None:
    images = project(me, "closed", {"a": "", "docker/dev/Dockerfile": "FROM scratch\nCOPY a /a\n"})
    images.build("dev").ok()
    theirs = me.folder / "theirs"
    (theirs / "project").mkdir(parents=True)
    theirs.chmod(0o700)
    container = me.engine.docker("create", images.reference("dev"), "/a").strip()
    labels = [f"--change=LABEL io.workbench.{name}" for name in (f"project={theirs}/project", "build=1")]
    image = me.engine.docker("commit", *labels, container).strip()
    me.engine.docker("rm", container)
    try:
        listed = me.run("workbench", "prune", "--dry-run", "--json").ok().json()
        assert image not in [each["id"] for each in listed]
        # Who may look knows better.
        (theirs / "project").rmdir()
        theirs.chmod(0o755)
        listed = me.run("workbench", "prune", "--dry-run", "--json").ok().json()
        assert "project is gone" in [each["why"] for each in listed if each["id"] == image]
    finally:
        me.engine.docker("rmi", image)
