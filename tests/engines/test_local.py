"""What only the local engine has to get right: processes, records, environments."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.contract.benches import DELIVERY, LocalBench
from workbench.engines import venvs
from workbench.engines.records import Record
from workbench.errors import EngineError
from workbench.model import ContainerRun, ImageUse, LocalRun, VenvBuild

STUBBORN_CHILD = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(99)"
FAMILY = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {STUBBORN_CHILD!r}], start_new_session=True)
print("child", child.pid, flush=True)
time.sleep(99)
"""
SAY_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)), flush=True)"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LocalBench]:
    made = LocalBench(tmp_path)
    yield made
    made.clean()


def python(bench: LocalBench, text: str) -> LocalRun:
    """A workbench whose server is this piece of Python."""
    return replace(bench.run(), argv=(sys.executable, "-c", text))


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_may_read_what_it_writes(bench: LocalBench) -> None:
    run = python(bench, "import time; time.sleep(99)")
    bench.engine.start(run, DELIVERY)
    folder = Path(run.folder)
    assert mode(folder) == 0o700
    assert {path.name: mode(path) for path in folder.iterdir()} == {"delivery.json": 0o600, "server.log": 0o600}
    assert mode(bench.engine.records.folder) == 0o700
    assert mode(bench.engine.records.path(run.name)) == 0o600
    assert json.loads((folder / "delivery.json").read_text())["token"] == DELIVERY.token


def test_a_process_id_that_was_reused_is_not_taken_for_ours(bench: LocalBench) -> None:
    run = python(bench, "import time; time.sleep(99)")
    running = bench.engine.start(run, DELIVERY)
    record = bench.engine.records.get(running.id)
    assert record.created is not None
    bench.engine.records.update(replace(record, created=record.created - 3600))
    assert [each.state for each in bench.engine.find({})] == ["dead"]
    bench.engine.stop(running.id)
    assert psutil.pid_exists(int(running.container))
    bench.engine.records.update(record)
    assert [each.state for each in bench.engine.find({})] == ["running"]


def test_a_server_whose_launcher_died_before_noting_it_is_found(bench: LocalBench) -> None:
    run = python(bench, FAMILY)
    running = bench.engine.start(run, DELIVERY)
    until(lambda: list(bench.engine.logs(running.id)))
    bench.engine.records.update(Record(run))
    (found,) = bench.engine.find({})
    assert (found.state, found.container) == ("running", running.container)
    bench.engine.stop(running.id)
    assert [each.state for each in bench.engine.find({})] != ["running"]


def test_a_record_without_a_server_can_be_removed(bench: LocalBench) -> None:
    run = bench.run()
    bench.engine.records.create(Record(run))
    assert [each.state for each in bench.engine.find({})] == ["created"]
    bench.engine.stop(run.name)
    bench.engine.remove(run.name)
    assert bench.engine.find({}) == []


def test_stop_leaves_no_kernel_behind(bench: LocalBench) -> None:
    running = bench.engine.start(python(bench, FAMILY), DELIVERY)
    until(lambda: len(list(bench.engine.logs(running.id))) == 2)
    said = " ".join(bench.engine.logs(running.id)).split()
    child = psutil.Process(int(said[said.index("child") + 1]))
    assert child.is_running()
    bench.engine.stop(running.id)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_of_many_starts_at_once_one_wins(bench: LocalBench) -> None:
    run = bench.run()

    def start(_: int) -> bool:
        try:
            bench.engine.start(run, DELIVERY)
        except EngineError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(start, range(8))).count(True) == 1
    assert [each.state for each in bench.engine.find({})] == ["running"]


def test_a_program_that_is_not_there_leaves_nothing_behind(bench: LocalBench) -> None:
    with pytest.raises(EngineError) as caught:
        bench.engine.start(replace(bench.run(), argv=("/no/such/python",)), DELIVERY)
    assert "/no/such/python" in caught.value.message
    assert bench.traces() == set()
    assert not Path(bench.run().folder).exists()


def test_the_log_goes_on_and_a_long_one_is_set_aside(bench: LocalBench) -> None:
    run = python(bench, "print('hello', flush=True)")
    log = Path(run.folder) / "server.log"
    bench.engine.start(run, DELIVERY)
    until(lambda: list(bench.engine.logs(run.name)) == ["hello"])
    until(lambda: bench.engine.find({})[0].state == "dead")
    bench.engine.resume(run.name, DELIVERY)
    until(lambda: list(bench.engine.logs(run.name)) == ["hello", "hello"])
    until(lambda: bench.engine.find({})[0].state == "dead")
    with log.open("ab") as stream:
        stream.truncate(10_000_001)
    bench.engine.resume(run.name, DELIVERY)
    until(lambda: list(bench.engine.logs(run.name)) == ["hello"])
    assert log.with_name("server.log.1").stat().st_size == 10_000_001


def test_a_line_is_told_when_it_is_whole(bench: LocalBench) -> None:
    text = (
        "import sys, time\nfor part in ('one ', 'line\\n', 'no end'): print(part, end='', flush=True); time.sleep(0.6)"
    )
    running = bench.engine.start(python(bench, text), DELIVERY)
    assert list(bench.engine.logs(running.id, follow=True)) == ["one line", "no end"]


def test_a_server_does_not_inherit_what_belongs_to_another_python(
    bench: LocalBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JUPYTER_TOKEN", "PYTHONPATH", "VIRTUAL_ENV", "WORKBENCH_PORT", "WORKBENCH_ENGINE", "OF_THE_USER"):
        monkeypatch.setenv(name, "from outside")
    run = python(bench, SAY_ENVIRONMENT)
    bench.engine.start(run, DELIVERY)
    until(lambda: list(bench.engine.logs(run.name)))
    found = json.loads(next(bench.engine.logs(run.name)))
    assert {name for name, value in found.items() if value == "from outside"} == {"OF_THE_USER"}
    assert run.env.items() <= found.items()


def test_commands_find_the_environment_of_the_project(bench: LocalBench) -> None:
    run = replace(python(bench, "import time; time.sleep(99)"), venv=sys.prefix)
    bench.engine.start(run, DELIVERY)
    found = bench.engine.exec(run.name, ("sh", "-c", "command -v python; echo $VIRTUAL_ENV; pwd")).out.splitlines()
    assert found == [f"{sys.prefix}/bin/python", sys.prefix, bench.project]
    missing = bench.engine.exec(run.name, ("no-such-command",))
    assert missing.code == 127
    assert "no-such-command" in missing.err


def test_containers_are_refused(bench: LocalBench) -> None:
    container = ContainerRun("a", "b", {}, "c", 1, 2, "/")
    with pytest.raises(EngineError, match="no containers"):
        bench.engine.start(container, DELIVERY)
    with pytest.raises(EngineError, match="no images"):
        bench.engine.present(ImageUse("a"))


def test_a_record_that_is_no_record_is_named(bench: LocalBench) -> None:
    path = bench.engine.records.path("broken")
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(EngineError, match=r"broken\.json cannot be read"):
        bench.engine.find({})
    path.unlink()


def test_a_folder_that_cannot_be_made_is_the_engine_s_error(bench: LocalBench) -> None:
    (bench.folder / "records").write_text("")
    with pytest.raises(EngineError) as caught:
        bench.engine.start(bench.run(), DELIVERY)
    assert str(bench.folder / "records") in caught.value.message
    assert caught.value.hint


def test_an_environment_works_where_it_is_in_the_end(bench: LocalBench) -> None:
    build = bench.build()
    list(bench.engine.provide(build))
    folder = Path(build.folder)
    pip = subprocess.run([folder / "bin" / "pip", "--version"], capture_output=True, text=True, check=True)
    assert str(folder) in pip.stdout
    assert sorted(path.name for path in folder.parent.iterdir() if path.is_dir()) == [folder.name]


def with_devices(build: VenvBuild, gpu: str) -> VenvBuild:
    """The same, with another six for each device."""
    tables = {
        kind: {"packages": [package], "index": None, "torch-backend": None}
        for kind, package in (("cpu", "six==1.16.0"), ("gpu", gpu))
    }
    files = {"requirements.txt": b"six==1.15.0\ntoml==0.10.1\n"}
    return replace(build, files=files, devices=json.dumps(tables), apart=("six",))


def test_the_environments_of_the_devices_work_where_they_are_in_the_end(bench: LocalBench) -> None:
    build = with_devices(bench.build(), "six==1.17.0")
    steps = [event.text for event in bench.engine.provide(build) if event.kind == "done"]
    assert steps == ["Python environment", "CPU and GPU environments"]
    code = "import six, toml, sys; print(six.__version__, sys.prefix)"
    for kind, version in (("cpu", "1.16.0"), ("gpu", "1.17.0")):
        prefix = Path(build.folder) / "devices" / kind
        done = subprocess.run([prefix / "bin" / "python", "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.split() == [version, str(prefix)]
        pip = subprocess.run([prefix / "bin" / "pip", "--version"], capture_output=True, text=True, check=True)
        assert build.folder in pip.stdout


def test_an_environment_of_a_device_that_cannot_be_made_leaves_the_one_before(bench: LocalBench) -> None:
    build = bench.build()
    list(bench.engine.provide(build))
    with pytest.raises(EngineError) as caught:
        list(bench.engine.provide(replace(with_devices(build, "toml>0.10.1"), digest="two")))
    error = caught.value
    assert error.message == "The GPU environment cannot be made."
    assert error.hint.startswith("toml is fixed to 0.10.1 by the shared environment")
    assert "toml>0.10.1" in " ".join(error.detail) and "six" not in " ".join(error.detail)
    assert bench.engine.present(build) == build.inputs
    assert sorted(path.name for path in Path(build.folder).parent.iterdir() if path.is_dir()) == ["tiny-one"]


def test_two_launches_make_an_environment_once(bench: LocalBench) -> None:
    build = bench.build()
    with ThreadPoolExecutor(2) as pool:
        kinds = list(pool.map(lambda _: [event.kind for event in bench.engine.provide(build)], range(2)))
    assert sorted("done" in kind for kind in kinds) == [False, True]
    assert sorted("cached" in kind for kind in kinds) == [False, True]


def test_what_a_killed_launch_leaves_is_not_taken_for_an_environment(bench: LocalBench) -> None:
    build = bench.build()
    environments = bench.engine.environments
    text = "\n".join(
        (
            "from pathlib import Path",
            "from workbench.engines.local import LocalEngine",
            "from workbench.model import VenvBuild",
            f"build = VenvBuild({build.folder!r}, 'one', inputs={{}}, files={{}}, project={build.project!r})",
            f"list(LocalEngine(Path({str(bench.folder)!r}), Path({str(environments)!r})).provide(build))",
        )
    )
    launch = subprocess.Popen([sys.executable, "-c", text], start_new_session=True)
    until(lambda: list(environments.glob(".tiny-one.*.part/tiny-one/bin")))
    os.killpg(launch.pid, signal.SIGKILL)
    launch.wait()
    assert bench.engine.present(build) is None
    assert "never finished" in {each.why for each in bench.engine.leftovers()}
    list(bench.engine.provide(build))
    assert bench.engine.present(build) == build.inputs
    assert bench.engine.leftovers() == []


def test_environments_go_when_their_project_does(bench: LocalBench) -> None:
    folder = made(bench, "one", bench.project)
    gone = made(bench, "gone", f"{bench.project}/no-more")
    assert [(each.id, each.why) for each in bench.engine.leftovers()] == [(str(gone), "its project is gone")]
    bench.engine.delete(bench.engine.leftovers()[0])
    assert not gone.exists()
    assert folder.exists()


def test_the_environment_last_used_stays(bench: LocalBench) -> None:
    old, new = made(bench, "old", bench.project), made(bench, "new", bench.project)
    os.utime(old / venvs.MARKER, (1, 1))
    assert [(each.id, each.size) for each in bench.engine.leftovers()] == [(str(old), size_of(old))]
    bench.engine.start(replace(python(bench, "import time; time.sleep(99)"), venv=str(old)), DELIVERY)
    assert [each.id for each in bench.engine.leftovers()] == [str(new)]


def made(bench: LocalBench, name: str, project: str) -> Path:
    """An environment as far as the engine's memory goes."""
    folder = bench.engine.environments / name
    folder.mkdir(parents=True)
    marker = {"digest": name, "inputs": {}, "project": project, "made": 1.0}
    (folder / venvs.MARKER).write_text(json.dumps(marker))
    return folder


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*"))
