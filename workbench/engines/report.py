"""What the engine's API answers -> our values. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from workbench.engines.dialect import Dialect
from workbench.labels import COMPOSE, DEVICE, GPUS, LABEL, NAME, OWNER, PLAN, PORT, PROJECT
from workbench.model import Running, RunState, ServiceState, Stats
from workbench.plan.device import CDI

Entry = Mapping[str, Any]

STATES: Mapping[str, RunState] = {
    "created": "created",
    "initialized": "created",
    "configured": "created",
    "running": "running",
    "paused": "running",
    "restarting": "running",
    "stopping": "running",
    "exited": "stopped",
    "stopped": "stopped",
}
HEALTH = re.compile(r"\((?:health: )?(starting|healthy|unhealthy)\)")
EXITED = re.compile(r"Exited \((\d+)\)")
UP = re.compile(r"Up (?:(\d+)|About an?|Less than a) (second|minute|hour|day|week|month|year)")
UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 2592000, "year": 31536000}


def is_ours(labels: Mapping[str, str] | None) -> bool:
    """Whether a network, a volume or an image carries our labels."""
    return any(key.startswith(LABEL) for key in labels or ())


def is_workbench(labels: Mapping[str, str] | None) -> bool:
    """Whether a container is a workbench. Somebody's own container of our image has the image's labels only.

    A service's is none, whatever labels its image brings.
    """
    known = set(labels or ())
    return NAME in known and bool({PLAN, PORT} & known) and f"{COMPOSE}service" not in known


def listed(entry: Entry, dialect: Dialect, now: float) -> Running:
    """A workbench as the list of containers has it: start time as exact as `Up 3 hours`, nothing about memory."""
    status = entry.get("Status") or ""
    health, exited, up = HEALTH.search(status), EXITED.search(status), UP.match(status)
    return _running(
        entry["Labels"],
        dialect,
        id=entry["Id"],
        container=entry["Names"][0].lstrip("/"),
        state=STATES.get(entry["State"], "dead"),
        image=entry["Image"].removeprefix("localhost/"),
        health=health[1] if health else "",
        started=now - int(up[1] or 1) * UNITS[up[2]] if up else None,
        exit_code=int(exited[1]) if exited else None,
    )


def inspected(entry: Entry, dialect: Dialect) -> Running:
    """A workbench with everything that is known of it."""
    state = entry["State"]
    kind = STATES.get(state["Status"], "dead")
    return _running(
        entry["Config"]["Labels"],
        dialect,
        id=entry["Id"],
        container=entry["Name"].lstrip("/"),
        state=kind,
        image=entry["Config"]["Image"].removeprefix("localhost/"),
        health=_health(state) if kind == "running" else "",
        started=seconds(state["StartedAt"]),
        exit_code=state["ExitCode"] if kind in ("stopped", "dead") else None,
        out_of_memory=bool(state["OOMKilled"]),
    )


def service(entry: Entry) -> ServiceState:
    """The container of a service, or of one of its commands."""
    labels, state = entry["Config"]["Labels"], entry["State"]
    kind = STATES.get(state["Status"], "dead")
    return ServiceState(
        id=entry["Id"],
        container=entry["Name"].lstrip("/"),
        stack=labels.get(f"{COMPOSE}project", ""),
        service=labels.get(f"{COMPOSE}service", ""),
        folder=labels.get(f"{COMPOSE}project.working_dir", ""),
        state=kind,
        health=_health(state) if kind == "running" else "",
        exit_code=state["ExitCode"] if kind in ("stopped", "dead") else None,
        ports=tuple(_ports(entry["NetworkSettings"].get("Ports") or {})),
        started=seconds(state["StartedAt"]),
        command=labels.get(f"{COMPOSE}oneoff", "").lower() == "true",
    )


def _health(state: Entry) -> str:
    found = str((state.get("Health") or state.get("Healthcheck") or {}).get("Status") or "")
    return "" if found == "none" else found


def _ports(ports: Mapping[str, Any]) -> Iterator[str]:
    """Each port once: an engine with IPv6 lists it for both."""
    for port, places in sorted(ports.items(), key=lambda each: int(each[0].partition("/")[0])):
        old = [place for place in places or () if ":" not in place["HostIp"]]
        bound = {f"{place['HostIp'] or '0.0.0.0'}:{place['HostPort']}" for place in old}  # noqa: S104 - told, not bound
        yield from (f"{place}->{port}" for place in sorted(bound)) if bound else (port,)


def _running(labels: Mapping[str, str], dialect: Dialect, **known: Any) -> Running:
    return Running(
        name=labels[NAME],
        project=labels.get(PROJECT, ""),
        engine=dialect.name,
        port=int(labels.get(PORT) or 0),
        plan=labels.get(PLAN, ""),
        device=labels.get(DEVICE, "cpu"),
        gpus=labels.get(GPUS, ""),
        owner=labels.get(OWNER, ""),
        labels=dict(labels),
        **known,
    )


def seconds(moment: str) -> float | None:
    """An RFC 3339 time with any number of decimals, in seconds since 1970; None for the year 1."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", moment)
    if not match or match[1].startswith("0001"):
        return None
    zone = "+00:00" if match[3] == "Z" else match[3]
    return datetime.fromisoformat(match[1] + zone).timestamp() + float(match[2] or 0)


def gpus(info: Entry) -> tuple[str, ...]:
    """What `nvidia.com/gpu=` can be followed by, as far as the engine tells (Docker from 28.3)."""
    found = (str(device["ID"]).partition(CDI) for device in info.get("DiscoveredDevices") or ())
    return tuple(name for before, mark, name in found if mark and not before)


def cpu_time(sample: Entry) -> tuple[float, float]:
    """`(moment, core seconds used so far)` of a statistics sample."""
    return seconds(sample["read"]) or 0.0, sample["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9


def stats(before: tuple[float, float], sample: Entry, host_memory: int) -> Stats:
    """One sample as values; the CPU in use is measured from `before` to it. Page cache is not counted as memory."""
    moment, used = cpu_time(sample)
    memory = sample["memory_stats"]
    detail = memory.get("stats") or {}
    cache = detail.get("total_inactive_file", detail.get("inactive_file", 0))
    limit = memory.get("limit") or 0
    networks = (sample.get("networks") or {}).values()
    disk = (sample.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ()
    return Stats(
        cpu=max(0.0, (used - before[1]) / (moment - before[0])) if moment > before[0] else 0.0,
        memory=max(0, memory.get("usage", 0) - cache),
        memory_limit=limit if 0 < limit < host_memory else None,
        pids=(sample.get("pids_stats") or {}).get("current", 0),
        net_in=sum(each["rx_bytes"] for each in networks),
        net_out=sum(each["tx_bytes"] for each in networks),
        disk_read=sum(each["value"] for each in disk if each["op"].lower() == "read"),
        disk_written=sum(each["value"] for each in disk if each["op"].lower() == "write"),
    )
