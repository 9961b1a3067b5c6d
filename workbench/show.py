"""Values to text: errors, events, tables, numbers. Pure; `cli.terminal` decides where it goes."""

import json
import re
import textwrap
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import zip_longest

from workbench.errors import WorkbenchError
from workbench.model import Endpoint, Event, Gpu, Leftover, Running, ServiceState, Stats
from workbench.notebook.units import duration as duration
from workbench.notebook.units import size as size

ERROR_LINES = 10
"""A failure never takes more of the screen than this."""


def error(failure: WorkbenchError) -> str:
    """What happened and what to do next, in at most ten lines."""
    head = [f"Error: {failure.message}"]
    tail = [f"→ {failure.hint}"] if failure.hint else []
    lines = "\n".join([*head, *(f"  | {line}" for line in failure.detail[-6:]), *tail]).splitlines()
    if len(lines) > ERROR_LINES:
        # The first words say what happened and the last what to do: the middle goes.
        keep = ERROR_LINES - 1 - len(tail)
        lines = [*lines[:keep], "  …", *lines[len(lines) - len(tail) :]]
    return "\n".join(line[:400] for line in lines)


def error_json(failure: WorkbenchError) -> str:
    """The same for a program."""
    return json.dumps(
        {
            "error": failure.message,
            "hint": failure.hint,
            "detail": list(failure.detail),
            "exit_code": failure.exit_code,
        }
    )


STEPS = {
    "system-packages": "System packages",
    "server-environment": "JupyterLab",
    "project-environment": "The project's dependencies",
    "device-environments": "The CPU and GPU environments",
    "post-build": "postBuild",
    "add-user": "Your account",
    "exporting to image": "Writing the image",
}
"""Steps of our own Dockerfile, by what their instruction contains, as a person names them."""

SHORT = 0.3
"""Seconds below which a step was no wait: one with nothing to do takes an engine 0.2 s."""

OF_NO_INTEREST = re.compile(r"(COPY|ARG|ENV|USER|LABEL|EXPOSE|ENTRYPOINT)\b|FROM [0-9a-f]{64}\b")
"""Instructions that take no time; the second one continues from another stage of the same build."""
STEP_NUMBER = re.compile(r"^(?:\[[^\]]*\]|STEP \d+/\d+:)\s*")


def step(name: str) -> str:
    """A build step as a person names it; empty for one that is of no interest."""
    known = next((words for part, words in STEPS.items() if part in name), None)
    if known:
        return known
    bare = _bare(name)
    if "/opt/build" in name or name.startswith("[internal]") or OF_NO_INTEREST.match(bare):
        return ""
    return bare if len(bare) <= 72 else f"{bare[:71]}…"


def _bare(name: str) -> str:
    return re.sub(r"^(FROM \S+) AS \w+$", r"\1", " ".join(STEP_NUMBER.sub("", name).split()))


def event(news: Event) -> str | None:
    """One plain line for an event, None for those that only move a bar or are of no interest."""
    name = step(news.text)
    match news.kind:
        case "step" if name:
            return f"  {name} …"
        case "done" if name and news.seconds is not None and news.seconds >= SHORT:
            return f"  {name} ({duration(news.seconds)})"
        case "cached" if name in STEPS.values():
            return f"  {name} (unchanged)"
        case "failed":
            return f"  {name or news.text} failed"
        case "note":
            return news.text
        case _:
            return None


def service(states: Iterable[ServiceState]) -> str:
    """What the containers of a service are doing."""
    words = []
    for each in states:
        failed = each.exit_code not in (None, 0, TERMINATED)
        words.append(f"ended with exit code {each.exit_code}" if failed else each.health or each.state)
    return ", ".join(dict.fromkeys(words))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], width: int | None = None) -> str:
    """Columns as wide as they need, two spaces apart. Within `width`, long cells go on in the next line."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    if width is None:
        return "\n".join(map(partial(_line, widths), cells))
    fitting = _fitting(widths, width)
    return "\n".join(_line(fitting, row) for whole in cells for row in _wrapped(fitting, whole))


def _line(widths: Sequence[int], row: Sequence[str]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


LAST, LEAST = 16, 10
"""Characters that the last column keeps before others get narrower, and that each column keeps."""


def _fitting(widths: Sequence[int], width: int) -> list[int]:
    """The widths in so much room: the last column gives way, then the widest between, and only then the name."""
    first, *between, last = widths
    room = width - 2 * (len(widths) - 1)
    while between and first + sum(between) + min(last, LAST) > room and max(between) > LEAST:
        between[between.index(max(between))] -= 1
    last = min(last, max(room - first - sum(between), LEAST))
    return [min(first, max(room - sum(between) - last, LEAST)), *between, last]


def _wrapped(widths: Sequence[int], row: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The lines of a row."""
    columns = (textwrap.wrap(cell, width, break_on_hyphens=False) for cell, width in zip(row, widths, strict=True))
    return zip_longest(*columns, fillvalue="")


TERMINATED = 143
"""Exit code of what a SIGTERM has ended: as it should be."""
PS_HEAD = ("NAME", "STATE", "ENGINE", "DEVICE", "PORT", "UP", "PROJECT")


def ps_row(running: Running, now: float | None = None) -> tuple[str, ...]:
    """One workbench as cells under `PS_HEAD`. `now` in seconds since 1970."""
    up = duration((now or time.time()) - running.started) if running.state == "running" and running.started else "-"
    return (
        running.name,
        f"{running.state} ({running.health})" if running.health in ("starting", "unhealthy") else running.state,
        engine(running),
        f"{running.device} (gpu ready)" if _gpu_ready(running) else running.device,
        str(running.port),
        up,
        running.folder,
    )


def engine(running: Running) -> str:
    """What runs a workbench, and where: `docker`, `docker on gpubox`."""
    return f"{running.engine} on {running.dock}" if running.dock else running.engine


def computes(running: Running) -> str:
    """What a workbench computes with, as a person says it: `CPU`, `GPU`, `GPU 0,1`, `CPU; GPU ready`."""
    kind, _, ids = running.device.partition(":")
    return f"{kind.upper()} {ids}".rstrip() + ("; GPU ready" if _gpu_ready(running) else "")


def _gpu_ready(running: Running) -> bool:
    """Whether it has a GPU, and kernels start without it."""
    return bool(running.gpus) and running.device == "cpu"


def rate(number: float, seconds: float) -> str:
    """Bytes in a time as a person reads them: `3.1 MB/s`."""
    return f"{size(number / max(seconds, 1e-3))}/s"


def running_json(running: Running, endpoint: Endpoint | None) -> dict[str, object]:
    """A workbench for a program: what `run-notebook -d --json` and `ps --json` print."""
    return {
        "name": running.name,
        "project": running.folder,
        "engine": running.engine,
        "dock": running.dock or None,
        "device": running.device,
        "image": running.image,
        "container": running.container,
        "port": running.port,
        "url": endpoint.url if endpoint else None,
        "api_url": endpoint.api_url if endpoint else f"http://127.0.0.1:{running.port}/",
        "token": endpoint.token if endpoint else None,
        "status": running.state,
    }


def stats_cells(stats: Stats) -> tuple[str, ...]:
    """CPU, memory, processes, network and disk as cells."""
    memory = f"{size(stats.memory)} / {size(stats.memory_limit)}" if stats.memory_limit else size(stats.memory)
    return (
        f"{stats.cpu:.2f} cores",
        memory,
        str(stats.pids),
        f"{size(stats.net_in)} / {size(stats.net_out)}",
        f"{size(stats.disk_read)} / {size(stats.disk_written)}",
    )


def gpus_cell(gpus: Sequence[Gpu] | None) -> str:
    """Load and memory of each GPU: `12% · 3.1 GB / 24 GB`, with its index where there are several."""
    several = len(gpus or ()) > 1
    return ", ".join(f"{gpu.index}: {_gpu(gpu)}" if several else _gpu(gpu) for gpu in gpus or ()) or "-"


def _gpu(gpu: Gpu) -> str:
    load = "-" if gpu.load is None else f"{gpu.load:.0%}"
    return f"{load} · {size(gpu.memory_used)} / {size(gpu.memory)}"


def gpus_json(gpus: Sequence[Gpu] | None) -> list[dict[str, object]] | None:
    """The same for a program; None where there is no GPU."""
    return None if gpus is None else [asdict(gpu) for gpu in gpus]


def leftover_row(leftover: Leftover) -> tuple[str, ...]:
    """One thing that `prune` would remove."""
    return (leftover.kind, leftover.name, size(leftover.size), leftover.why)


def settings_rows(described: Iterable[tuple[str, object, object]]) -> list[tuple[str, str, str]]:
    """Name, value and origin of each setting as cells."""
    return [(name, _value(value), str(origin)) for name, value, origin in described]


def _value(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return " ".join(f"{key}={each}" for key, each in value.items()) or "-"
    if isinstance(value, list | tuple):
        return " ".join(str(each) for each in value) or "-"
    return "-" if value is None else str(value)
