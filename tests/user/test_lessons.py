"""Every lesson as a student works through it: copied, opened, first left unfinished, then done.

Unfinished, the cells go to a kernel of the running workbench over its websocket, as a browser sends them: what the
checks say is looked at. Done, the notebook is run by nbval, inside the workbench: a kernel that nbval starts on this
machine would neither be in the container nor know of its server.
"""

import json
import os
import re
import runpy
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.kernel import Kernel
from support.person import MakePerson, Person, Workbench, workbench
from support.require import require, tool
from support.services import COMPOSE, Beside, with_compose

from user.test_toolchain import example, on_the_image_that_is_here
from workbench import tutorial
from workbench.docks.sync import files
from workbench.docks.sync.copy import What
from workbench.tutorial import Lesson

LIMIT = 120.0
"""Seconds that all cells of a lesson may take together."""
CHECK = re.compile(r"lesson\.check\((\d+)\)")
SANITIZED = "".join(f"regex: {each}\nreplace: \n" for each in (r"\x1b\[[\d;]*m", r"\r"))
"""What nbval does not compare."""
REFUSED = {"08": {"cell-14": "Host key verification failed."}}
"""What a cell shows while the lesson is unfinished, where that is the point of it."""
APART = "/tmp/nbval"
INSTALL = 'python3 -m venv "$1" && "$1/bin/pip" install --quiet nbval'
"""Not into the environment of the lesson, whose packages a lesson may list."""
WITH_KERNELS = 'JUPYTER_PATH="$WORKBENCH_RUN/share" exec "$@"'
ENGINES = ("docker", "local")
CASES = [(engine, each) for each in tutorial.lessons() for engine in ENGINES if engine in each.engines]
# Podman differs in how a workbench is run, not in what a lesson says: the first one stands for all.
CASES += [("podman", tutorial.lessons()[0])]


def alone(number: str) -> pytest.MarkDecorator:
    """Compose knows a copy of a lesson by the name of its folder: two at a time would have one engine."""
    return pytest.mark.xdist_group(f"lesson-{number}")


Prepare = Callable[[Person, Path, ExitStack], tuple[str, ...]]


def with_engine(me: Person, folder: Path, end: ExitStack) -> tuple[str, ...]:
    """A lesson with an engine of its own: built on the image that is here, agreed to, and removed at the end."""
    with_compose(me)
    me.write(folder / ".env", f"BASE_IMAGE={require('base-image')}\n")
    services = Beside(me, folder)
    services.clear()
    end.callback(services.clear)
    return ("--trust",)


def with_neighbours(me: Person, folder: Path, end: ExitStack) -> tuple[str, ...]:
    """A lesson with services of the project's own images, on the image that is here.

    Compose then finds what was built here: no package is fetched without this machine's certificates.
    """
    built = example(me, "lesson-09")
    end.callback(lambda: me.run(tool("build-image"), "clean", cwd=built).ok())
    me.run(tool("build-image"), "prep", "train", cwd=built).ok()
    with_compose(me)
    me.write(folder / ".env", f"BASE_IMAGE={require('base-image')}\n")
    services = Beside(me, folder)
    services.clear()
    end.callback(services.clear)
    return ()


PREPARE: dict[str, Prepare] = {
    "02-images-and-layers": with_engine,
    "03-everyday-verbs": with_engine,
    "07-app-in-a-container": with_engine,
    "08-docks": with_engine,
    "09-services-and-pipeline": with_neighbours,
}
"""For a lesson that needs more: what is done in its copy before it starts, and the further options of its launch."""


@dataclass(frozen=True)
class Cell:
    """A code cell of a lesson."""

    id: str
    source: str
    tags: tuple[str, ...]

    @property
    def exercise(self) -> int | None:
        """The exercise that is done in it."""
        return next((int(tag.removeprefix("exercise-")) for tag in self.tags if tag.startswith("exercise-")), None)

    @property
    def checks(self) -> int | None:
        """The exercise that it checks."""
        found = CHECK.search(self.source)
        return int(found[1]) if found else None


def cells(notebook: Path) -> list[Cell]:
    """The code cells of a notebook."""
    found: list[dict[str, Any]] = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [
        Cell(each["id"], "".join(each["source"]), tuple(each["metadata"].get("tags", ())))
        for each in found
        if each["cell_type"] == "code"
    ]


def solution(folder: Path, number: int) -> str:
    """One way to do an exercise, as the student may look it up."""
    return (folder / f".lesson/solutions/{number}.py").read_text(encoding="utf-8")


def walk(bench: Workbench, lesson: Lesson) -> dict[str, str]:
    """Run all cells in one kernel; what each has printed. Fails the test when one of them fails."""
    with bench.jupyter.kernel(path=lesson.notebook) as kernel:
        return {cell.id: _run(kernel, cell) for cell in cells(bench.project / lesson.notebook)}


def _run(kernel: Kernel, cell: Cell) -> str:
    ran = kernel.run(cell.source)
    assert not ran.error, "\n".join([f"{cell.id}: {ran.error}", cell.source, *ran.traceback])
    return ran.text


def checked(bench: Workbench, lesson: Lesson, shown: Mapping[str, str]) -> dict[int, str]:
    """What each check has said."""
    said = {each.checks: shown[each.id] for each in cells(bench.project / lesson.notebook) if each.checks}
    assert sorted(filter(None, said)) == lesson.exercises
    return {number: said[number] for number in lesson.exercises}


def solved(folder: Path, lesson: Lesson) -> dict[str, Any]:
    """The notebook with a solution in each exercise, and the outputs that its author saw where they matter."""
    notebook: dict[str, Any] = json.loads((folder / lesson.notebook).read_text(encoding="utf-8"))
    kept = folder / ".lesson/expected.json"
    expected = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    found = {cell.id: cell for cell in cells(folder / lesson.notebook)}
    assert {name for name, cell in found.items() if "compare" in cell.tags} == expected.keys()
    for each in notebook["cells"]:
        cell = found.get(each["id"])
        if cell and cell.exercise:
            each["source"] = solution(folder, cell.exercise)
        if cell and cell.id in expected:
            each["execution_count"] = 1
            each["outputs"] = [{"output_type": "stream", "name": "stdout", "text": expected[cell.id]}]
            each["metadata"]["tags"] = [*cell.tags, "nbval-check-output"]
    return notebook


def validate(me: Person, bench: Workbench, lesson: Lesson, engine: str) -> None:
    """Run the solved notebook by nbval, in the workbench."""
    me.write(bench.project / "solved.ipynb", json.dumps(solved(bench.project, lesson)))
    me.write(bench.project / "solved.cfg", SANITIZED)
    python = sys.executable
    if engine != "local":
        python = f"{APART}/bin/python"
        me.run("workbench", "exec", "--", "sh", "-ec", INSTALL, "sh", APART, cwd=bench.project).ok()
    options = ("-p", "no:cacheprovider", "--color=no", "--nbval-lax", "--nbval-sanitize-with", "solved.cfg")
    command = ("sh", "-ec", WITH_KERNELS, "sh", python, "-m", "pytest", *options, "solved.ipynb")
    me.run("workbench", "exec", "--", *command, cwd=bench.project).ok()


def leave(lesson: Lesson, engine: str, shown: Mapping[str, str]) -> None:
    """Leave for people what a student reads, for the author's eye."""
    file = Path(os.environ["WORKBENCH_TEST_OUTPUT"]) / f"lesson-{lesson.number}-{engine}.json"
    file.write_text(json.dumps(dict(shown), indent=1, ensure_ascii=False), encoding="utf-8")


@pytest.fixture
def end() -> Iterator[ExitStack]:
    """What is to be done at the end of a test. Named before `somebody`, it comes after all workbenches have gone."""
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize(
    ("engine", "lesson"),
    [pytest.param(engine, each, id=f"{engine}-{each.number}", marks=alone(each.number)) for engine, each in CASES],
)
def test_a_lesson(engine: str, lesson: Lesson, end: ExitStack, somebody: MakePerson) -> None:
    me = somebody(engine, normal=True)
    bench = begin(me, lesson, end)

    shown = walk(bench, lesson)
    leave(lesson, engine, shown)
    for cell, words in REFUSED.get(lesson.number, {}).items():
        assert words in shown[cell], shown[cell]
    missing = checked(bench, lesson, shown)
    for number, said in missing.items():
        assert said.startswith(f"✗ Exercise {number}: "), said
        assert "the check ended with" not in said and f"lesson.hint({number})" in said, said
        # A sentence that helps, not a word.
        assert len(said.splitlines()[0].split()) > 6, said
    assert f"{len(lesson.exercises)} to go" in check(me, bench, lesson)

    began = time.monotonic()
    validate(me, bench, lesson, engine)
    took = time.monotonic() - began
    assert "The lesson is complete." in check(me, bench, lesson)
    assert took < LIMIT, f"{took:.0f} s"


def begin(me: Person, lesson: Lesson, end: ExitStack) -> Workbench:
    """Begin a lesson as a student does; the workbench that runs then."""
    folder = me.home / "lessons" / lesson.name
    options = ["-d", "--no-browser"]
    if lesson.name in PREPARE:
        # Copies it, and starts nothing.
        me.run("workbench", "tutorial", "reset", lesson.number, "--to", folder).ok()
        options += PREPARE[lesson.name](me, folder, end)
    told = me.run("workbench", "tutorial", lesson.number, "--to", folder, *options).ok()
    assert f"{lesson.number} {lesson.title}: {folder}" in told.err
    bench = me.launch(folder)
    assert bench.project == folder
    return bench


def check(me: Person, bench: Workbench, lesson: Lesson) -> str:
    """What `workbench tutorial check` says of the copy."""
    return me.run("workbench", "tutorial", "check", lesson.number, "--to", bench.project).ok().out


LISTED = "docker('ps', '--all', '--format', '{{.Names}}')"
WRONG: dict[str, list[tuple[int, str, str]]] = {
    "02": [
        (1, "layers, command = 3, ['sh']", "Count what the part RootFS"),
        (1, "layers, command = 2, 'bash'", "`command` is 'bash'"),
        (2, "docker('run', '--detach', '--name', 'mine', 'tiny', 'sleep', '100')", "still running"),
        (2, "docker('rm', '--force', 'mine')\ndocker('run', '--name', 'mine', 'tiny', 'true')", "no file /name"),
        (3, "Path('report/Dockerfile').write_text('FROM nothing-like-it')", "it cannot be built"),
        (3, "Path('report/Dockerfile').write_text('FROM tiny')", "no step of report/Dockerfile runs install.sh"),
        (
            3,
            "Path('report/Dockerfile').write_text('FROM tiny\\nWORKDIR /app\\nCOPY report.sh levels.csv install.sh ./"
            "\\nRUN echo numpy pandas > packages.txt; sh install.sh\\nCMD sh report.sh')",
            "still makes `RUN sh install.sh` run again",
        ),
        (
            3,
            "Path('report/Dockerfile').write_text('FROM tiny\\nWORKDIR /app\\nCOPY install.sh ./\\nRUN echo numpy "
            "pandas > packages.txt; sh install.sh\\nCOPY . .\\nCMD sh report.sh')",
            "does not make `RUN sh install.sh` run again",
        ),
        (4, "Path('survey/.dockerignore').write_text('harbour.key\\nraw/monday.bin')", "another.key, ./raw/more.bin"),
        (4, "Path('survey/.dockerignore').write_text('*')", "survey.sh is not in the image any more"),
    ],
    "03": [
        (1, "docker('run', '--name', 'small', 'tiny', 'true')", "has ended"),
        (1, "docker('rm', 'small')\ndocker('run', '-d', '--name', 'small', 'tiny', 'sleep', '100')", "no limit at all"),
        (2, "docker('exec', 'tide', 'touch', '/note')", "or an empty one"),
        (2, "docker('exec', 'tide', 'sh', '-c', 'echo a > /note')\ncode = 0", "`code` is 0"),
        (3, "docker('network', 'create', 'harbour')", "the container `web` does not run"),
        (3, "docker('run', '-d', '--name', 'web', 'tiny', 'sleep', '100')", "not in the network"),
        (4, "docker('run', '--name', 'one', '--volume', 'levels:/data', 'tiny', 'true')", "one still has the volume"),
        (4, "docker('rm', 'one')", "has no file `today`"),
        (5, "docker('container', 'prune', '--force')", "an image without a name"),
        (5, "docker('rm', '--force', 'web')\ndocker('image', 'prune', '--force')", "`web` is gone"),
        (5, "docker('volume', 'rm', 'levels')", "the volume `levels` is gone"),
    ],
    "07": [
        (1, "docker('rm', '--force', 'app')", "no container with the name `app`"),
        (1, "docker('run', '-d', '--name', 'app', '--env', 'HOST=0.0.0.0', 'app')", "is not published"),
        (2, "Path('better/Dockerfile').write_text('FROM app')", "does not set HOST"),
        (2, "Path('better/Dockerfile').write_text('FROM app\\nENV HOST=0.0.0.0')", "still runs as root"),
        (
            2,
            "Path('better/Dockerfile').write_text('FROM app\\nENV HOST=0.0.0.0\\nUSER nobody\\nCMD [\"false\"]')",
            "does not answer",
        ),
        (3, "docker('run', '--name', 'oostende', 'app', 'true')", "has ended"),
        (4, "table = '[tool'", "this is no TOML yet"),
        (4, "table = '[tool.workbench.services.demo]\\nweb = {port = 80}'", "whose port is 7860"),
    ],
    "08": [
        (1, "import far, shutil\nkeys = far.DESK / 'authorized_keys'\nshutil.copy(far.KEY, keys)", "the private half"),
        (1, "keys.write_text('ssh-ed25519 AAAA nobody')", "not the public half of this key"),
        (1, "shutil.copyfile(f'{far.KEY}.pub', keys)", "cannot read it"),
        (2, "far.KNOWN.write_text(far.key_of(2222))", "the right one is SHA256:"),
        (2, "keys.unlink()\nfar.KNOWN.write_text(far.key_of(22))", "exercise 1 comes first"),
        (3, "far.tunnel()", "cannot be reached"),
        (
            3,
            "shutil.copy(f'{far.KEY}.pub', keys)\nfar.tunnel()\n"
            "far.there('build', '--tag', 'tiny', '--file', 'engine/tiny/Dockerfile', '/engine/bin')",
            "no container `worker` yet",
        ),
        (3, "docker('run', '-d', '--name', 'worker', 'tiny', 'sleep', '100')", "on the engine here"),
        (3, "docker('rm', '-f', 'worker')\nfar.there('run', '--name', 'worker', 'tiny', 'true')", "has ended"),
        (
            3,
            "far.there('rm', 'worker')\nfar.there('run', '-d', '--name', 'worker', 'tiny', 'sleep', '100')\n"
            "far.source_dock()",
            "castoff() brings you back",
        ),
        (4, "far.castoff()\nmissing = 'all'", "a list of layers"),
        (4, "missing = ['1234']", "is no layer of the image"),
        (4, "missing = []", "`missing` is empty"),
        (4, "missing = far.layers('model')", "has 4 layers"),
        (4, "missing = far.layers('model')[:1]", "not the layer that has changed"),
        (4, "missing = far.layers('model')[-1:]", "not on bigbox yet"),
        # The layer that is sent lies on others, which are not there.
        (4, "far.send('model', missing)", "not on bigbox yet"),
        (5, "copied = 'tide.ipynb'", "a set of names"),
        (5, "copied = {'tides.ipynb'}", "no file of the project"),
        (5, "copied = far.PROJECT['files']", ".git/config stays on its own side: it belongs to one machine"),
        (5, "copied = {'harbour.key'}", "`*.key` in .dockerignore"),
        (5, "copied = {'tide.ipynb'}", ".gitignore is copied"),
        (
            5,
            "copied = ['.gitignore', 'pyproject.toml', 'runs/monday.csv', 'src/tide.py', 'tide.ipynb']\nnamed = 'here'",
            "the newer version has the name",
        ),
        (5, "named, versions = 'there', 1", "nothing is lost"),
    ],
    "09": [
        (1, "Path('/shared/docs/hello.txt').write_text('hello')\naddress = 'http://localhost'", "REPORT_URL says"),
        (1, "address = os.environ['REPORT_URL']\nanswer = 'none'", "not what the service says"),
        (2, "order = ['page']", "each of the four names once"),
        (2, "order = ['database', 'answers', 'tables', 'page']", "`answers` starts before `tables`"),
        (2, "order = ['database', 'tables', 'answers', 'page']\nended = 'database'", "waits for until it is done"),
        (
            3,
            "from src.link import Link\nprep = Link('prep')\nhead = body = 'prep'",
            "comes with a batch",
        ),
        (3, "head, body = prep.ask('batch', split='train', start=0, size=4)", "has 4 images, and should have 8"),
        (3, "head, body = prep.ask('batch', split='train', start=0, size=8)", "set aside for testing"),
        (3, "head, body = prep.ask('batch', split='test', start=0, size=8)[0], b''", "the bytes that came after"),
        (
            3,
            "head, body = prep.ask('batch', split='test', start=0, size=8)\nshapes = ['disc']",
            "a word for each",
        ),
        (4, "best = None", "the same rate"),
        # `prep` is still open, and `train` is not kept waiting by that.
        (4, "train = Link('train')\nfaster, _ = train.ask('train', epochs=10, rate=0.05)", "should be a dict"),
        (4, "best = {'run': 'mine', 'rate': 1, 'accuracy': 1}", "kept no run with the name 'mine'"),
        (4, "from beside import runs\nbest['run'] = runs()[0].name", "had the rate 0.001"),
        (4, "best['rate'] = 0.001", "ended with the accuracy 0."),
        (
            4,
            "lines = (runs()[0] / 'metrics/accuracy_test').read_text().splitlines()\n"
            "best['accuracy'] = float(lines[-1].split()[1])",
            "another run is better",
        ),
        (5, "from subprocess import run\nresults = Path('results.json')\nresults.write_text('{}')", "no commit has"),
        (
            5,
            "commit = lambda *files: [run(['git', *words], check=True) for words in (['add', *files], "
            "['commit', '--quiet', '--message', 'a'], ['tag', '--force', 'first-model'])]\ncommit('results.json')",
            "does not have src/train.py",
        ),
        (5, "commit('.')", 'with the keys "run" and "data"'),
        (5, 'results.write_text(\'{"run": "mine", "data": ""}\')\ncommit(\'.\')', "has kept none of that name"),
        (5, "results.write_text(json.dumps({'run': faster['run'], 'data': ''}))\ncommit('.')", "not the digest"),
    ],
}
"""Of lessons with services: exercise, a wrong answer, what is said of it. Each goes on from the last."""


@pytest.mark.parametrize("number", [pytest.param(number, marks=alone(number)) for number in WRONG])
def test_what_a_lesson_says_of_wrong_answers(number: str, end: ExitStack, somebody: MakePerson) -> None:
    me = somebody("docker", normal=True)
    lesson = tutorial.find(number)
    bench = begin(me, lesson, end)
    walk(bench, lesson)
    with bench.jupyter.kernel(path=lesson.notebook) as kernel:
        kernel.run("import json\nimport os\nfrom pathlib import Path\nfrom workbench.notebook import lesson").ok()
        if "engine" in lesson.shares:
            kernel.run("from engine.client import docker").ok()
            born = "born = docker('inspect', '--format', '{{.Id}}', 'tide') if 'tide' in " + LISTED + " else None"
            kernel.run(born).ok()
        for exercise, answer, reason in WRONG[number]:
            said = kernel.run(f"{answer};\nlesson.check({exercise})").ok()
            assert f"✗ Exercise {exercise}: " in said and reason in said, said
            assert "the check ended with" not in said


@alone("02")
def test_a_lessons_engine_is_agreed_to_apart_from_the_users_and_leaves_nothing(
    end: ExitStack, somebody: MakePerson
) -> None:
    me = somebody("docker", normal=True)
    lesson = tutorial.find("02")
    folder = me.home / "lessons" / lesson.name
    me.run("workbench", "tutorial", "reset", "02", "--to", folder).ok()
    with_engine(me, folder, end)
    told = me.run("workbench", "tutorial", "02", "--to", folder, "-d", "--no-browser")
    assert "SYS_ADMIN" in told.fails(2) and "--trust" in told.err
    # Why, in the words of the lesson, before what is asked in those of the engine.
    assert told.err.index("a Docker engine of its own") < told.err.index("SYS_ADMIN")
    services = Beside(me, folder)
    assert not me.containers() and not services.states()

    me.run("workbench", "tutorial", "02", "--to", folder, "-d", "--no-browser", "--trust").ok()
    bench = me.launch(folder)
    listed = bench.jupyter.run(f"from engine.client import docker\nprint({LISTED})", path=lesson.notebook)
    assert listed.strip() == ""
    me.run("workbench", "rm", "--force", cwd=folder).ok()
    me.run("workbench", "services", "down", "--volumes", cwd=folder).ok()
    mark = f"label={COMPOSE}project={folder.name}"
    for kind in (("ps", "--all"), ("volume", "ls"), ("network", "ls")):
        assert me.engine.docker(*kind, "--quiet", "--filter", mark).strip() == ""


def test_a_lesson_without_its_engine_never_speaks_to_the_users(somebody: MakePerson) -> None:
    """Where the notebook runs on the machine itself, a `docker` that reaches the user's engine may be on its path."""
    me = somebody("local", normal=True)
    folder = me.home / "lessons/03"
    me.run("workbench", "tutorial", "reset", "03", "--to", folder).ok()
    socket, client = require("docker"), Path(require("docker-cli"))
    users = {"DOCKER_HOST": socket, "PATH": f"{tool('workbench').parent}:{client}:{os.environ['PATH']}"}
    told = me.run("run-notebook", "-d", "--json", "--no-browser", "--engine", "local", cwd=folder, env=users).ok()
    bench = workbench(told.json())
    with bench.jupyter.kernel(path="everyday-verbs.ipynb") as kernel:
        # So it would be, else.
        assert "Server Version" in kernel.run("!docker info").ok()
        ran = kernel.run("from engine.client import docker, fresh, tiny\nfresh()")
        assert "run-notebook --engine docker" in ran.error and len(ran.traceback) == 1
        assert "Cannot connect" in kernel.run("!docker info").ok()


def test_a_lesson_without_its_services_says_how_it_has_them(somebody: MakePerson) -> None:
    me = somebody("local", normal=True)
    folder = me.home / "lessons/09"
    told = me.run("workbench", "tutorial", "09", "--to", folder, "-d", "--no-browser").ok()
    assert "Not used without a container: services (prep, train, report)" in told.err
    bench = me.launch(folder)
    with bench.jupyter.kernel(path="services-and-pipeline.ipynb") as kernel:
        ran = kernel.run("from beside import services\nservices()")
        assert "run-notebook --engine docker" in ran.error and len(ran.traceback) == 1


def test_a_lesson_that_needs_an_engine_is_not_begun_without_one(somebody: MakePerson) -> None:
    me = somebody("local", normal=True)
    nowhere = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "WORKBENCH_ENGINE": None}
    told = me.run("workbench", "tutorial", "03", "--to", me.home / "03", "-d", "--no-browser", env=nowhere)
    assert "Docker" in told.fails(3)


@alone("09")
def test_what_the_lesson_about_services_has_people_type(end: ExitStack, somebody: MakePerson) -> None:
    """Beside the services, in the same folder, goes the toolchain, too."""
    me = somebody("docker", normal=True)
    bench = begin(me, tutorial.find("09"), end)
    root, told = bench.project, (bench.project / "services-and-pipeline.ipynb").read_text(encoding="utf-8")
    typed = [shlex.split(each) for each in re.findall(r"\| `(workbench services[^`]*)` \|", told)]
    assert [words[2:3] for words in typed] == [[], ["logs"], ["exec"], ["restart"], ["up"], ["down"]]
    said = [me.run(*(word for word in words if word != "-f"), cwd=root).ok().out for words in typed]
    assert "healthy" in said[0] and "train listens" in said[1] and {"images", "ipc"} <= {*said[2].split()}
    assert not Beside(me, root).states()
    me.run("workbench", "services", "up", cwd=root).ok()

    end.callback(lambda: me.run("workbench", "toolchain", "down", cwd=root).ok())
    me.write(root / "pyproject.toml", (root / "pyproject.toml").read_text() + on_the_image_that_is_here())
    typed = [shlex.split(each, comments=True) for each in re.findall(r"workbench toolchain [a-z]+ .*#[^\"\\]*", told)]
    assert [words[2] for words in typed] == ["up", "logs", "run", "down"]
    me.run(*typed[0], cwd=root).ok()
    report = "Path('docs/report.md').read_text() if Path('docs/report.md').exists() else ''"
    shown = bench.jupyter.run(
        f"import time\nfrom pathlib import Path\nwhile not (text := {report}):\n    time.sleep(0.2)\nprint(text)"
    )
    assert "accuracy on 60 others" in shown
    said = [me.run(*words, cwd=root).ok().out for words in typed[1:]]
    assert "240 pictures drawn" in said[0] and "Nothing to be done" in said[1]


@alone("08")
def test_the_machine_of_a_lesson_is_a_dock_of_ones_own(end: ExitStack, somebody: MakePerson) -> None:
    """What the lesson about docks has people type on their own machine, as it says it."""
    me = somebody("docker", normal=True)
    bench = begin(me, tutorial.find("08"), end)
    lesson = (bench.project / "docks.ipynb").read_text(encoding="utf-8")
    [proxy] = re.findall(r"ProxyCommand [^\"\\]+", lesson)
    machine = re.search(r"exec -i (\S+)", proxy)
    assert machine
    ssh, key = me.home / ".ssh", me.home / ".ssh/id_ed25519"
    me.run("mkdir", "-m", "700", ssh).ok()
    me.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).ok()
    ours = f"IdentityFile {key}\nUserKnownHostsFile {ssh}/known_hosts\nStrictHostKeyChecking yes\n"
    me.write(ssh / "config", f"Host bigbox\nUser ada\n{proxy}\n{ours}")
    host_key = me.run("docker", "exec", machine[1], "cat", "/etc/ssh/bigbox.pub").ok().out
    me.write(ssh / "known_hosts", f"bigbox {host_key}")
    let_in = f"docker exec -i {machine[1]} sh -c 'cat >> /etc/ssh/authorized_keys' < ~/.ssh/id_ed25519.pub"
    assert let_in in lesson
    me.run("sh", "-c", let_in).ok()

    # OpenSSH's `~` is the account's home, and not this person's.
    env = {"PATH": f"{require('dock-ssh')}/bin{os.pathsep}{me.environment({})['PATH']}"}
    looked = me.run("workbench", "dock", "doctor", "bigbox", env=env).ok().out
    assert "✓ ssh: ada@bigbox" in looked and "✓ engine: docker" in looked
    docked = f'eval "$({tool("workbench")} dock env bigbox)" && docker info --format "{{{{.Name}}}}" && castoff'
    assert me.run("bash", "-c", docked, env=env).ok().out.strip() == "bigbox"
    project = me.project("notebooks-only")
    options = ("--dock", "bigbox", "--ship", "-d", "--json", "--no-browser")
    told = me.run("run-notebook", *options, cwd=project, env=env).ok()
    with workbench(told.json()).jupyter.kernel(path="there.ipynb") as kernel:
        kernel.run("from pathlib import Path\nPath('there.txt').write_text('there')").ok()
    assert project.name in me.run("ssh", "bigbox", "docker ps", env=env).ok().out
    me.run("workbench", "sync", "--wait", cwd=project, env=env).ok()
    assert (project / "there.txt").read_text() == "there"
    me.run("workbench", "rm", "--force", "--copy", cwd=project, env=env).ok()


def test_what_the_lesson_about_docks_says_is_copied_is_what_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tutorial.find("08").folder
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.syspath_prepend(folder.parent)
    described = runpy.run_path(str(folder / "far.py"))["PROJECT"]
    for name in described["files"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in (".gitignore", ".dockerignore"):
        (tmp_path / name).write_text("\n".join(described[name]))
    what = What(dock="bigbox", project=str(tmp_path), copy="", exclude=tuple(described["exclude"]))
    expressions = [re.compile(word.removeprefix("Regex ")) for word in files.patterns(what)[1::2]]

    def stays(name: str) -> bool:
        parts = Path(name).parts
        return any(each.fullmatch("/".join(parts[:end])) for each in expressions for end in range(1, len(parts) + 1))

    answer: dict[str, Any] = runpy.run_path(str(folder / ".lesson/solutions/5.py"))
    assert {each for each in described["files"] if not stays(each)} == answer["copied"]
