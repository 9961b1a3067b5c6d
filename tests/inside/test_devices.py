"""What puts a shell on a device: any number of times, in any order, in every shell, whatever the folders are called."""

import os
import subprocess
from pathlib import Path

import pytest
from support.require import absent

from workbench.inside import devices
from workbench.inside.place import Device, Place

SHELLS = ("sh", "bash", "zsh")
ODD = """it's "$HOME" [a-z]*; `exit 9` \\ é"""
REST = "/usr/bin:/with spaces:/usr/bin:/bin"
SHOW = 'printf "%s|%s|%s" "$PATH" "$VIRTUAL_ENV" "${CUDA_VISIBLE_DEVICES-unset}"'


def make(folder: Path, *overlays: str, gpus: str = "all", device: Device = "cpu") -> Place:
    """A place with a project environment and, above it, those of these devices."""
    for env in ("env", *(f"env/devices/{overlay}" for overlay in overlays)):
        (folder / env / "bin").mkdir(parents=True)
    (folder / "run").mkdir()
    return Place("demo", folder, folder / "run", folder / "env", gpus=gpus, device=device)


def run(shell: str, place: Place, script: str, inherited: str | None = None, **environ: str) -> str:
    """What a strict shell prints that can source the files as $1 (CPU) and $2 (GPU), with no other variables."""
    files = [devices.file(place, device) for device in devices.DEVICES]
    for file, device in zip(files, devices.DEVICES, strict=True):
        file.write_text(devices.sourced(place, device, inherited))
    argv = ["/usr/bin/env", "-i", *(f"{key}={value}" for key, value in environ.items())]
    where = next((Path(folder, shell) for folder in os.defpath.split(":") if Path(folder, shell).exists()), None)
    if where is None:
        absent(f"no {shell}: it is not installed")
    done = subprocess.run([*argv, where, "-c", f"set -eu\n{script}", "x", *files], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def expected(place: Place, device: str, visible: str, overlay: bool = True) -> str:
    own = f"{place.env}/devices/{device}"
    bins = f"{own}/bin:{place.env}/bin" if overlay else f"{place.env}/bin"
    return f"{bins}:{REST}|{own if overlay else place.env}|{visible}"


@pytest.mark.parametrize("shell", SHELLS)
def test_sourced_again_and_again_it_says_the_same(shell: str, tmp_path: Path) -> None:
    place = make(tmp_path / ODD, "cpu", "gpu", gpus="0,1")
    many = 'for n in 1 2 3 4 5 6 7 8 9 10; do . "$1"; . "$1"; . "$2"; . "$2"; done\n'
    for file, device, visible in (("$1", "cpu", ""), ("$2", "gpu", "0,1")):
        once = run(shell, place, f'. "{file}"; {SHOW}', PATH=REST)
        assert once == expected(place, device, visible)
        assert run(shell, place, f'{many}. "{file}"; {SHOW}', PATH=REST) == once


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_that_is_in_the_environment_already_stays_in_it(shell: str, tmp_path: Path) -> None:
    place = make(tmp_path, "cpu", "gpu")
    path = f"{place.env}/bin:/usr/bin:{place.env}/devices/gpu/bin:/with spaces:{place.env}/bin:/usr/bin:/bin"
    assert run(shell, place, f'. "$1"; {SHOW}', PATH=path) == expected(place, "cpu", "")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("path", ["", "/only", ":/a::/b:"])
def test_other_paths_are_kept_as_they_are(shell: str, path: str, tmp_path: Path) -> None:
    place = make(tmp_path)
    script = f'PATH={path}; . "$1"; . "$2"; printf %s "$PATH"'
    assert run(shell, place, script) == (f"{place.env}/bin:{path}" if path else f"{place.env}/bin")


@pytest.mark.parametrize("shell", SHELLS)
def test_nothing_else_is_left_in_the_shell(shell: str, tmp_path: Path) -> None:
    assert "_workbench" not in run(shell, make(tmp_path, "cpu", "gpu"), '. "$1"; . "$2"; set', PATH=REST)


@pytest.mark.parametrize(
    ("gpus", "inherited", "visible"),
    [("all", None, "unset"), ("all", "2", "2"), ("", None, "unset"), ("GPU-1a,GPU-2b", "2", "GPU-1a,GPU-2b")],
)
def test_a_device_decides_what_cuda_sees(gpus: str, inherited: str | None, visible: str, tmp_path: Path) -> None:
    place = make(tmp_path, gpus=gpus)
    assert run("sh", place, f'. "$1"; . "$2"; {SHOW}', inherited, PATH=REST) == expected(place, "gpu", visible, False)
    assert run("sh", place, f'. "$2"; . "$1"; {SHOW}', inherited, PATH=REST) == expected(place, "cpu", "", False)


def test_without_an_environment_only_cuda_is_told(tmp_path: Path) -> None:
    place = Place("demo", tmp_path, tmp_path, None, gpus="all")
    script = '. "$1"; printf "%s|%s|%s" "$PATH" "${VIRTUAL_ENV-unset}" "$CUDA_VISIBLE_DEVICES"'
    assert run("sh", place, script, PATH=REST) == f"{REST}|unset|"


def test_a_shell_starts_on_the_device_that_was_chosen(tmp_path: Path) -> None:
    place = make(tmp_path / ODD, "cpu", "gpu", device="gpu")
    command = [*devices.shell(place, "/usr/bin/env")]
    bare = subprocess.run(command, env={"PATH": REST}, capture_output=True, text=True, check=True).stdout
    assert "VIRTUAL_ENV" not in bare, "no file yet: a shell all the same"
    devices.file(place, "gpu").write_text(devices.sourced(place, "gpu", None))
    told = subprocess.run(command, env={"PATH": REST}, capture_output=True, text=True, check=True).stdout
    assert f"VIRTUAL_ENV={place.env}/devices/gpu\n" in told
