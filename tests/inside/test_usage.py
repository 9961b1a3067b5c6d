"""What a container uses, from files as kernels write them; what the local server uses, from real processes."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from workbench.inside.control import cgroup, processes
from workbench.inside.control.usage import LENGTH, History, Sample, usage

MIB = 1 << 20
COMMON = {
    "proc/meminfo": "MemTotal:        8388608 kB\nMemFree:  1 kB\n",
    "proc/net/dev": "Inter-|   Receive\n face |bytes packets\n"
    "    lo: 999 9 0 0 0 0 0 0 999 9 0 0 0 0 0 0\n"
    "  eth0: 1000 9 0 0 0 0 0 0 200 9 0 0 0 0 0 0\n"
    "  eth1:    5 9 0 0 0 0 0 0   7 9 0 0 0 0 0 0\n",
}
V2 = {
    "cgroup.controllers": "cpu io memory pids\n",
    "cpu.stat": "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n",
    "cpu.max": "150000 100000\n",
    "memory.current": f"{300 * MIB}\n",
    "memory.stat": f"anon 1\ninactive_file {100 * MIB}\nactive_file 5\n",
    "memory.max": f"{1024 * MIB}\n",
    "io.stat": "8:0 rbytes=100 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=11 wbytes=2 rios=1\n",
    "pids.current": "12\n",
}
V1 = {
    "cpuacct/cpuacct.usage": "2500000000\n",
    "cpu/cpu.cfs_quota_us": "150000\n",
    "cpu/cpu.cfs_period_us": "100000\n",
    "memory/memory.usage_in_bytes": f"{300 * MIB}\n",
    "memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {100 * MIB}\n",
    "memory/memory.limit_in_bytes": f"{1024 * MIB}\n",
    "blkio/blkio.throttle.io_service_bytes": "8:0 Read 100\n8:0 Write 20\n8:0 Total 120\n8:16 Read 11\n8:16 Write 2\n"
    "Total 133\n",
    "pids/pids.current": "12\n",
}
V1_GROUPS = "9:pids:{0}\n7:blkio:{0}\n4:memory:{0}\n3:cpu,cpuacct:{0}\n1:name=systemd:{0}\n"
HYBRID = {
    # cpu and pids by version 1; memory and io by version 2, whose folder is beside.
    **{f"unified/{name}": text for name, text in V2.items() if name.startswith(("memory", "io", "cgroup"))},
    **{name: text for name, text in V1.items() if name.startswith(("cpu", "pids"))},
}
EXPECTED = Sample(
    at=1.0, cpu=2.5, cores=1.5, memory=200 * MIB, memory_limit=1024 * MIB, pids=12,
    disk_read=111, disk_written=22, net_in=1005, net_out=207,
)  # fmt: skip


def machine(root: Path, groups: str, files: dict[str, str], below: str = "") -> Path:
    """A root folder with these control groups; `below`: where in each the files of our own group lie."""
    for name, text in {"proc/self/cgroup": groups, **COMMON}.items():
        write(root / name, text)
    for name, text in files.items():
        path = Path(name)
        write(root / "sys/fs/cgroup" / path.parent / below / path.name, text)
    return root


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def look(root: Path) -> Sample:
    return cgroup.sample(root, lambda: 1.0, 4.0)


@pytest.mark.parametrize(
    ("groups", "files", "below"),
    [
        ("0::/\n", V2, ""),
        ("0::/system.slice/docker-1.scope\n", V2, ""),
        ("0::/system.slice/docker-1.scope\n", V2, "system.slice/docker-1.scope"),
        (V1_GROUPS.format("/"), V1, ""),
        (V1_GROUPS.format("/docker/1"), V1, ""),
        (V1_GROUPS.format("/docker/1"), V1, "docker/1"),
        ("4:pids:/docker/1\n3:cpu,cpuacct:/docker/1\n0::/docker/1\n", HYBRID, ""),
        (V1_GROUPS.format("/docker/1") + "0::/docker/1\n", {**V1, "unified/cgroup.controllers": ""}, ""),
    ],
    ids=["2", "2-named", "2-host", "1", "1-named", "1-host", "hybrid", "hybrid-empty"],
)
def test_the_counters_of_all_versions(tmp_path: Path, groups: str, files: dict[str, str], below: str) -> None:
    assert look(machine(tmp_path, groups, files, below)) == EXPECTED


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("cpu.max", "max 100000\n", "cores", 4.0),
        ("cpu.max", "900000 100000\n", "cores", 4.0),
        ("memory.max", "max\n", "memory_limit", 8 << 30),
        ("memory.max", f"{64 << 30}\n", "memory_limit", 8 << 30),
        ("memory.stat", f"inactive_file {900 * MIB}\n", "memory", 0),
        ("io.stat", "", "disk_read", None),
        ("pids.current", "max\n", "pids", None),
        ("cpu.stat", "", "cpu", None),
    ],
)
def test_limits_that_are_none_and_files_that_say_nothing(
    tmp_path: Path, name: str, text: str, field: str, value: Any
) -> None:
    assert getattr(look(machine(tmp_path, "0::/\n", {**V2, name: text})), field) == value


def test_version_1_without_limits(tmp_path: Path) -> None:
    files = {**V1, "cpu/cpu.cfs_quota_us": "-1\n", "memory/memory.limit_in_bytes": "9223372036854771712\n"}
    found = look(machine(tmp_path, V1_GROUPS.format("/docker/1"), files))
    assert (found.cores, found.memory_limit) == (4.0, 8 << 30)


def test_a_machine_without_control_groups(tmp_path: Path) -> None:
    assert look(tmp_path) == Sample(at=1.0, cores=4.0)


def test_rates_are_between_two_samples() -> None:
    before = Sample(at=10.0, cpu=5.0, disk_read=0, disk_written=100, net_in=7, memory=1)
    now = Sample(at=12.0, cpu=8.0, cores=2.0, disk_read=4096, disk_written=50, net_in=7, net_out=9, memory=5, pids=3)
    assert usage(before, now, 1700000000.1234) == {
        "cpu": 1.5, "cores": 2.0, "memory": 5, "memory_limit": None, "disk_read": 2048, "disk_written": 0,
        "net_in": 0, "net_out": None, "pids": 3, "at": 1700000000.123,
    }  # fmt: skip
    assert usage(None, now, 0.0)["cpu"] is None
    assert usage(now, now, 0.0)["cpu"] is None


def test_the_history_is_short_and_has_the_busiest_gpu() -> None:
    history = History(2.0)
    for number in range(LENGTH + 5):
        history.add({"cpu": float(number), "memory": number}, [{"load": None}, {"load": 0.25}, {"load": 0.5}])
    found = history.document()
    assert (found["seconds"], len(found["cpu"]), found["cpu"][-1], found["gpu"][0]) == (2.0, LENGTH, LENGTH + 4.0, 0.5)
    history.add({"cpu": None, "memory": None}, [])
    assert [found[-1] for found in (history.document()[name] for name in ("cpu", "memory", "gpu"))] == [
        None,
        None,
        None,
    ]


def test_processes_are_counted_with_their_children() -> None:
    before = processes.sample()
    busy = [sys.executable, "-c", "import time\nx = bytearray(80 << 20)\nprint(flush=True)\nwhile True: pass"]
    with subprocess.Popen(busy, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            end = time.monotonic() + 60
            while (now := processes.sample()).cpu - before.cpu < 0.5:
                assert time.monotonic() < end
            assert now.pids >= before.pids + 1
            assert now.memory - before.memory > 70 * MIB
            assert now.memory_limit > now.memory and now.cores >= 1 and now.net_in is None
        finally:
            child.kill()
