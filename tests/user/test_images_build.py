"""`build-image` as somebody types it: names, order, scripts, what surrounds a build, and builds at the same time."""

import shlex
import signal
import subprocess
from collections.abc import Iterator

import pytest
from support.images import CFG, Images, images_below, printed, project, tidied, unused
from support.person import MakePerson, Person
from support.require import require

# Names of images are the same for all who build here.
pytestmark = pytest.mark.xdist_group("images-build")

SCRATCH = "FROM scratch\nCOPY a /a\n"


@pytest.fixture(scope="module")
def ada(somebody_for_long: MakePerson) -> Iterator[Person]:
    with tidied(somebody_for_long("docker", normal=True)) as me:
        yield me


@pytest.fixture(scope="module")
def pod(somebody_for_long: MakePerson) -> Iterator[Person]:
    with tidied(somebody_for_long("podman")) as me:
        yield me


@pytest.fixture(params=["docker", "podman"])
def me(request: pytest.FixtureRequest, ada: Person, pod: Person) -> Person:
    return ada if request.param == "docker" else pod


def sleeps(me: Person) -> str:
    """A Dockerfile whose build takes long; each is another, so that no cache knows what it comes to.

    Podman's service goes on with a step that nobody waits for any more.
    """
    seconds = 600 if me.engine.name == "docker" else 40
    return f"FROM BASE\nCOPY pip.conf /etc/\nRUN sleep {seconds} # {unused()}\n"


def begun(images: Images, *words: str, until: str = "RUN sleep") -> "subprocess.Popen[str]":
    """A build that has come to a step."""
    child = images.me.start("build-image", *words, cwd=images.root)
    assert child.stderr
    told: list[str] = []
    while until not in (told[-1] if told else ""):
        line = child.stderr.readline()
        assert line, f"ended before {until}: {told}"
        # The command names no steps; the line that begins one does.
        told.append("" if line.startswith("$ ") else line)
    return child


def ended(images: Images, child: "subprocess.Popen[str]", number: int) -> None:
    """End a build by a signal."""
    child.send_signal(number)
    done = images.me.wait(child, timeout=30)
    assert done.code == 130 and "Interrupted." in done.err, str(done)


def test_what_images_are_called(me: Person) -> None:
    images = project(
        me,
        "called",
        {
            "a": "",
            **{f"docker/{name}/Dockerfile": SCRATCH for name in ("dev", "app", "own", "Big One")},
            CFG: "[app]\nname=web\ntag=1.2\n[own]\nname=team/own\nprefix=False\n",
        },
    )
    done = images.build("dev", "app", "own", "Big One", "--json").ok().json()
    user = images.user
    names = [f"called-dev:{user}", "called-web:1.2", f"team/own:{user}", f"called-big-one:{user}"]
    assert sorted(each["image"] for each in done) == sorted(names)
    for each in done:
        assert each["size"] >= 0 and images.id(each["image"]) == each["id"]
    assert {images.id(f"{name}") for name in names} <= set(images_below(me, images.root))
    images.build("dev", "-i", "other").ok()
    images.build("dev", "--image_name", "other", "-t", "2").ok()
    # Typed goes before what the file says.
    images.workbench("build", "app", "-t", "3").ok()
    assert all(map(images.id, (f"called-other:{user}", "called-other:2", "called-web:3")))
    images.build("dev", "app", "-i", "x").fails(2)


@pytest.mark.parametrize("me", ["docker"], indirect=True)
def test_an_image_is_built_after_what_it_is_built_on(me: Person) -> None:
    images = project(me, "order", {"a": "", "docker/base/Dockerfile": SCRATCH})
    images.write(
        {
            "docker/dev/Dockerfile": f"ARG FROM={images.reference('tools')}\nFROM $FROM\nCOPY a /dev-a\n",
            "docker/tools/Dockerfile": f"FROM {images.reference('base')}\nCOPY a /tools-a\n",
        }
    )

    def built(*words: str) -> list[str]:
        return [
            each["image"].partition("-")[2].partition(":")[0] for each in images.build(*words, "--json").ok().json()
        ]

    # What it starts from is not there yet.
    assert built("dev") == ["base", "tools", "dev"]
    assert built("dev") == ["dev"]
    assert built("dev", "-f") == ["base", "dev"]
    assert built("all") == ["base", "tools", "dev"]
    images.write({"docker/tools/Dockerfile": f"FROM {images.reference('dev')}\n"})
    assert "built on each other" in images.build("all").fails(2)


def test_the_builder_stage_has_a_name(me: Person) -> None:
    images = project(
        me,
        "staged",
        {
            "a": "",
            "docker/dev/Dockerfile": "FROM scratch AS builder\nCOPY a /b\nFROM scratch\nCOPY --from=builder /b /c\n",
        },
    )
    shown = images.build("dev").ok()
    assert [shlex.split(line)[-1] for line in printed(shown, "build")] == [str(images.root)] * 2
    assert images.id(images.reference("dev-builder")) not in (None, images.id(images.reference("dev")))


def test_a_shown_command_makes_the_same_image(ada: Person) -> None:
    images = project(
        ada,
        "it's shown",
        {
            "docker/dev/Dockerfile": 'FROM BASE\nARG WHAT\nRUN printf %s "$WHAT" > /what\n',
            # Whatever is in it, the line is one line, and the screen is safe.
            "workbench.toml": '[images.dev.build-args]\nWHAT = "say \\"hi\\" it\'s $$HOME `id` \\n\\u001b[2K \\\\ é"\n',
        },
    )
    [planned] = images.build("dev", "--dry-run").ok().out.splitlines()
    assert not images_below(ada, images.root)
    [shown] = printed(images.build("dev").ok(), "build")
    assert shown == planned
    [built] = images_below(ada, images.root)
    ada.engine.docker("rmi", built)
    ada.run("bash", "-c", shown).ok()
    assert images_below(ada, images.root) == [built]


def test_without_the_cache_all_is_done_again(ada: Person) -> None:
    images = project(ada, "anew", {"docker/dev/Dockerfile": "FROM BASE\nRUN head -c 9 /dev/urandom > /x\n"})
    first, again, anew = [
        images.build("dev", "--json", *words).ok().json()[0]["id"] for words in ((), (), ("--no-cache",))
    ]
    assert first == again != anew


def test_a_newer_base_is_looked_for_when_asked_for(ada: Person) -> None:
    base = f"{require('registry')}/{unused()}/base:1"
    bases = project(
        ada, "bases", {"a": "", "docker/new/Dockerfile": SCRATCH, "docker/old/Dockerfile": f"{SCRATCH}ENV A=1\n"}
    )
    bases.build("all").ok()
    for folder in ("new", "old"):
        ada.engine.docker("tag", bases.reference(folder), base)
        if folder == "new":
            ada.engine.docker("push", "--quiet", base)
    images = project(ada, "newer", {"docker/dev/Dockerfile": f"FROM {base}\n", CFG: "[dev]\npull_FROM_on_force=True\n"})

    def is_old(*words: str) -> bool:
        images.build("dev", *words).ok()
        return "A=1" in ada.engine.docker("image", "inspect", "--format", "{{.Config.Env}}", images.reference("dev"))

    try:
        assert [is_old(), is_old("-p"), is_old(), is_old("-f")] == [True, False, True, False]
    finally:
        ada.engine.docker("rmi", base)


SCRIPTED = {
    "docker/dev/Dockerfile": "FROM scratch\nCOPY made /made\n",
    "before.sh": '#!/bin/sh\necho "before $@" >> log; date > made\n',
    "after.sh": '#!/bin/sh\necho "after $@" >> log\n',
}


def scripted(me: Person, name: str, cfg: str) -> Images:
    images = project(me, name, {**SCRIPTED, CFG: cfg})
    for script in images.root.glob("*.sh"):
        script.chmod(0o755)
    return images


def test_scripts_need_a_yes_and_surround_the_build(ada: Person) -> None:
    before, after = "pre_build_script=./before.sh 'a b'\n", "post_build_script=./after.sh\n"
    images = scripted(ada, "scripts", f"[dev]\n{before}{after}")
    log = images.root / "log"
    asked = images.build("dev").fails(2)
    assert "before each build: ./before.sh 'a b'" in asked and "after each build: ./after.sh" in asked
    assert "--trust" in asked and not log.exists() and not images_below(ada, images.root)
    images.build("dev", "--trust").ok()
    images.build("dev").ok()
    assert log.read_text() == "before a b\nafter \n" * 2
    # What else stands there is nobody's business.
    images.write({CFG: f"[dev]\n{before}{after}build_args=--build-arg A=1\n"})
    images.build("dev").ok()
    images.write({CFG: f"[dev]\n{before}{after.strip()} more\n"})
    assert "./after.sh more" in images.build("dev").fails(2)
    assert len(log.read_text().splitlines()) == 6


def test_a_script_that_fails_ends_it(ada: Person) -> None:
    images = scripted(ada, "failing", "[dev]\npre_build_script=./before.sh\npost_build_script=./after.sh\n")
    images.write({"after.sh": "#!/bin/sh\nseq 20\necho no disk >&2\nexit 3\n"})
    text = images.build("dev", "--trust").fails(4)
    assert "after the build" in text and "exit code 3" in text and "./after.sh" in text
    assert [line for line in text.splitlines() if line.startswith("  | ")] == [
        *(f"  | {number}" for number in range(16, 21)),
        "  | no disk",
    ]
    images.write({"before.sh": "#!/bin/sh\necho not today\nexit 1\n"})
    (images.root / "made").unlink()
    done = images.build("dev")
    text = done.fails(4)
    assert "before the build" in text and "not today" in text
    # What comes first is all that was done.
    assert printed(done) == ["./before.sh"]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("./nowhere.sh", "not installed"),
        ("./plain.sh", "Permission denied"),
        ("./words.sh", "format error"),
    ],
)
def test_a_script_that_cannot_be_run(script: str, why: str, ada: Person) -> None:
    images = scripted(ada, f"cannot-{script[2:-3]}", f"[dev]\npre_build_script={script}\n")
    images.write({"plain.sh": "#!/bin/sh\n", "words.sh": "echo hi\n"})
    (images.root / "words.sh").chmod(0o755)
    text = images.build("dev", "--trust").fails(4)
    assert script in text and why in text and "chmod +x" in text


def test_no_shell_reads_a_script(ada: Person) -> None:
    text = "echo one; touch x $(touch y) `touch z` | touch w && touch v > u"
    images = scripted(ada, "no-shell", f"[dev]\npre_build_script={text}\n")
    images.write({"made": ""})
    before = set(images.root.iterdir())
    done = images.build("dev", "--trust", "-v").ok()
    assert "one; touch x $(touch y) `touch z` | touch w && touch v > u" in done.err
    assert set(images.root.iterdir()) == before


def test_pip_conf_is_there_for_the_build_only(me: Person) -> None:
    images = project(
        me,
        "pip",
        {
            "pip.conf.template": "[global]\nindex-url = https://a:secret@example.org/simple\n",
            "docker/dev/Dockerfile": "FROM BASE\nCOPY pip.conf /etc/\nRUN ls -l /etc/pip.conf; cat /etc/pip.conf\n",
        },
    )
    (images.root / "pip.conf.template").chmod(0o600)
    there = set(images.root.iterdir())
    done = images.build("dev", "-v", "--no-cache").ok()
    assert "index-url = https://a:secret@example.org/simple" in done.err and "-rw-------" in done.err
    assert set(images.root.iterdir()) == there
    # It is no part of what the image is compared with.
    assert images.listed()["dev"]["changed"] == []
    images.write({"docker/dev/Dockerfile": "FROM BASE\nCOPY pip.conf /etc/\nRUN false\n"})
    images.build("dev").fails(4)
    assert set(images.root.iterdir()) == there
    # One that a killed build left is replaced, and goes.
    images.write(
        {
            "pip.conf": "# Made from pip.conf.template for the time of a build.\n",
            "docker/dev/Dockerfile": SCRATCH,
            "a": "",
        }
    )
    images.build("dev").ok()
    assert not (images.root / "pip.conf").exists()


@pytest.mark.parametrize(
    ("person", "number"),
    [("ada", signal.SIGINT), ("ada", signal.SIGTERM), ("ada", signal.SIGHUP), ("pod", signal.SIGINT)],
)
def test_pip_conf_goes_when_a_build_is_interrupted(person: str, number: int, request: pytest.FixtureRequest) -> None:
    me: Person = request.getfixturevalue(person)
    images = project(me, f"ended-{number}", {"pip.conf.template": "[global]\n", "docker/dev/Dockerfile": sleeps(me)})
    child = begun(images, "dev")
    assert (images.root / "pip.conf").exists()
    ended(images, child, number)
    assert not (images.root / "pip.conf").exists()
    assert not [each for each in me.processes() if "build" in each.cmdline()]
    assert images.id(images.reference("dev")) is None


def test_a_pip_conf_of_ones_own_stays(ada: Person) -> None:
    images = project(
        ada,
        "own-pip",
        {
            "pip.conf": "[own]\n",
            "pip.conf.template": "[global]\n",
            "docker/dev/Dockerfile": "FROM BASE\nCOPY pip.conf /\nRUN cat /pip.conf\n",
        },
    )
    assert "[own]" in images.build("dev", "-v", "--no-cache").ok().err
    assert (images.root / "pip.conf").read_text() == "[own]\n"
    (images.root / "pip.conf").unlink()
    (images.root / "pip.conf").symlink_to("nowhere")
    images.write({"docker/dev/Dockerfile": SCRATCH, "a": ""})
    images.build("dev").ok()
    assert (images.root / "pip.conf").is_symlink()


def test_the_version_is_written_before_the_build(ada: Person) -> None:
    images = project(
        ada,
        "versioned",
        {
            "pyproject.toml": (
                '[build-system]\nrequires = ["setuptools>=64", "setuptools-scm>=8"]\n'
                'build-backend = "setuptools.build_meta"\n'
                '[project]\nname = "sample"\ndynamic = ["version"]\n[tool.setuptools_scm]\n'
            ),
            ".dockerignore": ".git\n",
            "docker/dev/Dockerfile": "FROM BASE\nCOPY . /src\nRUN ls -a /src; cat /src/_version.env.bld\n",
        },
    )
    git = ("git", "-C", images.root, "-c", "user.name=A", "-c", "user.email=a@localhost")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "one"), ("tag", "v1.2.3")):
        ada.run(*git, *words).ok()
    done = images.build("dev", "-v", "--no-cache").ok()
    assert "Version for images without .git: 1.2.3 (in _version.env.bld)" in done.err
    assert "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_SAMPLE=1.2.3" in done.err
    assert images.listed()["dev"]["changed"] == []
    # A build goes on where git cannot tell.
    (images.root / "pyproject.toml").write_text(
        (images.root / "pyproject.toml").read_text() + "version_scheme = 'none-such'\n"
    )
    assert "No version for the image" in images.build("dev").ok().err


def test_two_builds_at_once(ada: Person) -> None:
    images = project(
        ada,
        "twice",
        {
            "pip.conf.template": "[global]\n",
            "docker/long/Dockerfile": sleeps(ada),
            **{f"docker/{name}/Dockerfile": f"FROM BASE\nCOPY pip.conf /{name}\nRUN ls /{name}\n" for name in "ab"},
        },
    )
    child = begun(images, "long")
    # Who is done first leaves what the other one still needs.
    images.build("a").ok()
    assert (images.root / "pip.conf").exists()
    ended(images, child, signal.SIGTERM)
    assert not (images.root / "pip.conf").exists()
    children = [ada.start("build-image", name, "--no-cache", cwd=images.root) for name in "abaabb"]
    for each in children:
        ada.wait(each).ok()
    assert not (images.root / "pip.conf").exists()
    assert {name: each["changed"] for name, each in images.listed().items() if name in "ab"} == {"a": [], "b": []}


def test_two_people_at_once(ada: Person, somebody: MakePerson) -> None:
    with tidied(somebody("docker")) as bob:
        both = [
            project(me, "shared", {"docker/dev/Dockerfile": f"FROM BASE\nRUN echo {me.folder.name} > /who\n"})
            for me in (ada, bob)
        ]
        children = [each.me.start("build-image", "dev", cwd=each.root) for each in both]
        for each, child in zip(both, children, strict=True):
            each.me.wait(child).ok()
        for each in both:
            assert each.run("dev", "--", "cat", "/who").ok().out.strip() == each.me.folder.name
        both[1].build("clean").ok()
        assert both[0].run("dev", "--", "cat", "/who").ok().out.strip() == ada.folder.name
        both[1].run("dev").fails(4)
