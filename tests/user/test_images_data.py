"""Whatever stands in a value arrives as it is, in a container and in a build, and nothing of it is carried out."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.images import CFG, Images, hostile, project, tidied
from support.person import MakePerson, Person

# Names of images are the same for all who build here.
pytestmark = pytest.mark.xdist_group("images-data")

VALUES = list(hostile())
AT_ONCE = 50
PRINTS = "import json, os, sys; print(json.dumps([dict(os.environ), sys.argv[1:]]))"
BUILDS = f"""\
FROM BASE
{"".join(f"ARG V{number}{chr(10)}" for number in range(AT_ONCE))}
RUN python3 -c "import json, os; json.dump(dict(os.environ), open('/args', 'w'))"
"""


@pytest.fixture(scope="module", params=["docker", "podman"])
def images(request: pytest.FixtureRequest, somebody_for_long: MakePerson) -> Iterator[Images]:
    """A project whose image is built, on either engine."""
    with tidied(somebody_for_long(request.param, normal=request.param == "docker")) as me:
        found = project(me, "data", {"docker/dev/Dockerfile": "FROM BASE\n", "docker/args/Dockerfile": BUILDS})
        found.build("dev").ok()
        yield found


def parts() -> list[dict[str, str]]:
    return [
        {f"V{number}": value for number, value in enumerate(VALUES[begin : begin + AT_ONCE])}
        for begin in range(0, len(VALUES), AT_ONCE)
    ]


def written(values: dict[str, str]) -> str:
    """A table of a TOML file, in which variables have to be escaped."""
    return "".join(f"{name} = {json.dumps(value.replace('$', '$$'))}\n" for name, value in values.items()).replace(
        "\x7f", "\\u007f"
    )


def everything(root: Path) -> set[Path]:
    return set(root.rglob("*"))


def test_what_is_typed(images: Images) -> None:
    before = everything(images.me.projects)
    for values in parts():
        typed = [word for name, value in values.items() for word in ("-e", f"{name}={value}")]
        done = images.run("dev", *typed, "--", "python3", "-c", PRINTS, *values.values()).ok()
        env, argv = json.loads(done.out)
        assert {name: env.get(name) for name in values} == values
        assert argv == list(values.values())
        # Nothing of it moves the cursor of who reads the command.
        assert all(line.isprintable() for line in done.err.splitlines())
    assert everything(images.me.projects) == before


def test_what_is_configured(images: Images) -> None:
    for values in parts():
        command = json.dumps([word.replace("$", "$$") for word in ("python3", "-c", PRINTS, *values.values())])
        cmd = command.replace("\x7f", "\\u007f")
        images.write({"workbench.toml": f"[images.dev]\ncmd = {cmd}\n[images.dev.env]\n{written(values)}"})
        before = everything(images.me.projects)
        env, argv = json.loads(images.run("dev").ok().out)
        assert {name: env.get(name) for name in values} == values
        assert argv == list(values.values())
        assert everything(images.me.projects) == before


def test_arguments_of_builds(images: Images) -> None:
    # Podman makes a layer for each.
    for values in parts()[: 1 if images.me.engine.name == "podman" else None]:
        images.write({"workbench.toml": f"[images.args.build-args]\n{written(values)}"})
        before = everything(images.me.projects)
        done = images.build("args").ok()
        found = json.loads(images.run("args", "--", "cat", "/args").ok().out)
        assert {name: found.get(name) for name in values} == values
        assert all(line.isprintable() for line in done.err.splitlines() if line.startswith("$ "))
        assert everything(images.me.projects) == before


@pytest.fixture
def ada(somebody: MakePerson) -> Iterator[Person]:
    with tidied(somebody("docker", normal=True)) as me:
        yield me


@pytest.mark.parametrize(
    "value",
    # With a login in it a value is kept off the command line, and so is what is made of the user's own variables.
    [
        "PATH={project_root}/bin://a:b@c:$$PATH",
        "PATH={project_root}/bin:$PATH",
        "LD_PRELOAD={project_root}/x.so ://a:b@c",
    ],
)
def test_a_project_does_not_say_which_program_runs(value: str, ada: Person) -> None:
    images = project(
        ada,
        "steers",
        {
            "docker/dev/Dockerfile": 'FROM BASE\nARG PATH\nARG LD_PRELOAD\nRUN ["/bin/true"]\n',
            "bin/docker": "#!/bin/sh\necho > ran\n",
            CFG: "",
        },
    )
    (images.root / "bin" / "docker").chmod(0o755)
    images.build("dev").ok()
    images.write({CFG: f"[dev]\nenvironment=-e '{value}'\nbuild_args=--build-arg '{value}'\ncmd=/usr/bin/env\n"})
    ran = images.root / "ran"
    done = images.run("dev", "--trust").ok()
    name, _, rest = value.replace("{project_root}", str(images.root)).partition("=")
    shown = f"{name}={rest.partition('$')[0]}"
    assert shown in done.out and shown in done.err
    # It is no secret any more; what matters is that it is no variable of the engine's program here.
    assert shown in images.build("dev", "--trust").ok().err
    assert not ran.exists()
