"""A normal user for the tests: no root, but a member of the group that may use our engines."""

import grp
import pwd
from pathlib import Path

from provision.ground import Ground
from provision.programs import ask

USER = "workbench-tester"
GROUP = "workbench-tests"


def group() -> str:
    """Have the group; returns its name."""
    try:
        grp.getgrnam(GROUP)
    except KeyError:
        ask(["groupadd", "--system", GROUP])
    return GROUP


def user(ground: Ground) -> None:
    """Have the user, with a package cache that is kept between runs."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        ask(["useradd", "--create-home", "--shell", "/bin/bash", "--groups", group(), USER])
    cache = ground.cache / "uv-of-user"
    if not cache.exists():
        cache.mkdir(mode=0o755)
        ask(["chown", f"{USER}:", cache])
    ground.offer("USER", USER)
    ground.offer("USER_UV_CACHE", Path(cache))
