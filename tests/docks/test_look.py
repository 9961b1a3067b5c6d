"""What a dock says of itself -> a row of the list, and what it lacks."""

import pytest

from workbench.docks.book import Dock
from workbench.docks.look import Look, checks, read, row
from workbench.ssh import Host

BOX = Dock("box", Host("ada@gpu-1"))
SAID = """\
clock 1795642042
kernel Linux x86_64
user ada
cores 16
load 2.31
program docker
engine docker 27.3.1
running 2
free /dev/sda1 1000000 500000 20000000 50% /
gpu NVIDIA H100 80GB HBM3
gpu NVIDIA H100 80GB HBM3
toolkit NVIDIA Container Toolkit CLI version 1.18.0
tool unison unison version 2.52.1 (ocaml 4.13.1)
tool zstd zstd v1.5
"""


def test_a_machine_with_everything() -> None:
    found = read(BOX, SAID)
    assert row(found)[:7] == (
        "box",
        "ada@gpu-1",
        "ready",
        "docker 27.3.1",
        "2 x NVIDIA H100 80GB HBM3",
        "2.3 of 16",
        "2",
    )
    assert [(each.what, each.ok, each.fix) for each in checks(found) if not each.ok] == []
    assert next(iter(checks(found))).found.startswith("ada@gpu-1, ")
    assert found.free == 20_000_000 * 1024


@pytest.mark.parametrize(
    ("said", "what", "fix"),
    [
        ("user ada\nrefused docker permission denied while trying\n", "engine", "usermod -aG docker ada"),
        ("user ada\nrefused docker Cannot connect to the Docker daemon\n", "engine", "systemctl start docker"),
        ("user ada\n", "engine", "docs.docker.com"),
        ("engine docker 27\nfree /dev/sda1 1 1 1000 99% /\n", "disk", "system prune"),
        ("engine docker 27\ngpu NVIDIA T4\n", "NVIDIA Container Toolkit", "nvidia-container-toolkit"),
        ("engine docker 27\ntool unison 3\n", "zstd", "apt install zstd"),
    ],
)
def test_what_is_lacking_and_what_mends_it(said: str, what: str, fix: str) -> None:
    lacking = {each.what: each.fix for each in checks(read(BOX, said)) if not each.ok}
    assert fix in lacking[what]


def test_a_machine_that_does_not_answer() -> None:
    found = Look(BOX, "Connection refused")
    assert row(found)[2] == "Connection refused"
    [check] = checks(found)
    assert (check.what, check.ok) == ("ssh", False)


def test_clocks_that_differ() -> None:
    from dataclasses import replace

    late = replace(read(BOX, SAID), drift=-3600.0)
    [clock] = [each for each in checks(late) if each.what == "clock"]
    assert (clock.ok, clock.found) == (False, "3600 s behind")


@pytest.mark.parametrize("said", ["", "\n\n", "load x\ncores y\nrunning z\nfree\n", "\x1b[31m\nengine\n"])
def test_nonsense_is_no_traceback(said: str) -> None:
    found = read(BOX, said)
    assert found.engine == ""
    assert len(row(found)) == 8
    assert not all(each.ok for each in checks(found))
