"""What image builds print -> events. Pure: `docker build --progress=plain` (BuildKit) and `podman build`."""

import re
from collections.abc import Iterable, Iterator

from workbench.model import Event

UNITS = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
LINE = re.compile(r"#(\d+) ?(.*)")
DONE = re.compile(r"DONE(?: ([\d.]+)s)?")
OUTPUT = re.compile(r"[\d.]+ (.*)")
AMOUNT = re.compile(r"(sha256:[0-9a-f]+) ([\d.]+)([kKMGT]?B) / ([\d.]+)([kKMGT]?B)(?: .*)?")
NOISE = re.compile(r"sha256:[0-9a-f]+|\.\.\.|(?:transferring|resolve|extracting|sha256:|naming|writing|unpacking) .*")
FLAGS = re.compile(r"--(?:mount|network|security|from|chown|chmod|link)(?:=\S+)? ")
PODMAN_STEP = re.compile(r"(\[\d+/\d+\] )?STEP (\d+/\d+): (.*)")
PODMAN_NOISE = re.compile(r"(?:\[\d+/\d+\] )?COMMIT .*|Successfully tagged .*|[0-9a-f]{64}")
PODMAN_DONE = re.compile(r"--> (Using cache )?[0-9a-f]{11,}")


def buildkit(lines: Iterable[str]) -> Iterator[Event]:
    """Events of a BuildKit build. Its own preparations (`[internal] …`) show only when they fail."""
    names: dict[str, str] = {}
    layers: dict[str, dict[str, tuple[int, int]]] = {}
    for line in lines:
        match = LINE.fullmatch(line)
        if match is None:
            if line.strip():
                yield Event("output", line)
            continue
        step, text = match.groups()
        if step not in names:
            names[step] = FLAGS.sub("", text)
            if not _internal(names[step]):
                yield Event("step", names[step], step)
        elif event := _buildkit(step, names[step], text, layers.setdefault(step, {})):
            yield event


def _buildkit(step: str, name: str, text: str, layers: dict[str, tuple[int, int]]) -> Event | None:
    """What a further line about a step means."""
    if text.startswith("ERROR"):
        return Event("failed", name, step)
    if _internal(name):
        return None
    if text == "CACHED":
        return Event("cached", name, step)
    if done := DONE.fullmatch(text):
        return Event("done", name, step, seconds=float(done[1] or 0))
    if amount := AMOUNT.fullmatch(text):
        layers[amount[1]] = (_bytes(amount[2], amount[3]), _bytes(amount[4], amount[5]))
        done_bytes, total = (sum(pair) for pair in zip(*layers.values(), strict=True))
        return Event("progress", name, step, done_bytes, total)
    if output := OUTPUT.fullmatch(text):
        return Event("output", output[1], step)
    return None if NOISE.fullmatch(text) or FLAGS.sub("", text) == name or not text else Event("output", text, step)


def podman(lines: Iterable[str]) -> Iterator[Event]:
    """Events of a `podman build`."""
    step, name = "", ""
    for line in lines:
        if match := PODMAN_STEP.fullmatch(line):
            if step:
                yield Event("done", name, step)
            step, name = f"{match[1] or ''}{match[2]}", f"[{match[2]}] {FLAGS.sub('', match[3])}"
            if match[3].startswith("LABEL "):
                # Labels are given on the command line, and each is a step to Podman.
                step = ""
                continue
            yield Event("step", name, step)
        elif match := PODMAN_DONE.fullmatch(line):
            if step and match[1]:
                yield Event("cached", name, step)
                step = ""
        elif line.startswith("Error: "):
            yield Event("output", line, step)
            yield Event("failed", name, step)
            step = ""
        elif line.strip() and not PODMAN_NOISE.fullmatch(line):
            yield Event("output", line, step)
    if step:
        yield Event("done", name, step)


def _internal(name: str) -> bool:
    return name.startswith("[internal]")


def _bytes(number: str, unit: str) -> int:
    return round(float(number) * UNITS[unit])
