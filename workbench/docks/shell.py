"""`source dock NAME`: what has a shell's docker commands go to a dock, and how `castoff` undoes it. Pure."""

import shlex
from collections.abc import Mapping
from typing import Literal

Shell = Literal["bash", "zsh", "fish"]
PROMPT = "WORKBENCH_DOCK"
"""The variable that names the dock of this shell."""


def docked(shell: Shell, name: str, variables: Mapping[str, str], holder: int) -> str:
    """Code for a shell: set `variables`, show the dock in the prompt, define `castoff`."""
    known = {**variables, PROMPT: name}
    return _fish(name, known, holder) if shell == "fish" else _posix(name, known, holder)


def _posix(name: str, variables: Mapping[str, str], holder: int) -> str:
    """For bash and zsh: what a variable was is kept in one of ours, `_wb_was_NAME`, if it was set at all."""
    lines = []
    for each, value in variables.items():
        lines.append(f'[ -z "${{{each}+x}}" ] || _wb_was_{each}="${each}"')
        lines.append(f"export {each}={shlex.quote(value)}")
    lines.append('_wb_was_PS1="$PS1"')
    # A dock's name has nothing that a prompt or a shell reads: see `book.check_name`.
    lines.append(f'PS1="({name}) $PS1"')
    lines.append("castoff() {")
    for each in variables:
        lines.append(
            f'  if [ -n "${{_wb_was_{each}+x}}" ]; then export {each}="$_wb_was_{each}"; else unset {each}; fi'
        )
        lines.append(f"  unset _wb_was_{each}")
    lines.append('  PS1="$_wb_was_PS1"; unset _wb_was_PS1')
    lines.append(f"  kill {holder} 2>/dev/null")
    lines.append("  unset -f castoff")
    lines.append("}")
    return "\n".join(lines) + "\n"


def _fish(name: str, variables: Mapping[str, str], holder: int) -> str:
    """For fish: a prompt is a function there, which is copied."""
    lines = []
    for each, value in variables.items():
        lines.append(f"set -q {each}; and set -g _wb_was_{each} ${each}")
        lines.append(f"set -gx {each} {_fish_quoted(value)}")
    lines += [
        "functions -c fish_prompt _wb_fish_prompt 2>/dev/null",
        f"function fish_prompt; echo -n '({name}) '; functions -q _wb_fish_prompt; and _wb_fish_prompt; end",
        "function castoff",
    ]
    for each in variables:
        lines.append(f"  if set -q _wb_was_{each}; set -gx {each} $_wb_was_{each}; else; set -e {each}; end")
        lines.append(f"  set -e _wb_was_{each}")
    lines += [
        "  functions -e fish_prompt",
        "  functions -q _wb_fish_prompt; and functions -c _wb_fish_prompt fish_prompt",
        "  functions -e _wb_fish_prompt",
        f"  kill {holder} 2>/dev/null",
        "  functions -e castoff",
        "end",
    ]
    return "\n".join(lines) + "\n"


def _fish_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
