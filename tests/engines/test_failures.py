"""Words of real engines -> which of our errors, and what the hint says."""

import pytest

from workbench.engines.base import NameTaken, PortTaken
from workbench.engines.failures import Absent, Ambiguous, InUse, pull_refusal, refusal
from workbench.errors import EngineError

DOCKER_PORT = (
    "driver failed programming external connectivity on endpoint workbench-x (7d5): Bind for 127.0.0.1:20001 failed: "
    "port is already allocated"
)
DOCKER_PORT_OF_ANOTHER = (
    "driver failed programming external connectivity on endpoint x: Error starting userland proxy: listen tcp4 "
    "127.0.0.1:20001: bind: address already in use"
)
PODMAN_PORT = "cannot listen on the TCP port: listen tcp4 127.0.0.1:20001: bind: address already in use"
POOLS = "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network"


@pytest.mark.parametrize("text", [DOCKER_PORT, DOCKER_PORT_OF_ANOTHER, PODMAN_PORT])
def test_a_taken_port_is_known_in_every_engines_words(text):
    error = refusal(500, text, "Docker")
    assert type(error) is PortTaken
    assert "20001" in error.message
    assert "--port" in error.hint


@pytest.mark.parametrize(
    ("status", "text", "kind", "said"),
    [
        (409, 'Conflict. The container name "/x" is already in use by container "1"', NameTaken, "of that name"),
        (500, 'creating container storage: the container name "x" is already in use by 1', NameTaken, "of that name"),
        (500, "write /var/lib/docker/tmp/x: no space left on device", EngineError, "workbench prune"),
        (500, "could not select device driver with capabilities: [[gpu]]", EngineError, "NVIDIA Container Toolkit"),
        (400, 'unknown or invalid runtime name: nvidia', EngineError, "NVIDIA Container Toolkit"),
        (400, 'invalid mount config for type "bind": bind source path does not exist: /p', EngineError, "Desktop"),
        (500, POOLS, EngineError, "network prune"),
        (404, "No such image: x:me", Absent, "again"),
        (404, "No such container: x", Absent, "No such container"),
        (409, "Container 1 is not running", InUse, "is not running"),
        (403, "error while removing network: network x id 1 has active endpoints", InUse, "active endpoints"),
        (400, "network workbench is ambiguous (2 matches found on name)", Ambiguous, "again"),
        (400, "client version 1.41 is too old. Minimum supported API version is 1.44", EngineError, "Upgrade"),
        (500, "", EngineError, "status 500"),
    ],
)  # fmt: skip
def test_refusals(status, text, kind, said):
    error = refusal(status, text, "Docker")
    assert type(error) is kind
    assert said in f"{error.message} {error.hint}"
    assert error.hint


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("pull access denied for x, repository does not exist or may require 'docker login'", "needs a login"),
        ("unauthorized: authentication required", "needs a login"),
        ("manifest for x:9 not found: manifest unknown: manifest unknown", "does not exist"),
        ('short-name "x:1" did not resolve to an alias', "does not exist"),
        ("Get https://registry-1.docker.io/v2/: dial tcp: lookup registry-1.docker.io: no such host", "be reached"),
        ("Get https://r/v2/: x509: certificate signed by unknown authority", "be reached"),
        ("failed to register layer: write /x: no space left on device", "disk of Docker is full"),
        ("toomanyrequests: You have reached your pull rate limit", "refused"),
    ],
)
def test_why_a_pull_failed(text, why):
    error = pull_refusal(text, "x:1", "Docker")
    assert why in error.message
    assert error.detail == (text,)
