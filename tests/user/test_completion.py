"""Completion in the shells that people have: installed as its help says, asked with the tab key."""

import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.person import Environment, MakePerson, Person
from support.require import absent
from support.terminal import Terminal, terminal

SCRIPTS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]
STARTS = {
    "bash": (".bashrc", "PS1='ready> '\nbind 'set show-all-if-ambiguous on'\n"),
    "zsh": (".zshrc", "autoload -Uz compinit && compinit\nunsetopt list_ambiguous\nPS1='ready> '\n"),
    "fish": (".config/fish/config.fish", "function fish_prompt; echo -n 'ready> '; end\n"),
}
"""Where each shell keeps what somebody likes, and that the tests know when it waits."""
COMPOSE = "services:\n  database:\n    image: db\n    ports: !reset []\n  tracker:\n    image: tracker\n"
TOML = '[tool.workbench.toolchain.images]\ndev = ["src"]\nprep = ["src"]\n'


@pytest.fixture(scope="module")
def me(somebody_for_long: MakePerson) -> Person:
    """Somebody with a project, two docks, and the completion of each shell."""
    me = somebody_for_long("local")
    project = me.project(name="typing")
    for name, text in {
        "pyproject.toml": TOML,
        "compose.yaml": COMPOSE,
        "docker/dev/Dockerfile": "FROM scratch\n",
        "docker/prep/Dockerfile": "FROM scratch\n",
    }.items():
        me.write(project / name, text)
    for name in ("goldbox", "silverbox"):
        me.run("workbench", "dock", "add", name, f"ada@{name}.example.org").ok()
    said = me.run("workbench", "completion", "--help").ok().out
    for shell, (file, text) in STARTS.items():
        me.write(me.home / file, text)
        line = re.search(rf"^ +{shell} +(.+)$", said, re.MULTILINE)
        assert line, said
        (me.home / ".config/fish/conf.d").mkdir(parents=True, exist_ok=True)
        me.run("bash", "-c", line[1]).ok()
    return me


@pytest.fixture(params=STARTS)
def screen(request: pytest.FixtureRequest, me: Person) -> Iterator[Terminal]:
    """A shell that waits for somebody to type."""
    if not shutil.which(request.param):
        absent(f"{request.param} is not installed")
    with terminal(me, request.param, "-i", cwd=me.projects / "typing", columns=120) as (screen, _):
        screen.wait_for("ready> ")
        yield screen
        screen.type("\x15exit\n")


def offered(screen: Terminal, line: str, *names: str) -> None:
    """Type a line and the tab key: these names come."""
    screen.type(f"{line}\t")
    shown, missing = "", [*names]
    while missing:
        shown += screen.wait_for("(?s).+")
        plain = re.sub(r"\x1b(\[[\d;?]*[A-Za-z]|\(B|[=>])", "", shown)
        missing = [name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", plain)]
    # Ctrl-U takes it away again.
    screen.type("\x15echo next''one\n")
    screen.wait_for("nextone")
    screen.wait_for("ready> ")


def test_commands_options_and_values(screen: Terminal) -> None:
    offered(screen, "workbench st", "stats", "stop")
    offered(screen, "workbench tool", "toolchain")
    offered(screen, "workbench services ", "down", "restart", "logs")
    offered(screen, "workbench exec --dev", "--device")
    offered(screen, "run-notebook --engine ", "docker", "podman", "local")
    offered(screen, "run-notebook --device ", "auto", "cpu", "gpu")


def test_names_of_what_there_is(screen: Terminal) -> None:
    offered(screen, "build-image ", "dev", "prep", "all", "clean")
    offered(screen, "workbench run ", "dev", "prep")
    offered(screen, "workbench toolchain up ", "dev", "prep")
    offered(screen, "run-notebook --dock ", "goldbox", "silverbox")
    offered(screen, "workbench dock doctor silv", "silverbox")
    offered(screen, "run-notebook --with ", "database", "tracker", "all")
    offered(screen, "run-notebook --with tracker,da", "tracker,database")
    offered(screen, "workbench services logs trac", "tracker")


def test_every_program_completes(screen: Terminal) -> None:
    for name in SCRIPTS:
        offered(screen, f"{name} --hel", "--help")


def asked(me: Person, line: str, project: Path, env: Environment | None = None) -> list[str]:
    """What the scripts are told for a line that ends with a space: at once, and without a word beside it."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split())), "_WORKBENCH_COMPLETE": "bash_complete"}
    told = me.run("workbench", cwd=project, env={**words, **(env or {})}).ok()
    assert not told.err and told.seconds < 1
    return [each.partition(",")[2] for each in told.out.split()]


@pytest.mark.parametrize("engine", ["docker", "podman", "local"])
def test_workbenches_that_run(engine: str, somebody: MakePerson) -> None:
    me = somebody(engine)
    bench = me.launch(me.project("notebooks-only"))
    # Which engine has it is not asked.
    for env in ({}, {"DOCKER_HOST": f"unix://{me.folder}/nothing", "WORKBENCH_ENGINE": "docker"}):
        assert asked(me, "workbench stop ", me.projects, env) == [bench.name]
    me.run("workbench", "stop", bench.name).ok()
    assert asked(me, "workbench stop ", me.projects) == []
    assert asked(me, "workbench rm ", me.projects) == [bench.name]
    me.run("workbench", "rm", bench.name).ok()
    assert asked(me, "workbench rm ", me.projects) == []


def test_nobody_hears_of_what_is_wrong(somebody: MakePerson) -> None:
    me = somebody("local")
    project = me.project(name="broken")
    me.write(project / "pyproject.toml", "[tool.workbench\n")
    me.write(me.home / ".config/workbench/docks.json", "{")
    for line in ("build ", "services logs ", "services up db ", "toolchain up ", "dock ssh ", "stop "):
        assert asked(me, f"workbench {line}", project) == []
    assert not (me.home / ".local/state").exists()
