"""The control protocol, and the state document."""

import ast
import inspect
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from made.text import Missing, block, line, need, table
from workbench.inside import wire
from workbench.inside.control import board, handlers
from workbench.inside.place import Place
from workbench.notebook.api import Control

PACKAGE = Path(wire.__file__).parents[1]
STATE = {
    "version": "Version of this document.",
    "workbench": "Which it is: names, engine, image, addresses, moments as Unix time. `now` is the moment of the look.",
    "agent": "Whether the controls work, and why not.",
    "device": "The selected device, the GPUs that can be used, each device's kernelspec, whether a GPU is to be had.",
    "gpus": "Each GPU: `index`, `name`, `memory` and `memory_used` in bytes, `load` from 0 to 1.",
    "usage": "`cpu` in cores, `memory` in bytes, disk and network in bytes a second, `pids`; the container's own.",
    "kernels": "Each kernel: `id`, `name`, `display_name`, `state`, `path` of its notebook, `device`.",
    "diffs": "Copies for review: on or off, when last written, how many wait, what went wrong.",
    "services": "Each service: `name`, `title`, `state`, `health`, `exit_code`, `ports`, `web`, `restart`.",
    "packages": "Installed by hand since the start: `name`, `version`.",
    "changes": "Sentences: what a launch would do differently now.",
    "action": "What is under way, with its `verb` and how far it is; `null` when nothing is.",
    "last": "How the last action ended: `ok`, `message`, `hint`.",
    "history": "The last two minutes of `cpu`, `memory` and `gpu`, one number every `seconds`.",
}
"""What the keys of the state document hold. Compared with those that there are."""

AGENTS = {
    "hello": "The version of the protocol and of Workbench.",
    "status": "What only the agent knows: engine, image, start, what has changed, services. It is part of the state.",
}
"""The verbs that are not those of `workbench.here()`."""


def verbs() -> str:
    """The verbs of the control protocol."""
    says = {**_methods(Control), **AGENTS}
    rows = []
    for verb, arguments in wire.VERBS.items():
        taken = ", ".join(f"`{name}`: {_values(each)}" for name, each in arguments.items())
        rows.append((f"`{verb}`", taken, "yes" if verb in wire.LIFE else "", need(says.get(verb), verb)))
    return table(("verb", "arguments", "changes the life", "meaning"), rows)


def limits() -> str:
    """The numbers of the protocol, as `wire.py` says them."""
    words = _documented(wire)
    names = ("VERSION", "LINE", "DEPTH", "RATE", "PAUSE", "BEAT", "SILENCE", "STATUS", "LINES", "SERVICES")
    said = {"VERSION": "Version of the protocol.", **words}
    said["BEAT"], said["SILENCE"] = words["BEAT, SILENCE"].rstrip(".").split("; ")
    rows = [(f"{getattr(wire, name)}", need(said.get(name), name).rstrip(".").capitalize()) for name in names]
    return table(("value", "what"), rows)


def messages() -> str:
    """One message of each kind, as they are on the wire."""
    examples = (
        wire.request("a1", "set_device", {"device": "gpu"}),
        wire.reply("a1", {"accepted": True}),
        wire.refusal("a1", "busy", "Another action is under way: rebuild.", "Wait for it, or cancel it."),
        wire.event("status", status={}),
        wire.beat(),
    )
    return block("json", "\n".join(wire.encode(each).decode().strip() for each in examples))


def refusals() -> str:
    """The codes that a refusal may have, and where it is said: from the code that refuses."""
    found: dict[str, list[str]] = {}
    for folder in ("agent", "inside"):
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            for code, message in _refused(ast.parse(path.read_text(encoding="utf-8"))):
                found.setdefault(code, []).append(message)
    status = handlers.REFUSED
    rows = [
        (f"`{code}`", str(int(status.get(code, 409))), " ".join(dict.fromkeys(filter(None, found[code]))))
        for code in sorted({*found, *status})
        if code in found
    ]
    return table(("code", "HTTP", "message"), rows)


def addresses() -> str:
    """What a page, a kernel or a program asks Jupyter's server for."""
    rows = []
    for pattern, handler in handlers.HANDLERS:
        words = inspect.cleandoc(need(handler.__doc__, handler.__name__))
        rows.append((f"`{pattern.replace('([0-9]{1,3})', 'N').replace('([^/]+)', 'VERB')}`", line(words)))
    return table(("address", "what"), rows)


def state() -> str:
    """The keys of the state document, and how it begins."""
    place = Place("tides-3f2a91", Path("/home/ada/tides"), Path("/run/workbench"), Path("/opt/project"))
    first = board.first(place, local=False, started=1767225600.0)
    if {*first, "history"} != set(STATE):
        raise Missing(f"STATE: {sorted({*first, 'history'} ^ set(STATE))}")
    rows = [(f"`{key}`", STATE[key]) for key in (*first, "history")]
    return f"{table(('key', 'what'), rows)}\n\n{block('json', json.dumps(first, indent=2))}"


def _values(allowed: Any) -> str:
    if isinstance(allowed, range):
        return f"{allowed.start} to {allowed.stop - 1}"
    return " or ".join(f"`{each}`" for each in allowed)


def _methods(owner: type) -> dict[str, str]:
    return {
        name: inspect.cleandoc(each.__doc__) for name, each in vars(owner).items() if getattr(each, "__doc__", None)
    }


def _documented(module: Any) -> dict[str, str]:
    """The texts below the assignments of a module, by the names before them."""
    body = ast.parse(inspect.getsource(module)).body
    found = {}
    for first, second in itertools.pairwise(body):
        target = first.targets[0] if isinstance(first, ast.Assign) else getattr(first, "target", None)
        if target is not None and isinstance(second, ast.Expr) and isinstance(second.value, ast.Constant):
            found[ast.unparse(target).strip("()")] = str(second.value.value).split("\n")[0]
    return found


def _refused(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for call in (each for each in ast.walk(tree) if isinstance(each, ast.Call)):
        if getattr(call.func, "attr", getattr(call.func, "id", "")) != "refusal" or len(call.args) < 3:
            continue
        code, message = call.args[1:3]
        if isinstance(code, ast.Constant):
            yield str(code.value), _said(message)


def _said(message: ast.expr) -> str:
    """A message as it is written, an ellipsis where something is put into it."""
    if isinstance(message, ast.Constant):
        return str(message.value)
    if isinstance(message, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else "…" for each in message.values)
    return ""
