"""What a dock is like, from one fixed script that its shell runs: for `ls-dock` and `workbench dock doctor`."""

import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from workbench import process, show, ssh
from workbench.checks import ENOUGH_DISK, Check
from workbench.docks.book import Dock
from workbench.labels import NAME
from workbench.ssh import SAFE, Host

PATIENCE = 5.0
"""Seconds that a dock has to answer."""
WIDE = 32
"""Characters of a problem in the list."""
DRIFT = 60.0
"""Seconds by which two clocks may differ: tokens and certificates become strange beyond."""
SCRIPT = f"""sh -c '
say() {{ printf "%s\\n" "$*"; }}
say clock "$(date +%s)"; say kernel "$(uname -sm)"; say user "$(id -un)"; say cores "$(nproc 2>/dev/null)"
[ ! -r /proc/loadavg ] || say load "$(cut -d" " -f1 /proc/loadavg)"
for each in docker podman; do
    command -v $each >/dev/null 2>&1 || continue
    say program $each; version=$($each version --format "{{{{.Server.Version}}}}" 2>&1)
    if [ $? = 0 ]; then say engine $each $version
        say running "$($each ps --quiet --filter label={NAME} 2>/dev/null | wc -l)"; break
    fi
    say refused $each $(say $version | tr "\\n" " ")
done
say free "$(df -Pk /var/lib/docker 2>/dev/null | tail -n 1 || df -Pk "$HOME" | tail -n 1)"
command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi --query-gpu=name --format=csv,noheader 2>&1 | sed "s/^/gpu /"
command -v nvidia-ctk >/dev/null 2>&1 && say toolkit "$(nvidia-ctk --version 2>/dev/null | head -n 1)"
command -v zstd >/dev/null 2>&1 && say tool zstd "$(zstd --version 2>&1 | head -n 1)"
for each in unison "$HOME/.local/share/workbench/bin/unison"; do
    command -v "$each" >/dev/null 2>&1 && say tool unison "$("$each" -version 2>&1 | head -n 1)"
done
true
'"""
"""Fixed text."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found. `problem` says why nothing was; times in seconds, `free` in bytes."""

    dock: Dock
    problem: str = ""
    seconds: float = 0.0
    """From the command to its answer, the connection included."""
    user: str = ""
    kernel: str = ""
    cores: int | None = None
    load: float | None = None
    engine: str = ""
    """Its kind and version; empty when none answers."""
    refused: str = ""
    """The words of an engine's program that is there and gets no answer."""
    running: int | None = None
    free: int | None = None
    gpus: tuple[str, ...] = ()
    toolkit: str = ""
    tools: tuple[tuple[str, str], ...] = ()
    drift: float | None = None
    """By how much its clock is ahead of ours."""


def look(dock: Dock) -> Look:
    """Ask one dock; nobody is asked for a password. At most five seconds."""
    begun, asked = time.monotonic(), time.time()
    quick = ("-o", "BatchMode=yes", "-o", f"ConnectTimeout={PATIENCE:.0f}", "-o", "ClearAllForwardings=yes")
    try:
        done = process.run(("ssh", *SAFE, *quick, *dock.host.words, SCRIPT), timeout=PATIENCE)
    except process.TookTooLong:
        return Look(dock, f"no answer within {PATIENCE:.0f} s")
    if done.code == ssh.LOST:
        lines = [line for line in done.err.splitlines() if line.strip()]
        return Look(dock, lines[-1] if lines else "ssh does not connect")
    found = replace(read(dock, done.out), seconds=time.monotonic() - begun)
    clock = re.search(r"^clock (\d+)$", done.out, re.MULTILINE)
    # In the middle of the call, as far as we know.
    return replace(found, drift=float(clock[1]) - (asked + time.time()) / 2) if clock else found


def look_at_all(docks: Sequence[Dock]) -> list[Look]:
    """Ask all at once."""
    if not docks:
        return []
    with ThreadPoolExecutor(max_workers=min(len(docks), 32)) as pool:
        return list(pool.map(look, docks))


def read(dock: Dock, text: str) -> Look:
    """What the script printed, as a value. Pure."""
    lines: dict[str, list[str]] = {}
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        lines.setdefault(word, []).append(rest.strip())

    def one(word: str) -> str:
        return lines.get(word, [""])[0]

    free = one("free").split()
    tools = (tool.partition(" ") for tool in lines.get("tool", ()))
    return Look(
        dock,
        user=one("user"),
        kernel=one("kernel"),
        cores=int(one("cores")) if one("cores").isdecimal() else None,
        load=float(one("load")) if re.fullmatch(r"[\d.]+", one("load")) else None,
        engine=one("engine"),
        refused=one("refused"),
        running=int(one("running")) if one("running").isdecimal() else None,
        free=int(free[3]) * 1024 if len(free) > 3 and free[3].isdecimal() else None,
        gpus=tuple(lines.get("gpu", ())),
        toolkit=one("toolkit"),
        tools=tuple((name, version) for name, _, version in tools),
    )


HEAD = ("DOCK", "MACHINE", "STATE", "ENGINE", "GPUS", "LOAD", "WORKBENCHES", "ANSWERS IN")


def row(found: Look) -> tuple[str, ...]:
    """A dock as cells under HEAD."""
    name, machine = found.dock.name, str(found.dock.host)
    if found.problem:
        # The whole of it says the doctor.
        short = re.sub(r"^ssh: (connect to host \S+ port \d+: )?", "", found.problem)
        return (name, machine, short if len(short) <= WIDE else f"{short[: WIDE - 1]}…", "-", "-", "-", "-", "-")
    gpus = ", ".join(f"{found.gpus.count(gpu)} x {gpu}" for gpu in dict.fromkeys(found.gpus))
    load = f"{found.load:.1f} of {found.cores}" if found.load is not None and found.cores else "-"
    running = "-" if found.running is None else str(found.running)
    state = "ready" if found.engine else "no engine"
    return (name, machine, state, found.engine or "-", gpus or "-", load, running, f"{found.seconds * 1000:.0f} ms")


def checks(found: Look) -> Iterator[Check]:
    """Each thing that a dock needs, with what mends it."""
    host = found.dock.host
    if found.problem:
        yield Check("ssh", ok=False, found=found.problem, fix=f"see what it says: ssh -v {host} true")
        return
    machine = host.destination.rpartition("@")[2]
    yield Check("ssh", ok=True, found=f"{found.user}@{machine}, {found.kernel}, {found.seconds * 1000:.0f} ms")
    yield _engine(found, host)
    if found.free is not None:
        low = found.free < ENOUGH_DISK
        fix = "docker system prune there, or a larger disk" if low else ""
        yield Check("disk", ok=not low, found=f"{show.size(found.free)} free", fix=fix)
    yield from _gpus(found)
    if found.drift is not None:
        late = abs(found.drift) > DRIFT
        what = f"{abs(found.drift):.0f} s {'ahead' if found.drift > 0 else 'behind'}" if late else "as here"
        yield Check("clock", ok=not late, found=what, fix="sudo timedatectl set-ntp true (there)" if late else "")
    versions = dict(found.tools)
    for tool, what in (("zstd", "smaller transfers"), ("unison", "yours is copied there, if it runs there")):
        known = versions.get(tool, "")
        found_text = known or f"missing: {what}"
        yield Check(tool, ok=bool(known), found=found_text, fix="" if known else f"sudo apt install {tool} (there)")


def _engine(found: Look, host: Host) -> Check:
    if found.engine:
        return Check("engine", ok=True, found=f"{found.engine}, {found.running or 0} workbenches")
    if "permission denied" in found.refused.lower():
        fix = f"ssh -t {host} sudo usermod -aG docker {found.user}"
        return Check("engine", ok=False, found=f"{found.user} may not use it", fix=fix)
    if found.refused:
        return Check("engine", ok=False, found=found.refused, fix=f"ssh -t {host} sudo systemctl start docker")
    return Check("engine", ok=False, found="neither docker nor podman", fix="https://docs.docker.com/engine/install/")


def _gpus(found: Look) -> Iterator[Check]:
    if not found.gpus:
        yield Check("GPU", ok=True, found="none")
        return
    for gpu in found.gpus:
        yield Check("GPU", ok=True, found=gpu)
    fix = "" if found.toolkit else "sudo apt-get install -y nvidia-container-toolkit (there)"
    yield Check("NVIDIA Container Toolkit", ok=bool(found.toolkit), found=found.toolkit or "missing", fix=fix)
