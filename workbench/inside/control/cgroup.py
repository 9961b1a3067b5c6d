"""What this container uses, from the files of its own control groups: version 2, version 1, and both side by side."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from workbench.inside.control.processes import available
from workbench.inside.control.usage import Sample

UNLIMITED = 1 << 60
"""Version 1 writes some number beyond this where it means no limit."""


def sample(
    root: Path = Path("/"), clock: Callable[[], float] = time.monotonic, processors: float | None = None
) -> Sample:
    """One look at the counters; None for what this machine's kernel does not count."""
    groups = Groups(root)
    read, written = _disk(groups)
    net_in, net_out = network(_text(root / "proc/net/dev"))
    return Sample(
        at=clock(),
        cpu=_cpu(groups),
        cores=_cores(groups, processors or available()),
        memory=_memory(groups),
        memory_limit=_limit(groups, root),
        pids=_number(groups.text("pids", "pids.current")),
        disk_read=read,
        disk_written=written,
        net_in=net_in,
        net_out=net_out,
    )


class Groups:
    """The folders of the control groups that this process is in."""

    def __init__(self, root: Path) -> None:
        self._top = root / "sys/fs/cgroup"
        self._paths = dict(_paths(_text(root / "proc/self/cgroup") or ""))

    def is_old(self, controller: str) -> bool:
        """Whether version 1 has the controller. (It cannot be in both.)"""
        return controller in self._paths

    def text(self, controller: str, name: str) -> str | None:
        """Content of a file of a controller; None when there is none."""
        path = self._paths.get(controller if self.is_old(controller) else "")
        if path is None:
            return None
        top = self._top / controller if self.is_old(controller) else self._unified()
        # A container sees its own group as the top, but may be told its name on the host.
        return _text(top / path / name) or _text(top / name)

    def _unified(self) -> Path:
        beside = self._top / "unified"
        return beside if beside.is_dir() else self._top


def network(text: str | None) -> tuple[int | None, int | None]:
    """Bytes that came in and went out, from `/proc/net/dev`, without what stays on this machine."""
    devices = (line.partition(":") for line in (text or "").splitlines()[2:])
    counts = [rest.split() for name, _, rest in devices if name.strip() != "lo"]
    if text is None:
        return None, None
    return sum(int(each[0]) for each in counts), sum(int(each[8]) for each in counts)


def _paths(text: str) -> Iterator[tuple[str, str]]:
    """Controller -> path of the group, from `/proc/self/cgroup`; version 2 is the one without a name."""
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path.strip("/")


def _cpu(groups: Groups) -> float | None:
    """Seconds of processor time."""
    if groups.is_old("cpuacct"):
        spent = _number(groups.text("cpuacct", "cpuacct.usage"))
        return None if spent is None else spent / 1e9
    spent = _table(groups.text("cpu", "cpu.stat")).get("usage_usec")
    return None if spent is None else spent / 1e6


def _cores(groups: Groups, processors: float) -> float:
    """How many processors may be used at most."""
    if groups.is_old("cpu"):
        quota = _number(groups.text("cpu", "cpu.cfs_quota_us"))
        period = _number(groups.text("cpu", "cpu.cfs_period_us"))
    else:
        words = (groups.text("cpu", "cpu.max") or "").split()
        quota, period = (_number(word) for word in words) if len(words) == 2 else (None, None)
    return min(processors, quota / period) if quota and quota > 0 and period else processors


def _memory(groups: Groups) -> int | None:
    """Bytes in use, without the part of the page cache that the kernel would give away first: as `docker stats`."""
    old = groups.is_old("memory")
    used = _number(groups.text("memory", "memory.usage_in_bytes" if old else "memory.current"))
    cache = _table(groups.text("memory", "memory.stat")).get("total_inactive_file" if old else "inactive_file", 0)
    return None if used is None else max(0, used - cache)


def _limit(groups: Groups, root: Path) -> int | None:
    """Bytes that may be used at most: the group's limit, else all that there are."""
    name = "memory.limit_in_bytes" if groups.is_old("memory") else "memory.max"
    limit = _number(groups.text("memory", name))
    total = next((int(line.split()[1]) << 10 for line in (_text(root / "proc/meminfo") or "").splitlines()
                  if line.startswith("MemTotal:")), None)  # fmt: skip
    known = [each for each in (limit, total) if each is not None and each < UNLIMITED]
    return min(known, default=None)


def _disk(groups: Groups) -> tuple[int | None, int | None]:
    """Bytes read and written."""
    if groups.is_old("blkio"):
        lines = (groups.text("blkio", "blkio.throttle.io_service_bytes") or "").split("\n")
        rows = [line.split() for line in lines]
        pairs = [(row[1].lower(), row[2]) for row in rows if len(row) == 3]
        return _total(pairs, "read"), _total(pairs, "write")
    words = (groups.text("io", "io.stat") or "").split()
    pairs = [(name, value) for name, mark, value in (word.partition("=") for word in words) if mark]
    return _total(pairs, "rbytes"), _total(pairs, "wbytes")


def _total(pairs: list[tuple[str, str]], name: str) -> int | None:
    found = [int(value) for each, value in pairs if each == name]
    return sum(found) if found else None


def _table(text: str | None) -> Mapping[str, int]:
    rows = (line.split() for line in (text or "").splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdecimal()}


def _number(text: str | None) -> int | None:
    """A number; None for `max`, which is no limit."""
    try:
        return int(text or "")
    except ValueError:
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
