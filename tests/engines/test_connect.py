"""Which engine a launch gets, and what it says about those that it did not get. No engine is needed."""

import hashlib
import json

import pytest

from workbench import engines
from workbench.errors import NoEngineError


@pytest.fixture
def nowhere(tmp_path):
    """An environment in which Docker's context leads to a socket that is gone, and the user has no Podman."""
    key = hashlib.sha256(b"gone").hexdigest()
    folder = tmp_path / ".docker/contexts/meta" / key
    folder.mkdir(parents=True)
    endpoints = {"docker": {"Host": f"unix://{tmp_path}/gone.sock"}}
    (folder / "meta.json").write_text(json.dumps({"Name": "gone", "Endpoints": endpoints}))
    (tmp_path / ".docker/config.json").write_text('{"currentContext": "gone"}')
    return {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}


def test_a_fall_back_is_told_in_one_line_with_its_cause(nowhere):
    engine, (notice,) = engines.connect("auto", nowhere)
    assert "gone.sock) does not answer: nothing listens there." in notice
    assert "\n" not in notice
    if engine.name == "local":
        assert notice.startswith("No container isolation")
    else:  # This machine has a Podman for everybody.
        assert (engine.name, notice.endswith("Using Podman instead.")) == ("podman", True)


def test_a_broken_context_is_a_reason_to_fall_back_but_not_from_docker(nowhere, tmp_path):
    (tmp_path / ".docker/config.json").write_text('{"currentContext": "nowhere"}')
    engine, (notice,) = engines.connect("auto", nowhere)
    assert engine.name != "docker"
    assert "context nowhere does not exist" in notice
    with pytest.raises(NoEngineError, match="context nowhere does not exist"):
        engines.connect("docker", nowhere)


def test_podman_never_falls_back(nowhere):
    with pytest.raises(NoEngineError, match="CONTAINER_HOST") as refused:
        engines.connect("podman", {**nowhere, "CONTAINER_HOST": f"unix://{nowhere['HOME']}/podman.sock"})
    assert refused.value.exit_code == 3


def test_a_chosen_address_that_is_wrong_is_an_error_for_auto_too(nowhere):
    with pytest.raises(NoEngineError, match="is no address of Docker"):
        engines.connect("auto", {**nowhere, "DOCKER_HOST": "docker.sock"})


@pytest.mark.parametrize("kind", ["local", "fake"])
def test_the_others_need_nothing(kind, nowhere):
    engine, notices = engines.connect(kind, nowhere)
    assert (engine.name, notices) == (kind, ())
