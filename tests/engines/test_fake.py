"""What tests and demonstrations rely on in the fake engine, beyond the contract."""

import http.client
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.benches import DELIVERY, TOKEN, FakeBench
from workbench import ready
from workbench.engines.fake import FakeEngine
from workbench.errors import EngineError
from workbench.model import ExecResult


@pytest.fixture
def bench(tmp_path: Path) -> FakeBench:
    return FakeBench(tmp_path)


def test_it_remembers_the_calls(bench: FakeBench) -> None:
    run = bench.run()
    bench.engine.start(run, DELIVERY)
    bench.engine.stop(run.name)
    bench.engine.close()
    assert bench.engine.calls == [("start", run), ("stop", run.name), ("close", None)]


def test_it_fails_when_told_to(bench: FakeBench) -> None:
    engine = FakeEngine(fail={"start": EngineError("Full.", "Make space.")})
    with pytest.raises(EngineError, match="Full"):
        engine.start(bench.run(), DELIVERY)
    assert engine.find({}) == []


def test_it_answers_commands_as_scripted(bench: FakeBench) -> None:
    engine = FakeEngine(answers={("nvidia-smi",): ExecResult(0, "H200", "")})
    running = engine.start(bench.run(), DELIVERY)
    assert engine.exec(running.id, ("nvidia-smi",)).out == "H200"
    assert engine.exec(running.id, ("cat", "/run/workbench/token")).out == TOKEN
    engine.close()


def test_its_port_answers_like_jupyter_s(bench: FakeBench) -> None:
    running = bench.engine.start(bench.run(), DELIVERY)
    assert ready.answers(running.port, TOKEN)
    assert not ready.answers(running.port, "guess")
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=5)
    connection.request("GET", f"/api/status?token={TOKEN}")
    assert connection.getresponse().status == 200
    bench.engine.close()


def test_processes_share_a_folder(bench: FakeBench) -> None:
    folder = bench.folder / "shared"
    run = bench.run()
    FakeEngine(folder).start(run, DELIVERY)
    text = (
        "from workbench.engines.fake import FakeEngine\n"
        f"engine = FakeEngine()\nprint(*[each.state for each in engine.find({{}})])\nengine.stop({run.name!r})"
    )
    env = {"WORKBENCH_FAKE_FOLDER": str(folder), "PATH": "/usr/bin:/bin"}
    other = subprocess.run([sys.executable, "-c", text], env=env, capture_output=True, text=True, check=True)
    assert other.stdout == "running\n"
    assert [each.state for each in FakeEngine(folder).find({})] == ["stopped"]
    assert TOKEN not in (folder / "fake.json").read_text()


def test_an_error_changes_nothing_in_a_shared_folder(bench: FakeBench) -> None:
    engine = FakeEngine(bench.folder / "shared")
    run = bench.run()
    engine.start(run, DELIVERY)
    before = (bench.folder / "shared" / "fake.json").read_bytes()
    with pytest.raises(EngineError):
        engine.start(run, DELIVERY)
    assert (bench.folder / "shared" / "fake.json").read_bytes() == before
