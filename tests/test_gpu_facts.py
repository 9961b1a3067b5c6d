"""What a machine tells of its GPUs, read from folders that look as a machine with a driver does."""

import json
from pathlib import Path

import pytest

from tests.support.require import require
from workbench import gpus
from workbench.inside import nvidia
from workbench.model import Gpu, GpuFacts

VERSION = """\
NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (dvs-builder@U16)
GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)
"""
INFORMATION = "Model: \t\t {name}\nIRQ:   \t\t 77\nGPU UUID: \t {uuid}\nBus Type: \t PCI\nDevice Minor: \t {minor}\n"
YAML = """\
---
cdiVersion: 0.5.0
containerEdits:
  hooks:
  - args: [nvidia-cdi-hook]
    name: no-device
devices:
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
      name: no-device
  name: "0"
- name: 'GPU-a'
  containerEdits: {}
- containerEdits: {}
  name: all
kind: nvidia.com/gpu
"""


def machine(root: Path, *cards: tuple[str, str, int], devices: tuple[int, ...] = (0, 1)) -> Path:
    """The files of a driver and its GPUs: name, UUID, number of the device."""
    folder = root / "proc/driver/nvidia"
    folder.mkdir(parents=True)
    (folder / "version").write_text(VERSION)
    for slot, (name, uuid, minor) in enumerate(cards):
        (folder / f"gpus/0000:0{slot}:00.0").mkdir(parents=True)
        text = INFORMATION.format(name=name, uuid=uuid, minor=minor)
        (folder / f"gpus/0000:0{slot}:00.0/information").write_text(text)
    (root / "dev").mkdir()
    for name in ("nvidiactl", *(f"nvidia{minor}" for minor in devices)):
        (root / "dev" / name).touch()
    return root


def program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_a_machine_without_a_driver_has_nothing_and_starts_no_program(tmp_path):
    program(tmp_path / "bin", "nvidia-ctk", f"touch {tmp_path}/asked")
    assert gpus.survey("docker", {"PATH": str(tmp_path / "bin")}, tmp_path) == GpuFacts()
    assert not (tmp_path / "asked").exists()


def test_a_machine_whose_bus_has_nothing_of_nvidia_has_no_gpu(tmp_path):
    for slot, vendor in (("00", "0x8086"), ("01", "0x10de")):
        card = tmp_path / f"sys/bus/pci/devices/0000:{slot}:00.0"
        assert gpus.survey("local", {"PATH": ""}, tmp_path) == GpuFacts(absent=slot == "01")
        card.mkdir(parents=True)
        (card / "vendor").write_text(f"{vendor}\n")
    assert gpus.survey("local", {"PATH": ""}, tmp_path) == GpuFacts()
    for vendor in tmp_path.glob("sys/bus/pci/devices/*/vendor"):
        vendor.write_text("0x1414\n")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/dxg").touch()
    assert gpus.survey("local", {"PATH": ""}, tmp_path) == GpuFacts()


def test_the_driver_s_own_files_tell_version_and_gpus_in_the_order_of_nvidia_smi(tmp_path):
    machine(tmp_path, ("NVIDIA A100", "GPU-a", 1), ("Tesla T4", "GPU-b", 0))
    found = gpus.survey("local", {"PATH": ""}, tmp_path)
    assert found == GpuFacts("570.86.15", (Gpu(0, "GPU-a", "NVIDIA A100"), Gpu(1, "GPU-b", "Tesla T4")))


def test_a_container_has_the_gpus_whose_devices_it_has(tmp_path):
    cards = (("A", "GPU-a", 0), ("B", "GPU-b", 1))
    found = gpus.survey("local", {"PATH": ""}, machine(tmp_path / "some", *cards, devices=(1,)))
    assert [(gpu.index, gpu.uuid) for gpu in found.gpus] == [(0, "GPU-b")]
    without = machine(tmp_path / "none", *cards, devices=())
    (without / "dev/nvidiactl").unlink()
    assert gpus.survey("local", {"PATH": ""}, without) == GpuFacts()


@pytest.mark.parametrize(("uuid", "devices"), [("GPU-????????-????", (0,)), ("GPU-a", ())])
def test_a_driver_that_nobody_has_used_yet_is_asked_through_nvidia_smi(tmp_path, uuid, devices):
    machine(tmp_path, ("A", uuid, 0), devices=devices)
    program(tmp_path / "bin", "nvidia-smi", 'case $1 in *driver*) echo 1.2 ;; *) echo "0, GPU-z, A, 1, 0, 0" ;; esac')
    found = gpus.survey("local", {"PATH": str(tmp_path / "bin")}, tmp_path)
    assert (found.driver, [gpu.uuid for gpu in found.gpus]) == ("1.2", ["GPU-z"])


def test_windows_linux_has_the_program_outside_of_path(tmp_path):
    program(tmp_path / nvidia.WSL, "nvidia-smi", "echo 551.61")
    assert gpus.survey("local", {"PATH": ""}, tmp_path).driver == "551.61"


def test_a_driver_that_fails_is_none(tmp_path):
    program(tmp_path / "bin", "nvidia-smi", "echo could not communicate with the NVIDIA driver; exit 9")
    env = {"PATH": str(tmp_path / "bin")}
    assert gpus.survey("docker", env, tmp_path) == GpuFacts()
    assert (gpus.measure(env, tmp_path), gpus.cuda(env, tmp_path)) == ((), "")


def test_containers_need_toolkit_hook_and_specifications(tmp_path):
    machine(tmp_path, ("A", "GPU-a", 0))
    program(tmp_path / "bin", "nvidia-ctk", 'echo "NVIDIA Container Toolkit CLI version 1.17.7-rc.1"; echo commit: 1')
    program(tmp_path / "bin", "nvidia-container-runtime-hook", "exit 0")
    for folder, name, text in (
        ("etc/cdi", "nvidia.yaml", YAML),
        ("var/run/cdi", "other.json", json.dumps({"kind": "nvidia.com/gpu", "devices": [{"name": "1"}]})),
        ("var/run/cdi", "broken.json", "{"),
        ("var/run/cdi", "net.json", json.dumps({"kind": "vendor.com/nic", "devices": [{"name": "eth9"}]})),
        ("var/run/cdi", "net.yaml", YAML.replace("nvidia.com/gpu", "vendor.com/nic").replace("all", "every")),
    ):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).write_text(text)
    found = gpus.survey("docker", {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}, tmp_path)
    assert (found.toolkit, found.hook, found.cdi) == ("1.17.7", True, ("0", "GPU-a", "all", "1"))
    local = gpus.survey("local", {"PATH": str(tmp_path / "bin")}, tmp_path)
    assert (local.toolkit, local.hook, local.cdi) == ("", False, ())


def test_what_nvidia_smi_tells_and_what_it_cannot():
    text = "0, GPU-a, NVIDIA A100-SXM4-80GB, 81920, 1024, 35\n1, GPU-b, Jetson, [N/A], [Not Supported], [N/A]\nnoise\n"
    assert gpus.parse(text) == (
        Gpu(0, "GPU-a", "NVIDIA A100-SXM4-80GB", 81920 << 20, 1 << 30, 0.35),
        Gpu(1, "GPU-b", "Jetson"),
    )
    assert gpus.query(("0", "GPU-b"))[-1] == "--id=0,GPU-b"
    assert len(gpus.query()) == 3


def test_the_programs_of_this_machine_are_understood():
    env = {"PATH": require("nvidia")}
    found = gpus.survey("docker", env)
    measured = gpus.measure(env)
    assert found.driver
    assert found.toolkit
    assert [(gpu.index, gpu.uuid, gpu.name) for gpu in found.gpus] == [(g.index, g.uuid, g.name) for g in measured]
    assert all(gpu.memory and gpu.memory_used is not None for gpu in measured)
    assert gpus.cuda(env)
