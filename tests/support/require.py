"""Ask for something real that a test needs. `tests/run.py` provides it; what it could not provide skips, or fails."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

ALL = "WORKBENCH_TEST_REQUIRE"
"""Set to `all`, whatever is missing fails its tests instead of skipping them."""

THINGS = {
    "docker": "WORKBENCH_TEST_DOCKER_HOST",
    "docker-cli": "WORKBENCH_TEST_DOCKER_CLI",
    "compose": "WORKBENCH_TEST_COMPOSE",
    "podman": "WORKBENCH_TEST_PODMAN_HOST",
    "registry": "WORKBENCH_TEST_REGISTRY",
    "locked-registry": "WORKBENCH_TEST_LOCKED_REGISTRY",
    "dock": "WORKBENCH_TEST_DOCK",
    "dock-engine": "WORKBENCH_TEST_DOCK_HOST",
    "dock-ssh": "WORKBENCH_TEST_DOCK_SSH",
    "dock-registry": "WORKBENCH_TEST_DOCK_REGISTRY",
    "user": "WORKBENCH_TEST_USER",
    "chromium": "WORKBENCH_TEST_CHROMIUM",
    "base-image": "WORKBENCH_TEST_BASE_IMAGE",
    "bin": "WORKBENCH_TEST_BIN",
    "nvidia": "WORKBENCH_TEST_NVIDIA",
}
"""What can be asked for -> the variable that holds its address.

`docker`, `podman`: a `DOCKER_HOST` value. `docker-cli`: folder of a docker client that can build with BuildKit.
`compose`: folder of Compose 2, as docker's plugin; version 1 is on the system's PATH.
`registry`: `host:port`. `user`: name of a normal user who may use the docker socket. `chromium`: path of the
browser. `base-image`: an image that both engines have. `bin`: folder of the installed `run-notebook` and `workbench`.
`nvidia`: folder of NVIDIA's programs for PATH, which are stand-ins on a machine without a GPU; the engines know them.
`locked-registry`: `host:port` of a registry that asks for a name and a password (`support.dock.LOCKED_LOGIN`).
`dock`: address of a second machine, see `support/dock.py`.
`dock-engine`: a `DOCKER_HOST` value of that machine's engine, without ssh.
`dock-ssh`: folder with a key that the dock's sshd lets in, its host key, and an `ssh` for PATH that reads `$HOME`.
`dock-registry`: host name of the registry that only the dock's engine reaches; it asks for `support.dock.AWS_LOGIN`.
"""


def require(name: str) -> str:
    """Return the address (or name, or path) of the thing, or end the test with the reason why it is not there."""
    variable = THINGS[name]
    if value := os.environ.get(variable):
        return value
    why = os.environ.get(variable + "_WHY") or f"{variable} is not set; run the tests with `python3 tests/run.py`"
    return absent(f"no {name}: {why}")


def absent(reason: str) -> NoReturn:
    """End the test because something real is missing: a skip, or a failure where everything is asked for."""
    __tracebackhide__ = True
    if os.environ.get(ALL) == "all":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def tool(name: str) -> Path:
    """Path of one of the installed commands (`run-notebook`, `workbench`)."""
    path = Path(require("bin")) / name
    if not path.exists():
        absent(f"{path} does not exist: the package is not installed there")
    return path
