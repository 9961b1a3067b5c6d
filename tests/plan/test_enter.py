"""Commands in the environment of a device: the text is fixed, and a real shell runs it here."""

import os
import subprocess
from pathlib import Path

import pytest

from workbench.errors import EngineError
from workbench.model import Running
from workbench.plan.enter import on_device

SHOW = ("sh", "-c", 'echo "$WHICH" "$@"', "-", "a b", "$(c)")


def running(device: str = "cpu", gpus: str = "") -> Running:
    return Running("id", "x-1", "c", "/x", "docker", "running", 1, "image", "plan", device=device, gpus=gpus)


def run(argv: tuple[str, ...], folder: Path) -> "subprocess.CompletedProcess[str]":
    env = {"PATH": os.environ["PATH"], "WORKBENCH_RUN": str(folder)}
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("device", "asked", "found"), [("cpu", None, "cpu"), ("gpu:0,1", None, "gpu"), ("gpu", "cpu", "cpu")]
)
def test_the_selected_device_unless_another_is_asked_for(device, asked, found, tmp_path):
    for kind in ("cpu", "gpu"):
        (tmp_path / f"{kind}-env").write_text(f"export WHICH={kind}\n")
    done = run(on_device(running(device, "all"), asked, SHOW), tmp_path)
    assert (done.stdout, done.stderr) == (f"{found} a b $(c)\n", "")


def test_a_workbench_without_such_files_runs_it_all_the_same(tmp_path):
    done = run(on_device(running(), None, (*SHOW[:2], "exit 7")), tmp_path)
    assert (done.returncode, done.stderr) == (7, "")


def test_a_command_that_is_not_there_is_named(tmp_path):
    done = run(on_device(running(), None, ("no-such-command",)), tmp_path)
    assert done.returncode == 127
    assert "no-such-command" in done.stderr and done.stderr.startswith("workbench")


def test_no_gpu_is_said_with_the_way_to_one():
    with pytest.raises(EngineError, match="x-1 has no GPU") as caught:
        on_device(running(), "gpu", ("true",))
    assert "run-notebook --gpu" in caught.value.hint
