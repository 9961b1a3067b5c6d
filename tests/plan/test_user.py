"""Whom the container's processes are, as a table over engines and owners."""

from dataclasses import replace

import pytest

from tests.plan.values import DOCKER
from workbench.plan.user import container_user

ROOT = replace(DOCKER, uid=0, gid=0, user="root")
CASES = [
    ("a user of a system engine", DOCKER, (1000, 1000), (1000, 1000, "ada", "/home/ada", None)),
    ("another owner changes nothing for a user", DOCKER, (7, 7), (1000, 1000, "ada", "/home/ada", None)),
    ("Docker Desktop maps owners", replace(DOCKER, os="darwin", desktop=True, uid=501, gid=20), (501, 20),
     (1000, 1000, "ada", "/home/ada", None)),
    ("Windows has no owners", replace(DOCKER, os="windows", desktop=True, uid=0, gid=0), None,
     (1000, 1000, "ada", "/home/ada", None)),
    ("rootless Docker: uid 0 inside is the user outside", replace(DOCKER, rootless=True), (1000, 1000),
     (0, 0, "root", "/root", None)),
    ("rootless Podman keeps the id", replace(DOCKER, engine="podman", rootless=True), (1000, 1000),
     (1000, 1000, "ada", "/home/ada", "keep-id")),
    ("root takes the project's owner", ROOT, (1234, 1235), (1234, 1235, "user", "/home/user", None)),
    ("root in root's project", ROOT, (0, 0), (0, 0, "root", "/root", None)),
    ("a domain account", replace(DOCKER, user="CORP\\Ada.L"), (1000, 1000),
     (1000, 1000, "corp-ada-l", "/home/corp-ada-l", None)),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "owner", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_container_user(facts, owner, expected):
    user = container_user(facts, owner)
    assert (user.uid, user.gid, user.name, user.home, user.userns) == expected


def test_only_root_in_a_root_project_is_told():
    assert "without any capability" in container_user(ROOT, (0, 0)).notice
    assert container_user(ROOT, (1000, 1000)).notice == ""
    assert container_user(DOCKER, (0, 0)).notice == ""
