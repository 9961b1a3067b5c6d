"""Whom the processes in a container are, so that files written in the project belong to the user."""

import re
from dataclasses import dataclass

from workbench.model import HostFacts


@dataclass(frozen=True, slots=True)
class ContainerUser:
    """The container's user. `notice` is a line for the person, empty when all is as expected."""

    uid: int
    gid: int
    name: str
    home: str
    userns: str | None = None
    notice: str = ""


def container_user(facts: HostFacts, owner: tuple[int, int] | None) -> ContainerUser:
    """Decide the container's user from the engine, this machine's user and the project folder's owner.

    Docker Desktop and Podman machine map owners themselves. In a rootless Docker the container's uid 0 *is* the user
    outside; a rootless Podman can keep the user's own id. On a dock the project's copy belongs to the user of there.
    """
    name = _account(facts.user)
    if facts.desktop:
        return _user(1000, 1000, name)
    if facts.rootless:
        if facts.engine == "podman":
            return _user(facts.uid, facts.gid, name, userns="keep-id")
        return _user(0, 0, "root")
    if facts.uid != 0:
        return _user(facts.uid, facts.gid, name)
    if owner is not None and owner[0] != 0 and facts.dock is None:
        return _user(*owner, "user" if name == "root" else name)
    return _user(
        0,
        0,
        "root",
        notice="You are root and so is the project: the container runs as uid 0 without any capability.",
    )


def _user(uid: int, gid: int, name: str, *, userns: str | None = None, notice: str = "") -> ContainerUser:
    home = "/root" if uid == 0 else f"/home/{name}"
    return ContainerUser(uid, gid, "root" if uid == 0 else name, home, userns, notice)


def _account(user: str) -> str:
    """A POSIX account name: domain accounts and e-mail addresses have characters that passwd has not."""
    return re.sub(r"[^a-z0-9_-]", "-", user.lower()).strip("-")[:32] or "user"
