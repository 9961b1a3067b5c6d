"""Words of real engines -> which of our errors, and what the hint says."""

import pytest

from workbench.engines import builder
from workbench.engines.base import NameTaken, NoGpu, PortTaken
from workbench.engines.failures import Absent, Ambiguous, InUse, pull_refusal, refusal, unmet
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
HOOK = (
    "failed to create task: OCI runtime create failed: error running hook #0: exit status 1, stdout: , stderr: "
    "nvidia-container-cli: initialization error: nvml error: driver/library version mismatch"
)
STALE = "failed to fulfil mount request: open /usr/lib/x86_64-linux-gnu/libEGL_nvidia.so.535.104: no such file"
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
        (409, "renaming container 1: name x already in use, cannot rename: container already exists", NameTaken, "of"),
        (500, "write /var/lib/docker/tmp/x: no space left on device", EngineError, "workbench prune"),
        (500, 'could not select device driver "" with capabilities: [[gpu]]', NoGpu, "runtime configure"),
        (400, 'unknown or invalid runtime name: nvidia', NoGpu, "nvidia-ctk runtime configure"),
        (400, 'Unknown runtime specified nvidia', NoGpu, "nvidia-ctk runtime configure"),
        (500, 'could not select device driver "cdi" with capabilities: []', NoGpu, "nvidia-ctk cdi generate"),
        (500, "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=9", NoGpu, "cdi generate"),
        (125, "setting up CDI devices: unresolvable CDI devices nvidia.com/gpu=all", NoGpu, "cdi generate"),
        (500, STALE, NoGpu, "nvidia-smi"),
        (500, HOOK, NoGpu, "nvidia-smi"),
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


WORDS = ("Installed 1 package", "The GPU environment: x", "error: No solution found", "  cause: Because x is not there")
LAST = ("error: The GPU environment cannot be made.", "hint: Correct `packages`.")


@pytest.mark.parametrize(
    ("words", "detail"),
    [
        ((*WORDS, *LAST), WORDS[2:]),
        ((*WORDS[2:], *LAST, "Error: building at STEP"), WORDS[2:]),
        (("The CPU environment: y", *WORDS, *LAST), WORDS[2:]),
        (LAST, ()),
    ],
)
def test_the_environment_of_a_device_speaks_for_itself(words, detail):
    error = unmet(words)
    assert (error.message, error.hint) == ("The GPU environment cannot be made.", "Correct `packages`.")
    assert error.detail == detail


def test_other_failures_are_no_matter_of_a_device():
    assert unmet(("The GPU environment: x", "no space left on device")) is None


@pytest.mark.parametrize(
    "words",
    [
        "Error: identifier is not a container: checking if cached image exists: layer not known",
        "Error: chdir /var/lib/containers/storage/overlay/1c0f/merged: no such file or directory",
        'Error: creating image "f0be": layer not known',
        'Error: building at STEP "RUN true": while running runtime: signal: killed',
    ],
)
def test_what_podman_spoils_by_itself_is_told_from_other_failures(words):
    assert builder.MISHAP["podman"].search(words)
    assert not builder.MISHAP["podman"].search(
        'Error: building at STEP "RUN kill": while running runtime: exit status 137'
    )
    assert not builder.MISHAP["podman"].search('Error: building at STEP "RUN false": exit status 1')
    assert not builder.MISHAP["podman"].search("python: can't open file '/x': [Errno 2] No such file or directory")


def test_dockers_own_mishap() -> None:
    assert builder.MISHAP["docker"].search("#9 ERROR: no active sessions")
    assert builder.MISHAP["docker"].search("RUN something\nno active sessions")
    assert not builder.MISHAP["docker"].search("there are no active sessions of the harbour")
