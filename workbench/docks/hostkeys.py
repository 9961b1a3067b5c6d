"""The user's list of machines that ssh knows, `~/.ssh/known_hosts`, where the address of a dock changes."""

import re
from collections.abc import Iterable
from pathlib import Path

from workbench import process

FILE = Path(".ssh/known_hosts")
LINE = re.compile(r"(?:ssh-|ecdsa-)[\w-]+ [A-Za-z0-9+/]+={0,2}")


def known(address: str, home: Path) -> tuple[str, ...]:
    """The keys by which ssh knows the machine at an address."""
    if not (home / FILE).exists():
        return ()
    found = process.run(("ssh-keygen", "-F", address, "-f", str(home / FILE))).out.splitlines()
    return tuple(match[0] for line in found if not line.startswith("#") and (match := LINE.search(line)))


def forget(address: str, home: Path) -> None:
    """Take what is known of an address off the list: another machine has, or had, it."""
    if known(address, home):
        process.run(("ssh-keygen", "-R", address, "-f", str(home / FILE)))


def learn(address: str, keys: Iterable[str], home: Path) -> None:
    """Put the keys of the machine at an address on the list. They must come from whoever owns the machine."""
    lines = [f"{address} {key}\n" for key in keys if LINE.fullmatch(key)]
    if not lines:
        return
    file = home / FILE
    file.parent.mkdir(mode=0o700, exist_ok=True)
    text = file.read_text("utf-8") if file.exists() else ""
    with file.open("a", encoding="utf-8") as stream:
        stream.write("\n" * (not text.endswith("\n") and bool(text)))
        stream.writelines(lines)
    if not text:
        file.chmod(0o600)
