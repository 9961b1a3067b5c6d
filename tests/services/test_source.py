"""A project's Compose file as real Composes read it. Whoever writes one may be hostile: what leads out is asked."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.person import MakePerson
from support.require import absent, require

from workbench.errors import ConfigError, ProjectError
from workbench.plan.services import in_order
from workbench.services import source
from workbench.services.program import Program
from workbench.services.source import Source

OLD = Path("/usr/bin/docker-compose")
HEAD = "services:\n  a:\n    image: x\n"
SECRET = "do-not-tell"
Files = Mapping[str, str | bytes]


@dataclass(frozen=True)
class Project:
    """A project in a folder beside things that are none of its own: `OUT` in its files stands for that folder."""

    root: Path
    program: Program
    environ: Mapping[str, str]

    @property
    def out(self) -> Path:
        return self.root.parent / "out"

    def write(self, files: Files, links: Mapping[str, str] | None = None) -> None:
        for name, text in files.items():
            file = self.root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text if isinstance(text, bytes) else text.replace("OUT", str(self.out)).encode())
        for name, target in (links or {}).items():
            (self.root / name).symlink_to(target.replace("OUT", str(self.out)))

    def read(self, **environ: str) -> Source:
        return source.read(self.root, self.program, {**self.environ, **environ})

    def asks(self, **environ: str) -> list[str]:
        """The sentences for all services, with `OUT` in them."""
        found = self.read(**environ)
        order = in_order(found.stack, found.stack.services)
        asked = source.agreed(found, order, self.root, far=False)
        assert all(each.isprintable() for each in asked)
        return [each.replace(str(self.out), "OUT").replace(str(self.root), "ROOT") for each in asked]


def _project(folder: Path, program: Program) -> Project:
    out, root = folder / "out", folder / "shop"
    root.mkdir()
    out.mkdir()
    (out / "s.env").write_text(f"S={SECRET}\n")
    (out / "key").write_text(SECRET)
    (out / "c.yaml").write_text(f"services:\n  z:\n    image: x\n    environment: {{S: {SECRET}}}\n")
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "USER": "ada"}
    return Project(root, program, environ)


def _modern() -> Program:
    return Program((str(Path(require("compose")) / "docker-compose"),), "2.26", {})


def _old() -> Program:
    if not OLD.exists():
        absent(f"no {OLD}")
    return Program((str(OLD),), "1.29.2", {})


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    """Read by Compose of today."""
    return _project(tmp_path, _modern())


@pytest.fixture(params=[_old, _modern], ids=["version 1", "version 2"])
def either(tmp_path: Path, request: pytest.FixtureRequest) -> Project:
    return _project(tmp_path, request.param())


def old_enough(text: str) -> str:
    """A file that version 1 takes too."""
    return f"version: '3.8'\n{text}"


def test_what_a_file_says_is_what_compose_makes_of_it(either: Project) -> None:
    either.write(
        {
            "docker-compose.yml": old_enough(f"{HEAD}    environment: {{A: '${{A:-usual}}', B: '$B', C: '$$B'}}\n"),
            "docker-compose.override.yml": old_enough(
                "services:\n  a:\n    volumes: ['.:/p', 'data:/d']\nvolumes: {data: }\n"
            ),
            ".env": "B=file\n",
        }
    )
    found = either.read()
    said = found.stack.services["a"].said
    assert said["environment"] == {"A": "usual", "B": "file", "C": "$$B"}
    assert (found.stack.name, found.stack.networks) == ("shop", {"default": "shop_default"})
    assert found.stack.volumes == {"data": "shop_data"}
    assert str(either.root) in json.dumps(said["volumes"])
    assert either.asks() == []


def test_a_harmless_project_is_asked_for_nothing(shop: Project) -> None:
    shop.write(
        {
            "compose.yaml": "include: [{path: sub/more.yaml, env_file: sub/more.env}]\n"
            "services:\n  a:\n    extends: {file: base.yaml, service: base}\n    env_file: [a.env]\n"
            "    secrets: [s]\n    volumes: ['./data:/d']\n"
            '    labels: {text: "a\\nb\\x7f\\u0085"}\nsecrets: {s: {file: ./key}}\n',
            "base.yaml": "services:\n  base:\n    build: .\n    env_file: base.env\n",
            "sub/more.yaml": "services:\n  b:\n    image: '${IMAGE}'\n    env_file: ../a.env\n",
            "sub/more.env": "IMAGE=more\n",
            "a.env": "A=1\n",
            "base.env": "B=2\n",
            "key": "k",
        }
    )
    assert shop.asks() == []
    services = shop.read().stack.services
    assert services["a"].said["environment"] == {"A": "1", "B": "2"}
    assert services["a"].said["labels"] == {"text": "a\nb\x7f\x85"}
    assert services["b"].said["image"] == "more"


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("environment: ['TOKEN']", True),
        ("environment: {T: '${TOKEN:-x}'}", True),
        ("command: ['$TOKEN']", True),
        ("image: 'x:${OTHER:-$TOKEN}'", True),
        ("labels: ['a=${TOKEN?}']", True),
        ("build: {context: ., args: [TOKEN]}", True),
        ("environment: {T: '$$TOKEN'}", False),
        ("environment: {T: 'TOKEN'}  # $TOKEN", False),
    ],
)
def test_a_variable_that_a_file_takes_is_asked_and_no_other_is_there(either: Project, said: str, asked: bool) -> None:
    head = HEAD if "image:" not in said else "services:\n  a:\n"
    either.write({"compose.yaml": old_enough(f"{head}    {said}\n")})
    assert either.asks(TOKEN=SECRET, SPARE=SECRET) == (
        ["See the value of your environment variable TOKEN."] if asked else []
    )
    found = either.read(TOKEN=SECRET, SPARE=SECRET)
    assert ("TOKEN" in found.env) == asked
    assert "SPARE" not in found.env


HIDDEN: list[tuple[str, Files]] = [
    ("an escape", {"compose.yaml": f'{HEAD}    environment: {{T: "\\x24{{NAME}}"}}\n'}),
    ("an included file", {"compose.yaml": f"include: [i.yaml]\n{HEAD}", "i.yaml": "services: {b: {image: $NAME}}\n"}),
    (
        "a file included by that",
        {
            "compose.yaml": f"include: [{{path: [one/i.yaml]}}]\n{HEAD}",
            "one/i.yaml": "include: [two/j.yaml]\n",
            "one/two/j.yaml": "services: {b: {image: x, environment: [NAME]}}\n",
        },
    ),
    (
        "an extended file",
        {
            "compose.yaml": "services: {a: {extends: {file: s/e.yaml, service: b}}}\n",
            "s/e.yaml": "services: {b: {extends: {file: f.yaml, service: c}}}\n",
            "s/f.yaml": "services: {c: {image: x, environment: [NAME]}}\n",
        },
    ),
    ("an anchor", {"compose.yaml": "x-a: &a {environment: [NAME]}\nservices: {a: {<<: *a, image: x}}\n"}),
    ("a list of anchors", {"compose.yaml": "x-a: &a {environment: [NAME]}\nservices: {a: {<<: [*a], image: x}}\n"}),
    ("a tag", {"compose.yaml": f"{HEAD}    environment: !override [NAME]\n"}),
    ("a second document", {"compose.yaml": f"{HEAD}---\nservices: {{a: {{environment: [NAME]}}}}\n"}),
    ("an env file", {"compose.yaml": f"{HEAD}    env_file: a.env\n", "a.env": "T=${NAME}\n"}),
    ("an env file, alone", {"compose.yaml": f"{HEAD}    env_file: [{{path: a.env}}]\n", "a.env": "NAME\n"}),
    (".env", {"compose.yaml": f"{HEAD}    environment: [T]\n", ".env": "T=${NAME}\n"}),
    (
        ".env of an inclusion",
        {
            "compose.yaml": f"include: [s/i.yaml]\n{HEAD}",
            "s/.env": "T=$NAME\n",
            "s/i.yaml": "services: {b: {image: $T}}\n",
        },
    ),
    ("a secret", {"compose.yaml": f"{HEAD}    secrets: [s]\nsecrets: {{s: {{environment: NAME}}}}\n"}),
]


@pytest.mark.parametrize("name", ["TOKEN", "HTTPS_PROXY", "DOCKER_AUTH_CONFIG"])
@pytest.mark.parametrize("files", [files for _, files in HIDDEN], ids=[name for name, _ in HIDDEN])
def test_a_variable_is_asked_wherever_it_is_named(shop: Project, files: Files, name: str) -> None:
    shop.write({file: str(text).replace("NAME", name) for file, text in files.items()})
    assert shop.asks(**{name: SECRET}) == [f"See the value of your environment variable {name}."]


@pytest.mark.parametrize("name", ["TOKEN", "HTTPS_PROXY", "DOCKER_AUTH_CONFIG"])
@pytest.mark.parametrize("said", ["environment: ['${N}']", "secrets: [s]", "build: {context: ., args: ['${N}']}"])
def test_a_name_that_another_variable_holds_is_asked_or_has_no_value(shop: Project, said: str, name: str) -> None:
    declared = "secrets: {s: {environment: '${N}'}}\n"
    shop.write({"compose.yaml": f"{HEAD}    {said}\n{declared}", ".env": f"N={name}\n"})
    found = shop.read(**{name: SECRET})
    assert SECRET not in json.dumps(found.stack.document)
    reached = name in found.env and f'"{name}"' in json.dumps(found.stack.document)
    assert reached == (shop.asks(**{name: SECRET}) != [])


FILE = "Read the file OUT/{} into the services."
ANY = "Read any file that `{}` stands for into the services."
OUTSIDE: list[tuple[str, Files, dict[str, str], str]] = [
    ("env_file", {"compose.yaml": f"{HEAD}    env_file: ../out/s.env\n"}, {}, FILE.format("s.env")),
    ("absolute", {"compose.yaml": f"{HEAD}    env_file: [{{path: OUT/s.env}}]\n"}, {}, FILE.format("s.env")),
    ("link", {"compose.yaml": f"{HEAD}    env_file: l\n"}, {"l": "OUT/s.env"}, FILE.format("s.env")),
    ("linked folder", {"compose.yaml": f"{HEAD}    env_file: l/s.env\n"}, {"l": "OUT"}, FILE.format("s.env")),
    ("no truth", {"compose.yaml": f"{HEAD}    env_file: yes\n"}, {"yes": "OUT/s.env"}, FILE.format("s.env")),
    ("no number", {"compose.yaml": f"{HEAD}    env_file: 1:20\n"}, {"1:20": "OUT/s.env"}, FILE.format("s.env")),
    (
        "variable",
        {"compose.yaml": f"{HEAD}    env_file: '${{D}}/s.env'\n", ".env": "D=OUT\n"},
        {},
        ANY.format("${D}/s.env"),
    ),
    ("home", {"compose.yaml": f"{HEAD}    env_file: ~/s.env\n"}, {}, ANY.format("~/s.env")),
    ("label_file", {"compose.yaml": f"{HEAD}    label_file: OUT/s.env\n"}, {}, FILE.format("s.env")),
    (
        "another folder's override",
        {
            ".env": "COMPOSE_FILE=compose.yaml:sub/o.yaml\n",
            "compose.yaml": HEAD,
            "sub/o.yaml": "services: {a: {env_file: ../out/s.env}}\n",
        },
        {},
        FILE.format("s.env"),
    ),
    (
        "second document",
        {"compose.yaml": f"{HEAD}---\nservices: {{a: {{env_file: OUT/s.env}}}}\n"},
        {},
        FILE.format("s.env"),
    ),
    (
        "anchor",
        {"compose.yaml": "x-a: &a {env_file: OUT/s.env}\nservices: {a: {<<: *a, image: x}}\n"},
        {},
        FILE.format("s.env"),
    ),
    (
        ".env",
        {"compose.yaml": f"{HEAD}    environment: {{T: $S}}\n"},
        {".env": "OUT/s.env"},
        FILE.format("s.env"),
    ),
    (
        "env file of an inclusion",
        {
            "compose.yaml": f"include: [{{path: i.yaml, env_file: OUT/s.env}}]\n{HEAD}",
            "i.yaml": "services: {b: {image: x, environment: {T: $S}}}\n",
        },
        {},
        FILE.format("s.env"),
    ),
    (
        "folder of an inclusion",
        {
            "compose.yaml": f"include: [{{path: i.yaml, project_directory: ../out}}]\n{HEAD}",
            "i.yaml": "services: {b: {image: x, env_file: s.env}}\n",
        },
        {},
        FILE.format("s.env"),
    ),
    ("included", {"compose.yaml": f"include: [OUT/c.yaml]\n{HEAD}"}, {}, FILE.format("c.yaml")),
    (
        "included over another",
        {
            "compose.yaml": f"include: [{{path: [i.yaml, ../out/c.yaml]}}]\n{HEAD}",
            "i.yaml": "services: {z: {image: y}}\n",
        },
        {},
        FILE.format("c.yaml"),
    ),
    ("extended", {"compose.yaml": f"{HEAD}    extends: {{file: OUT/c.yaml, service: z}}\n"}, {}, FILE.format("c.yaml")),
    (
        "extended by a variable",
        {"compose.yaml": f"{HEAD}    extends: {{file: '$D/c.yaml', service: z}}\n", ".env": "D=OUT\n"},
        {},
        ANY.format("$D/c.yaml"),
    ),
    ("a link in place of the file", {}, {"compose.yaml": "OUT/c.yaml"}, FILE.format("c.yaml")),
    (
        "COMPOSE_FILE",
        {".env": "COMPOSE_FILE=compose.yaml:OUT/c.yaml\n", "compose.yaml": HEAD},
        {},
        FILE.format("c.yaml"),
    ),
]


@pytest.mark.parametrize(
    ("files", "links", "sentence"), [case[1:] for case in OUTSIDE], ids=[case[0] for case in OUTSIDE]
)
def test_a_file_out_of_the_project_is_asked(
    shop: Project, files: Files, links: Mapping[str, str], sentence: str
) -> None:
    home = Path(shop.environ["HOME"])
    home.mkdir()
    (home / "s.env").write_text(f"S={SECRET}\n")
    shop.write(files, links)
    # It went in, which is what is asked.
    assert SECRET in json.dumps(shop.read().stack.document)
    assert shop.asks() == [sentence]


@pytest.mark.parametrize("said", ["env_file: OUT/s.env", "extends: {file: OUT/c.yaml, service: z}", "env_file: 'yes'"])
def test_a_file_out_of_the_project_is_asked_with_version_1(tmp_path: Path, said: str) -> None:
    project = _project(tmp_path, _old())
    (project.out / "c.yaml").write_text(old_enough((project.out / "c.yaml").read_text()))
    project.write({"compose.yaml": old_enough(f"{HEAD}    {said}\n")}, {"yes": "OUT/s.env"})
    assert SECRET in json.dumps(project.read().stack.document)
    [asked] = project.asks()
    assert asked.startswith("Read the file ") and asked.endswith(" into the services.")


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}    env_file: ../out/s.env\n".encode("utf-16"),
        f"{HEAD}    !!binary ZW52X2ZpbGU=: ../out/s.env\n",
        f"{HEAD}    env_file: !!binary Li4vb3V0L3MuZW52\n",
        f"{HEAD}    env_file: ../out/s.env\nx-deep: {'[' * 3000}{']' * 3000}\n",
    ],
    ids=["utf-16", "key", "value", "deep"],
)
def test_what_compose_alone_can_read_is_refused(shop: Project, text: str | bytes) -> None:
    shop.write({"compose.yaml": text})
    with pytest.raises(ConfigError, match=r"compose\.yaml, and Workbench cannot tell which files"):
        shop.read()


def test_files_that_the_user_names_are_not_asked(shop: Project) -> None:
    shop.write({"compose.yaml": HEAD})
    assert shop.asks(COMPOSE_FILE=f"compose.yaml:{shop.out / 'c.yaml'}") == []
    assert {*shop.read(COMPOSE_FILE=f"compose.yaml:{shop.out / 'c.yaml'}").stack.services} == {"a", "z"}


LINKED: list[tuple[str, list[str]]] = [
    (
        f"{HEAD}    volumes: ['./l:/l', {{type: bind, source: ./l/key, target: /k, read_only: true}}]\n",
        [
            "Read and write the folder or file OUT (as /l) (service a).",
            "Read the folder or file OUT/key (as /k) (service a).",
        ],
    ),
    (
        f"{HEAD}    volumes: ['vol:/v']\n"
        "volumes: {vol: {driver: local, driver_opts: {type: none, o: bind, device: ./l}}}\n",
        ["Read and write the folder or file OUT (as /v) (service a)."],
    ),
    (f"{HEAD}    secrets: [s]\nsecrets: {{s: {{file: ./l/key}}}}\n", ["Read the file OUT/key (service a)."]),
    (f"{HEAD}    configs: [s]\nconfigs: {{s: {{file: ./l/key}}}}\n", ["Read the file OUT/key (service a)."]),
    (f"{HEAD}    build: ./l\n", ["Build from the folder OUT (service a)."]),
    (
        f"{HEAD}    build: {{context: ., additional_contexts: {{more: ./l}}}}\n",
        ["Build from the folder OUT (service a)."],
    ),
]


@pytest.mark.parametrize(("text", "sentences"), LINKED)
def test_a_link_is_followed_to_where_it_leads(shop: Project, text: str, sentences: list[str]) -> None:
    shop.write({"compose.yaml": text}, {"l": "OUT"})
    assert shop.asks() == sentences
    # And what is carried out does not go by the link, which may lead elsewhere by then.
    assert str(shop.root / "l") not in source.written(shop.read().stack)


def test_a_link_is_followed_with_version_1(tmp_path: Path) -> None:
    project = _project(tmp_path, _old())
    text = old_enough(
        f"{HEAD}    build: ./l\n    volumes: ['./l:/l', 'vol:/v']\n    secrets: [s]\n"
        "secrets: {s: {file: ./l/key}}\nvolumes: {vol: {driver_opts: {type: none, o: bind, device: ./l}}}\n"
    )
    project.write({"compose.yaml": text}, {"l": "OUT"})
    assert project.asks() == [
        "Read and write the folder or file OUT (as /l) (service a).",
        "Read and write the folder or file OUT (as /v) (service a).",
        "Build from the folder OUT (service a).",
        "Read the file OUT/key (service a).",
    ]


@pytest.mark.parametrize(
    "files",
    [
        {"compose.yaml": f"name: victim\n{HEAD}"},
        {"compose.yaml": HEAD, ".env": "COMPOSE_PROJECT_NAME=victim\n"},
    ],
)
def test_the_name_of_another_project_is_asked(shop: Project, files: Files) -> None:
    shop.write(files)
    assert shop.read().stack.name == "victim"
    assert shop.asks() == ["Be the Compose project victim, and have the containers and volumes that it has."]
    # Whom the user has told so is not asked.
    (shop.root / ".env").unlink(missing_ok=True)
    (shop.root / "compose.yaml").write_text(HEAD)
    assert shop.asks(COMPOSE_PROJECT_NAME="victim") == []


@pytest.mark.parametrize("where", ["https://127.0.0.1:9/x.git", "oci://127.0.0.1:9/x", "git@127.0.0.1:x/y"])
@pytest.mark.parametrize("form", ["include: ['{}']\n" + HEAD, HEAD + "    extends: {{file: '{}', service: z}}\n"])
def test_nothing_is_fetched_before_anybody_agrees(shop: Project, form: str, where: str) -> None:
    shop.write({"compose.yaml": form.format(where)})
    with pytest.raises(ConfigError):
        shop.read(COMPOSE_EXPERIMENTAL_GIT_REMOTE="true", COMPOSE_EXPERIMENTAL_OCI_REMOTE="true")


@pytest.mark.parametrize(
    "text",
    [
        "services: [a]\n",
        "services: {a: b}\ninclude: 5\n",
        "services: {a: {env_file: 3, extends: [x]}}\n",
        "- x\n",
        "a: [\n",
    ],
)
def test_what_compose_does_not_take_it_says_itself(either: Project, text: str) -> None:
    either.write({"compose.yaml": text})
    with pytest.raises(ConfigError, match=r"Compose does not take compose\.yaml") as refused:
        either.read()
    assert refused.value.detail


def test_without_a_file_there_is_nothing_to_read(shop: Project) -> None:
    with pytest.raises(ProjectError, match="has no Compose file"):
        shop.read()


def test_profiles_are_the_users_or_the_projects(shop: Project) -> None:
    night = "  b:\n    image: x\n    profiles: [night]\n"
    shop.write({"compose.yaml": HEAD + night, ".env": "COMPOSE_PROFILES=day, night\n"})
    assert source.profiles({}, shop.root) == ("day", "night")
    assert source.profiles({"COMPOSE_PROFILES": "noon"}, shop.root) == ("noon",)
    assert {*shop.read().stack.services} == {"a", "b"}


SPY = """#!/bin/sh
env > {told}
echo '{{"ServerURL": "", "Username": "", "Secret": ""}}'
"""


def test_programs_that_compose_calls_hear_nothing_of_the_projects_env(somebody: MakePerson) -> None:
    """One variable there, LD_PRELOAD, would be code of the project's on this machine."""
    me = somebody("docker")
    root, told = me.project(name="spied"), me.home / "told"
    me.write(me.home / "bin/docker-credential-spy", SPY.format(told=told))
    (me.home / "bin/docker-credential-spy").chmod(0o755)
    config = {"credsStore": "spy", "cliPluginsExtraDirs": [require("compose")]}
    me.write(me.home / ".docker/config.json", json.dumps(config))
    me.write(root / ".env", "PROJECTS_OWN=1\nIMAGE=127.0.0.1:9/nowhere\n")
    me.write(root / "compose.yaml", "services:\n  a:\n    image: $IMAGE\n")
    path = f"{me.home / 'bin'}:{me.environment({})['PATH']}"
    done = me.run("workbench", "services", "up", cwd=root, env={"PATH": path})
    assert "127.0.0.1:9" in done.fails(4)
    assert "PROJECTS_OWN" not in told.read_text()
