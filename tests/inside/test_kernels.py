"""Kernels of both devices, on a real server: each is in its environment, and so is all that it starts."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket
from serving import TOKEN, Serving, free_port, serving

import workbench
from workbench.inside import kernels, overlays
from workbench.inside.place import Place

NOTHING: dict[str, Any] = {"packages": [], "index": None, "torch-backend": None}

ASK = """
import importlib.metadata, json, os, shutil, subprocess, sys
import sample
PREFIX = "import sys; print(sys.prefix)"
run = lambda *argv: subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
shell = get_ipython().getoutput
print(json.dumps({
    "prefix": sys.prefix,
    "python": [shell(f"python -c '{PREFIX}'")[0], run("python", "-c", PREFIX)],
    "pip": [shell("pip debug 2>&1 | grep sys.executable")[0], shutil.which("pip")],
    "venv": os.environ["VIRTUAL_ENV"],
    "path": os.environ["PATH"].split(os.pathsep),
    "cuda": os.environ.get("CUDA_VISIBLE_DEVICES"),
    "sample": sample.NAME,
}))
"""


def uv(*arguments: str) -> None:
    beside = Path(sys.executable).with_name("uv")
    program = str(beside) if beside.exists() else shutil.which("uv")
    assert program, "uv is a dependency"
    subprocess.run([program, *arguments], check=True)


def site_packages(env: Path) -> Path:
    return next(env.glob("lib/python3*/site-packages"))


def make(env: Path) -> Path:
    """A project's environment, with a module that says whose it is."""
    uv("venv", "--quiet", "--python", sys.executable, str(env))
    uv("pip", "install", "--quiet", "--compile-bytecode", "--python", str(env / "bin/python"), "ipykernel", "pip")
    (site_packages(env) / "sample.py").write_text("NAME = 'shared'\n")
    return env


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One environment for all devices."""
    return make(tmp_path_factory.mktemp("one") / "$HOME's" / "shared")


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with an environment for each device above it."""
    env = make(tmp_path_factory.mktemp("three") / "$HOME's" / "layered")
    (env.parent / "devices.json").write_text(json.dumps({"cpu": NOTHING, "gpu": NOTHING}))
    assert overlays.main([str(env.parent), str(env.parent / "devices.json"), str(env)]) == 0
    for device in ("cpu", "gpu"):
        (site_packages(env / "devices" / device) / "sample.py").write_text(f"NAME = {device!r}\n")
    return env


@pytest.fixture(scope="module", params=["shared", "layered"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, Path]]:
    """A server with two GPUs, started where CUDA is told something else."""
    env: Path = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("server")
    told = {"WORKBENCH_INSTALL": "", "WORKBENCH_GPUS": "0,1", "CUDA_VISIBLE_DEVICES": "7"}
    with serving(folder, free_port(), folder, env, **told) as found:
        yield found, env


def ask(server: Serving, kernelspec: str) -> dict[str, Any]:
    with server.jupyter.kernel(kernelspec) as kernel:
        answer: dict[str, Any] = json.loads(kernel.run(ASK).ok())
    return answer


@pytest.mark.parametrize(("kernelspec", "device", "cuda"), [("python3", "cpu", ""), ("python3-gpu", "gpu", "0,1")])
def test_what_a_kernel_starts_is_in_the_kernels_environment(
    server: tuple[Serving, Path], kernelspec: str, device: str, cuda: str
) -> None:
    serving_, env = server
    layered = env.name == "layered"
    own = env / "devices" / device if layered else env
    found = ask(serving_, kernelspec)
    assert {found["prefix"], *found["python"], found["venv"]} == {str(own)}
    assert found["pip"] == [f"sys.executable: {own}/bin/python", f"{own}/bin/pip"]
    bins = [str(folder / "bin") for folder in dict.fromkeys((own, env))]
    assert found["path"][: len(bins)] == bins
    assert found["cuda"] == cuda
    assert found["sample"] == (device if layered else "shared")


def test_each_device_has_its_kernel(server: tuple[Serving, Path]) -> None:
    found = server[0].jupyter.call("GET", "api/kernelspecs")
    specs = {name: (value["spec"]["display_name"], value["spec"]["metadata"]["workbench"]["device"])
             for name, value in found["kernelspecs"].items()}  # fmt: skip
    assert found["default"] == "python3"
    assert specs == {"python3": ("Python (CPU)", "cpu"), "python3-gpu": ("Python (GPU)", "gpu")}
    for value in found["kernelspecs"].values():
        assert {"logo-32x32", "logo-64x64", "logo-svg"} <= value["resources"].keys()


@pytest.mark.parametrize("inherited", [None, "1"])
def test_every_gpu_is_what_the_server_itself_may_see(shared: Path, tmp_path: Path, inherited: str | None) -> None:
    told = {"WORKBENCH_INSTALL": "", "WORKBENCH_GPUS": "all", "WORKBENCH_DEVICE": "gpu"}
    told |= {"CUDA_VISIBLE_DEVICES": inherited} if inherited else {}
    with serving(tmp_path, free_port(), tmp_path, shared, **told) as server:
        assert ask(server, "python3")["cuda"] == inherited
        assert ask(server, "python3-cpu")["cuda"] == ""


def test_a_terminal_is_in_the_environment_of_the_chosen_device(layered: Path, tmp_path: Path) -> None:
    told = {"WORKBENCH_INSTALL": "", "WORKBENCH_GPUS": "0", "WORKBENCH_DEVICE": "gpu", "SHELL": "/bin/bash"}
    with serving(tmp_path, free_port(), tmp_path, layered, **told) as server:
        typed = (
            'printf "<%s>" "$VIRTUAL_ENV" "$CUDA_VISIBLE_DEVICES" "$(command -v python)"',
            f'. {server.run}/cpu-env; printf "<%s>" "$VIRTUAL_ENV" "$CUDA_VISIBLE_DEVICES" "$(command -v pip)"',
        )
        gpu, cpu = layered / "devices" / "gpu", layered / "devices" / "cpu"
        expected = (f"<{gpu}><0><{gpu}/bin/python>", f"<{cpu}><><{cpu}/bin/pip>")
        for line, answer in zip(typed, expected, strict=True):
            assert answer in in_terminal(server, line, answer)


def in_terminal(server: Serving, line: str, until: str) -> str:
    """What a new terminal has shown once it shows `until`, or after ten seconds."""
    name = server.jupyter.call("POST", "api/terminals")["name"]
    address = f"ws://127.0.0.1:{server.port}/terminals/websocket/{name}"
    header = [f"Authorization: token {TOKEN}"]
    shown, deadline = "", time.monotonic() + 10
    socket = websocket.create_connection(address, header=header, timeout=1, http_no_proxy=["*"])
    try:
        socket.send(json.dumps(["set_size", 50, 500]))
        socket.send(json.dumps(["stdin", line + "\r"]))
        while until not in shown and time.monotonic() < deadline:
            try:
                kind, text = json.loads(socket.recv())[:2]
            except websocket.WebSocketTimeoutException:
                continue
            shown += text if kind == "stdout" else ""
    finally:
        socket.close()
    return shown


def test_every_kernel_finds_the_servers_workbench(server: tuple[Serving, Path]) -> None:
    found = server[0]
    assert (found.run / "python" / "workbench").resolve() == Path(workbench.__file__).parent
    for kernelspec in ("python3", "python3-gpu"):
        with found.jupyter.kernel(kernelspec) as kernel:
            said = kernel.run("import workbench; print(workbench.__file__)").ok().strip()
        assert said == str(found.run / "python" / "workbench" / "__init__.py")


def test_a_workbench_of_the_projects_own_wins(shared: Path, tmp_path: Path) -> None:
    own = site_packages(shared) / "workbench.py"
    own.write_text("NAME = 'own'\n")
    try:
        with serving(tmp_path, free_port(), tmp_path, shared, WORKBENCH_INSTALL="") as server:
            assert server.jupyter.run("import workbench; print(workbench.NAME)").strip() == "own"
    finally:
        own.unlink()


def test_files_to_source_are_private(server: tuple[Serving, Path]) -> None:
    for name in ("cpu-env", "gpu-env"):
        assert (server[0].run / name).stat().st_mode & 0o777 == 0o600


def test_without_a_gpu_there_is_one_kernel_and_no_question(tmp_path: Path) -> None:
    kernels.write_kernelspecs(Place("demo", tmp_path, tmp_path, None), kernels.templates())
    assert [path.name for path in (tmp_path / "share" / "kernels").iterdir()] == ["python3"]
