"""A state document as lines and as a table of HTML. Pure; everything in it is taken for text."""

from __future__ import annotations

import time
from html import escape
from typing import TYPE_CHECKING, Any

from workbench.notebook.units import duration, size

if TYPE_CHECKING:
    from collections.abc import Iterator

_CARD = (
    "max-width:40em;padding:.9em 1.1em;border:1px solid rgba(128,128,128,.35);border-radius:8px;"
    "font:13px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif"
)
_TABLE = "border:0;border-collapse:collapse;margin:0;font:inherit"
_CELL = "padding:.1em 0;border:0;text-align:left;vertical-align:top;background:none;white-space:normal"


def rows(state: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is worth a line, as label and value."""
    known, device = state["workbench"], state["device"]
    now = known["now"]
    if known["engine"]:
        yield "Engine", " ".join(filter(None, (known["engine"], known["engine_version"], _on(known["dock"]))))
    yield "Device", _device(device, state["gpus"])
    if known["image"]:
        label = "Environment" if known["engine"] == "local" else "Image"
        yield label, f"{known['image']}{_ago(', made', known['image_created'], now)}"
    if known["started"]:
        yield "Running", f"for {duration(now - known['started'])}"
    yield from _usage(state["usage"])
    yield "Kernels", _kernels(state["kernels"])
    if state["services"]:
        yield "Services", ", ".join(f"{each['name']} ({_condition(each)})" for each in state["services"])
    yield "Diffs", _diffs(state["diffs"], now)
    if state["packages"]:
        yield "Installed", ", ".join(f"{each['name']} {each['version']}" for each in state["packages"])
    if state["changes"]:
        yield "Changed", "; ".join(state["changes"])
    if state["action"]:
        yield "Doing", state["action"]["text"]
    if not state["agent"]["connected"]:
        yield "Control", " ".join(filter(None, (state["agent"]["why"], state["agent"]["hint"])))
    yield "As of", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))


def table(state: dict[str, Any]) -> str:
    """Lines, aligned; the name first."""
    found = list(rows(state))
    width = max(len(label) for label, _ in found)
    return "\n".join([_title(state), *(f"  {label:<{width}}  {value}" for label, value in found)])


def html(state: dict[str, Any]) -> str:
    """The same as a card that needs no style sheet and no script."""
    lines = "".join(_row(label, value) for label, value in rows(state))
    return _card(_title(state), f'<table style="{_TABLE}">{lines}</table>')


def html_note(message: str) -> str:
    """A card that says why there is nothing to show."""
    return _card("Workbench", f'<div style="opacity:.8">{escape(message)}</div>')


def _card(title: str, content: str) -> str:
    head = f'<div style="margin:0 0 .4em;font-size:1.15em;font-weight:600">{escape(title)}</div>'
    return f'<div style="{_CARD}">{head}{content}</div>'


def _row(label: str, value: str) -> str:
    # JupyterLab stripes rows, and aligns cells to the right.
    return (
        f'<tr style="background:none"><td style="{_CELL};padding-right:1.5em;opacity:.65">{escape(label)}</td>'
        f'<td style="{_CELL};overflow-wrap:anywhere">{escape(value)}</td></tr>'
    )


def _title(state: dict[str, Any]) -> str:
    return f"Workbench {state['workbench']['name']}"


def _on(dock: str | None) -> str:
    return f"on {dock}" if dock else ""


def _device(device: dict[str, Any], gpus: list[dict[str, Any]]) -> str:
    selected = str(device["selected"]).upper()
    if gpus:
        return f"{selected}{': ' if device['selected'] == 'gpu' else '; GPU at hand: '}{'; '.join(map(_gpu, gpus))}"
    return f"{selected} ({device['why']})" if device["why"] and not device["possible"] else selected


def _gpu(gpu: dict[str, Any]) -> str:
    memory = f", {size(gpu['memory_used'])} of {size(gpu['memory'])}" if gpu["memory"] else ""
    load = f", {gpu['load']:.0%} busy" if gpu["load"] is not None else ""
    return f"{gpu['name']}{memory}{load}"


def _usage(usage: dict[str, Any] | None) -> Iterator[tuple[str, str]]:
    if not usage:
        return
    if usage["cpu"] is not None:
        yield "CPU", f"{usage['cpu']:.2f} cores{_of(usage['cores'], '{:g}')} in use"
    if usage["memory"] is not None:
        limit = usage["memory_limit"]
        yield "Memory", f"{size(usage['memory'])}{f' of {size(limit)}' if limit else ''}"


def _of(number: float | None, how: str) -> str:
    return f" of {how.format(number)}" if number else ""


def _kernels(kernels: list[dict[str, Any]]) -> str:
    busy = sum(kernel["state"] == "busy" for kernel in kernels)
    return f"{len(kernels)}, {busy} busy" if kernels else "none"


def _condition(service: dict[str, Any]) -> str:
    """How a service is, in a word or two: `healthy`, `starting`, `exit code 1`."""
    if service["state"] == "running":
        return str(service["health"] or "running")
    if service["exit_code"]:
        return f"exit code {service['exit_code']}"
    return str(service["state"] or "unknown")


def _diffs(diffs: dict[str, Any], now: float) -> str:
    return f"on{_ago(', last written', diffs['last_written'], now)}" if diffs["on"] else "off"


def _ago(words: str, moment: float | None, now: float) -> str:
    return f"{words} {duration(max(0.0, now - moment))} ago" if moment else ""
