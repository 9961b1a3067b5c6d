"""The image's small programs, and what its Dockerfile relies on."""

import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from serving import free_port, serving

from workbench import share

NOTEBOOK = share.folder("docker") / "notebook"
BIN = NOTEBOOK / "bin"


def deliver(run: Path, count: int, text: str) -> int:
    argv = ["sh", str(BIN / "workbench-deliver"), str(count)]
    env = {**os.environ, "WORKBENCH_RUN": str(run)}
    return subprocess.run(argv, input=text, text=True, env=env, check=False, capture_output=True).returncode


def test_a_delivery_is_exactly_as_long_as_announced(tmp_path: Path) -> None:
    assert deliver(tmp_path, 5, "abcde and more") == 0
    assert (tmp_path / "delivery.json").read_text() == "abcde"
    assert stat.S_IMODE((tmp_path / "delivery.json").stat().st_mode) == 0o600


def test_a_delivery_that_is_cut_off_is_none(tmp_path: Path) -> None:
    assert deliver(tmp_path, 5, "abc") == 1
    assert list(tmp_path.iterdir()) == []


def test_health_follows_the_server(tmp_path: Path) -> None:
    port = free_port()
    argv = ["bash", str(BIN / "workbench-health")]
    env = {**os.environ, "WORKBENCH_PORT": str(port)}
    with serving(tmp_path, port, tmp_path):
        assert subprocess.run(argv, env=env, check=False).returncode == 0
    assert subprocess.run(argv, env=env, check=False, capture_output=True).returncode != 0


def test_the_server_environment_is_pinned_and_has_no_kernel_of_its_own() -> None:
    lines = (NOTEBOOK / "requirements.txt").read_text().splitlines()
    pins = {line.split("==")[0] for line in lines if line and not line.startswith("#")}
    assert all("==" in line for line in lines if line and not line.startswith("#"))
    assert {"jupyterlab", "jupyterlab-widgets", "jupyter-server", "jupyter-server-terminals", "uv"} <= pins
    assert not {"ipykernel", "rfc3987-syntax"} & pins


@pytest.mark.parametrize("newer", ["syntax=", r"COPY --link", r"<<\s*[A-Z]", r"--mount=type=bind", "https?://"])
def test_old_builders_can_read_the_dockerfile(newer: str) -> None:
    lines = (NOTEBOOK / "Dockerfile").read_text().splitlines()
    meant = [line for line in lines if not line.startswith("#") or "=" in line]
    assert not re.search(newer, "\n".join(meant))


def test_every_kernelspec_template_names_the_interpreter_by_its_mark() -> None:
    templates = list(share.folder("kernels").glob("*/kernel.json"))
    assert templates
    for template in templates:
        assert json.loads(template.read_text())["argv"][0] == "@python@"
