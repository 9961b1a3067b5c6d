"""A picture of what commands show on a terminal: they are run on one, and what stands there in the end is drawn."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS, ROWS = 88, 40
TOKEN = re.compile(r"token=[0-9a-f]+")
MOVE = re.compile(r"(\r|\n|\x1b\[\d*A|\x1b\[2K|\x1b\[\?25[lh])")
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {terminal_width} {terminal_height}" role="img">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
 font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>{lines}</defs>
<rect width="{terminal_width}" height="{terminal_height}" rx="8" fill="#1e1e1e"/>
<g transform="translate(16, 12)">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""
"""Without the frame that Rich draws, and without its font, which a page would fetch from elsewhere."""


def session(commands: Sequence[Sequence[str]], folder: Path, picture: Path) -> None:
    """Run commands one after the other in a folder, and draw them and what they showed."""
    console = Console(record=True, width=COLUMNS + 3, file=io.StringIO(), force_terminal=True)
    for command in commands:
        console.print(Text("$ ", style="green").append(" ".join(command), style="bold white"))
        for line in screen(run(command, folder)):
            console.print(Text.from_ansi(TOKEN.sub("token=…", line)))
    console.print()  # room below
    picture.write_text(console.export_svg(code_format=SVG, unique_id="session"), encoding="utf-8")


def run(command: Sequence[str], folder: Path) -> str:
    """All that a command writes to a terminal."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    child = subprocess.Popen(command, cwd=folder, env=environment, stdin=its, stdout=its, stderr=its)
    os.close(its)
    said = b""
    try:
        while data := os.read(ours, 65536):
            said += data
    except OSError:  # how a terminal says that nobody writes to it any more
        pass
    os.close(ours)
    if child.wait():
        raise SystemExit(f"{' '.join(command)} failed:\n{said.decode(errors='replace')}")
    return said.decode(errors="replace")


def screen(said: str) -> list[str]:
    """The lines that stand there in the end, of programs that only ever draw a whole line again."""
    lines, row = [""], 0
    for part in MOVE.split(said):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part.endswith("A") and part.startswith("\x1b["):
            row = max(0, row - int(part[2:-1] or 1))
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part != "\r" and not part.startswith("\x1b[?25"):
            lines[row] += part
    return lines[: -1 if not lines[-1] else None]
