"""What puts a program on a device: the variables of its kernels, and a text that a shell can source."""

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from workbench.inside.place import DEVICES, Device, Place

CUDA = "CUDA_VISIBLE_DEVICES"

SOURCED = """\
# Source this in sh, bash or zsh: from then on the shell is on the {device}, whichever it was on before.
_workbench_path=:${{PATH-}}:
for _workbench_bin in {known}; do
    while case $_workbench_path in *":$_workbench_bin:"*) true ;; *) false ;; esac; do
        _workbench_path=${{_workbench_path%%":$_workbench_bin:"*}}:${{_workbench_path#*":$_workbench_bin:"}}
    done
done
_workbench_path=${{_workbench_path#:}}
_workbench_path=${{_workbench_path%:}}
PATH={first}${{_workbench_path:+:$_workbench_path}}
VIRTUAL_ENV={env}
export PATH VIRTUAL_ENV
unset _workbench_path _workbench_bin
"""
ENTER = ("/bin/sh", "-c", '[ -r "$0" ] && . "$0"; exec "$@"')
"""Fixed text: sources the file that follows, and becomes the command after it."""


class Used(NamedTuple):
    """The environment that programs on a device use."""

    env: Path
    """Its folder: `VIRTUAL_ENV`."""
    bins: tuple[Path, ...]
    """What comes first on `PATH`: its own programs, then the project's."""


def used(place: Place, device: Device) -> Used | None:
    """The environment of a device; None where the project has none."""
    env, own, shared = place.env_of(device), place.python_of(device), place.python
    if env is None or own is None or shared is None:
        return None
    return Used(env, tuple(dict.fromkeys((own.parent, shared.parent))))


def cuda(place: Place, device: Device) -> str | None:
    """The device's `CUDA_VISIBLE_DEVICES`: nothing on the CPU. None: what the server itself was started with."""
    if device == "cpu":
        return ""
    return None if place.gpus in ("", "all") else place.gpus


def sourced(place: Place, device: Device, inherited: str | None) -> str:
    """The text that puts a shell on a device. `inherited`: the server's own `CUDA_VISIBLE_DEVICES`, None without."""
    chosen = cuda(place, device)
    visible = inherited if chosen is None else chosen
    last = f"unset {CUDA}\n" if visible is None else f"export {CUDA}={shlex.quote(visible)}\n"
    found = {each: use for each in DEVICES if (use := used(place, each))}
    if not found:
        return last
    known = _words(" ", dict.fromkeys(folder for use in found.values() for folder in use.bins))
    env, bins = found[device]
    return SOURCED.format(device=device, known=known, first=_words(":", bins), env=shlex.quote(str(env))) + last


def shell(place: Place, program: str) -> list[str]:
    """The command of a shell on the device that this workbench starts on."""
    return [*ENTER, str(file(place, place.device)), program]


def file(place: Place, device: Device) -> Path:
    """Where the text for a device lies."""
    return place.run / f"{device}-env"


def _words(separator: str, folders: Iterable[Path]) -> str:
    return separator.join(shlex.quote(str(folder)) for folder in folders)
