"""The state folder: private, replaced in one step, locked across processes."""

import stat
import subprocess
import sys
import time

import pytest

from workbench.errors import ProjectError
from workbench.model import Seed
from workbench.state import State, new_token


@pytest.fixture
def state(tmp_path):
    return State(tmp_path)


def test_token_and_port_are_remembered_in_a_private_file(state):
    state.keep_seed(Seed("secret", 21234))
    assert state.seed() == Seed("secret", 21234)
    assert stat.S_IMODE((state.folder / "seed.json").stat().st_mode) == 0o600


def test_a_cut_off_document_counts_as_missing(state):
    (state.folder / "plan.json").write_text('{"digest": "a')
    assert state.read("plan.json") is None
    assert state.read("other.json") is None


def test_forgetting_keeps_the_lock(state):
    state.keep_seed(Seed("secret", 1))
    with state.lock(lambda: None):
        state.forget()
    assert [path.name for path in state.folder.iterdir()] == ["lock"]


def test_a_second_process_waits_and_says_so(state):
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom workbench.state import State\n"
        "with State(Path(sys.argv[1])).lock(lambda: None):\n    print('held', flush=True)\n    time.sleep(1)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(state.folder)], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        waited = []
        begun = time.monotonic()
        with state.lock(lambda: waited.append(True)):
            assert waited == [True]
            assert time.monotonic() - begun > 0.5


def test_a_lock_of_a_killed_process_is_free_at_once(state):
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom workbench.state import State\n"
        "with State(Path(sys.argv[1])).lock(lambda: None):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(state.folder)], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        other.kill()
        other.wait()
    waited = []
    with state.lock(lambda: waited.append(True)):
        assert waited == []


def test_a_state_folder_that_cannot_be_made_is_an_error_with_a_way_out(tmp_path, monkeypatch):
    (tmp_path / "workbench").write_text("a file is in the way")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(ProjectError) as failure:
        State.of("x")
    assert "XDG_STATE_HOME" in failure.value.hint


def test_tokens_have_256_random_bits():
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(bytes.fromhex(token)) == 32 for token in tokens)
