"""What goes wrong with images: a cause, a next step, the right exit code, at most ten lines."""

from collections.abc import Iterator

import pytest
from support.images import CFG, Images, images_below, project, tidied
from support.person import MakePerson, Person

# Names of images are the same for all who build here.
pytestmark = pytest.mark.xdist_group("images-failures")

PLAIN = {"docker/dev/Dockerfile": "FROM BASE\nRUN true\n"}


@pytest.fixture(scope="module")
def ada(somebody_for_long: MakePerson) -> Iterator[Person]:
    with tidied(somebody_for_long("docker", normal=True)) as me:
        yield me


@pytest.fixture(scope="module", params=["docker", "podman"])
def images(request: pytest.FixtureRequest, somebody_for_long: MakePerson) -> Iterator[Images]:
    """A project whose image is built, on either engine."""
    with tidied(somebody_for_long(request.param, normal=request.param == "docker")) as me:
        found = project(me, "fails", PLAIN)
        found.build("dev").ok()
        yield found


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("RUN echo first\nRUN seq 50; echo no such thing >&2; exit 3\n", ("RUN seq 50", "no such thing", "50")),
        ("COPY nowhere/ /x/\n", ("nowhere",)),
        ("RUNN true\n", ("RUNN",)),
    ],
    ids=["step", "copy", "word"],
)
def test_a_build_that_fails(lines: str, words: tuple[str, ...], images: Images) -> None:
    images.write({"docker/broken/Dockerfile": f"FROM BASE\n{lines}"})
    text = images.build("broken").fails(4)
    assert "fails-broken:" in text and all(word.lower() in text.lower() for word in words), text
    assert images.id(images.reference("broken")) is None
    # The failure of one leaves what there was.
    assert images.id(images.reference("dev"))


def test_a_build_ends_at_the_first_that_fails(images: Images) -> None:
    images.write({"docker/broken/Dockerfile": "FROM BASE\nRUN false\n", "docker/later/Dockerfile": "FROM BASE\n"})
    done = images.build("broken", "later", "--json")
    assert done.code == 4 and done.json()["exit_code"] == 4 and "fails-broken" in done.json()["error"]
    assert images.id(images.reference("later")) is None


@pytest.mark.parametrize("command", ["build-image", "run-image", "publish-image"])
def test_names_of_images(command: str, ada: Person) -> None:
    images = project(ada, f"names-of-{command}", {})
    for words in ((), ("dev",)):
        assert "docker/NAME/Dockerfile" in ada.run(command, *words, cwd=images.root).fails(2), words
    images.write({**PLAIN, "docker/app/Dockerfile": "FROM BASE\n", "docker/none/entry": ""})
    assert "app, dev." in ada.run(command, cwd=images.root).fails(2)
    text = ada.run(command, "dve", cwd=images.root).fails(2)
    assert "'dve'" in text and "app, dev." in text
    assert not images_below(ada, images.root)


def test_a_project_without_images(ada: Person) -> None:
    images = project(ada, "none", {"README.md": ""})
    assert "docker/NAME/Dockerfile" in images.build("all").fails(2)
    assert "no images" in images.workbench("images").ok().err
    assert images.workbench("images", "--json").ok().json() == []
    assert "nothing to remove" in images.build("clean").ok().err


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("[dev]\nenvironment=-e A=1\nvolumnes=-v /a:/b\n", 3, "volumes"),
        ("[dev]\ncmd=echo 'a\n", 2, "quote"),
        ("[dev]\nargs=-m 4g\n  --frobnicate\n", 3, "--frobnicate"),
        ("[dev]\n\nports=-p 80:lots\n", 3, "lots"),
        ("[dev\ntag=x\n", 1, ""),
        ("[dev]\nvolumes=-v /no/such/folder:/x\n", 2, "/no/such/folder does not exist"),
    ],
)
def test_a_broken_configuration(text: str, line: int, word: str, ada: Person) -> None:
    images = project(ada, f"broken-{line}-{len(text)}", {**PLAIN, CFG: text})
    for command in ("build-image", "run-image"):
        said = ada.run(command, "dev", cwd=images.root).fails(2)
        assert said.startswith(f"Error: docker/dockerutils.cfg:{line}: ") and word in said
    assert not images_below(ada, images.root)


def test_what_is_not_built_cannot_run(images: Images) -> None:
    images.write({"docker/later/Dockerfile": "FROM BASE\n", "docker/broken/Dockerfile": "FROM BASE\n"})
    text = images.run("later").fails(4)
    assert images.reference("later") in text and "build-image later" in text
    images.write({CFG: "[shell]\nname=later\n"})
    assert images.run("shell").fails(4) == text
    images.write({CFG: ""})
    assert images.run("later", "--dry-run").fails(4) == text


@pytest.mark.parametrize("command", [("build-image", "dev"), ("run-image", "dev"), ("workbench", "images")])
def test_no_engine(command: tuple[str, ...], images: Images) -> None:
    me = images.me
    gone = {"DOCKER_HOST": f"unix://{me.folder}/gone.sock", "CONTAINER_HOST": f"unix://{me.folder}/gone.sock"}
    assert "gone.sock" in me.run(*command, cwd=images.root, env=gone).fails(3)
    if me.engine.name == "docker":
        # What needs no container has no images.
        text = me.run(*command, cwd=images.root, env={"WORKBENCH_ENGINE": "local", **gone}).fails(3)
        assert "gone.sock" in text or "Docker or Podman" in text


def test_commands_that_are_not_there(images: Images) -> None:
    # Podman's `--init` has an exit code of its own for it.
    done = images.run("dev", *(["-a", "--init=false"] if images.me.engine.name == "podman" else []), "--", "no-such")
    assert done.code == 127 and "no-such" in done.err
    assert images.run("dev", "-a", "--init=false --entrypoint no-such").code == 127
    assert images.run("dev", "--", "sh", "-c", "exit 3").code == 3
    assert not images.me.containers()


def test_what_the_engine_refuses_comes_through(images: Images) -> None:
    words = ("dev", "-n", "no-such-network")
    done = images.run(*words, "--", "true")
    assert done.code == 125 and "no-such-network" in done.err
    text = images.run(*words, "--detach", "--", "true").fails(4)
    assert f"did not start {images.reference('dev')}" in text and "no-such-network" in text
    assert not images.me.containers()


@pytest.mark.parametrize("images", ["docker"], indirect=True)
def test_options_that_are_not_understood(images: Images) -> None:
    assert "'--frobnicate'" in images.run("dev", "-a", "--frobnicate x").fails(2)
    assert "Did you mean '--privileged'" in images.run("dev", "-a", "--priviledged").fails(2)
    assert "quote" in images.run("dev", "-a", "-e 'A=1").fails(2)
    assert "NAME=VALUE" in images.run("dev", "-e", "A").err
    assert images.run("dev", "-e", "A").code == 2
    assert images.run("dev", "-c", "echo 'a").code == 2
    images.run("dev", "--restart", "sometimes").fails(2)
    images.run("dev", "-n", "--privileged").fails(2)
    images.build("dev", "-t", "a b").fails(2)
    images.build("dev", "-i", "Big").fails(2)
    assert not images.me.containers()
