"""What only this server may know: the token, and how the outside network is reached. Nothing of it is ever logged."""

import json
import os
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

POINTERS: Mapping[str, tuple[str, ...]] = {
    "ca.pem": (
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "PIP_CERT",
        "GIT_SSL_CAINFO",
        "NODE_EXTRA_CA_CERTS",
        "AWS_CA_BUNDLE",
    ),
    "pip.conf": ("PIP_CONFIG_FILE",),
    "netrc": ("NETRC",),
    "uv.toml": ("UV_CONFIG_FILE",),
}
"""Which variables make programs use a delivered file."""


class Delivery(NamedTuple):
    """The delivery's content. `files` are known by the names in `POINTERS`."""

    token: str
    env: Mapping[str, str]
    files: Mapping[str, str]
    returning: bool = False
    """Whether notebooks in open tabs wait for their kernels to come back."""

    def __repr__(self) -> str:
        return "Delivery(...)"


class NoDeliveryError(Exception):
    """The launcher has not delivered the token in time, or something that is not a delivery."""


def wait_for(run: Path, patience: float = 60.0) -> Delivery:
    """Wait until `delivery.json` lies in the run folder, at most `patience` seconds; take it away and keep the token.

    The token stays in `token` (0600), for the launcher to read it back.
    """
    source = run / "delivery.json"
    deadline = time.monotonic() + patience
    while not source.exists():
        if time.monotonic() > deadline:
            raise NoDeliveryError(f"No token and settings came within {patience:.0f} s; start it with `run-notebook`.")
        time.sleep(0.005)
    delivery = _parse(source.read_bytes())
    write_private(run / "token", delivery.token)
    source.unlink()
    return delivery


def apply(delivery: Delivery, run: Path) -> dict[str, str]:
    """Write the delivered files (0600, in the run folder); returns the variables for kernels and terminals."""
    variables = dict(delivery.env)
    for name, text in delivery.files.items():
        if name not in POINTERS:
            raise NoDeliveryError("A file of an unknown name came; start it with `run-notebook` of the same version.")
        path = run / name
        write_private(path, text)
        variables.update(dict.fromkeys(POINTERS[name], str(path)))
    if "ca.pem" in delivery.files:
        variables["UV_SYSTEM_CERTS"] = "1"
    # For shells and commands that an engine starts beside the server, which has not told them.
    lines = (f"export {name}={shlex.quote(value)}\n" for name, value in variables.items() if name.isidentifier())
    write_private(run / "variables.sh", "".join(lines))
    return variables


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read (0600), whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


def _parse(raw: bytes) -> Delivery:
    try:
        value = json.loads(raw)
        delivery = Delivery(
            value["token"], dict(value.get("env") or {}), dict(value.get("files") or {}), bool(value.get("returning"))
        )
    except (ValueError, KeyError, TypeError):
        # Without the cause: a parser's message may quote the content.
        raise NoDeliveryError("What came is not a token with settings; start it with `run-notebook`.") from None
    if not isinstance(delivery.token, str) or len(delivery.token) < 16:
        raise NoDeliveryError("The token that came is too short; start it with `run-notebook`.")
    return delivery
