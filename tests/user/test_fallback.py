"""A GPU that everything speaks for and that the engine cannot give in the end: a driver of another version, say."""

import json
import os

import pytest
from support.person import MakePerson
from support.require import require

NONE_SUCH = ("--env", "NVIDIA_VISIBLE_DEVICES=99")
"""Has NVIDIA's runtime refuse, and the stand-in for it likewise."""


def test_auto_starts_without_it_and_a_wish_for_it_fails(somebody: MakePerson) -> None:
    me = somebody("docker")
    if json.loads(me.engine.docker("info", "--format", "{{json .}}")).get("CDISpecDirs"):
        pytest.skip("this Docker asks no runtime for GPUs")
    project = me.project("notebooks-only")
    env = {"PATH": os.pathsep.join((require("nvidia"), me.environment({})["PATH"]))}
    launch = ("run-notebook", "-d", "--no-browser", *NONE_SUCH)

    text = me.run(*launch, "--gpu", cwd=project, env=env).fails(4)
    assert "could not put the GPU into the container" in text
    assert not me.containers()

    started = me.run(*launch, cwd=project, env=env).ok()
    assert "Without a GPU: The NVIDIA Container Toolkit could not put the GPU" in started.err
    (container,) = me.containers()
    assert me.engine.inspect(container.id)["HostConfig"]["Runtime"] == "runc"

    again = me.run(*launch, cwd=project, env=env).ok()
    assert "Changed since" not in again.err
    assert [each.id for each in me.containers()] == [container.id]
