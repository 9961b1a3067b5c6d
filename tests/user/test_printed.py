"""The printed commands do the same as the product: the containers of both are held against each other."""

import os
from pathlib import Path
from typing import Any

import pytest
from support.engines import Container
from support.person import MakePerson, Person
from support.require import require, tool

CHANCE = ("Id", "Created", "State", "GraphDriver", "NetworkSettings", "ExecIDs", "RestartCount")
"""What two containers never share."""


def essence(found: dict[str, Any]) -> dict[str, Any]:
    """What a container was told, without what chance and time add."""
    kept = {key: value for key, value in found.items() if key not in CHANCE and not key.endswith("Path")}
    # The client leaves out what the library sends empty, and the other way round.
    for section in ("Config", "HostConfig"):
        kept[section] = {key: value for key, value in found[section].items() if value not in (None, [], {}, "")}
    kept["Config"]["Env"].sort()
    kept["Networks"] = sorted(found["NetworkSettings"]["Networks"])
    kept["Mounts"] = sorted(map(str, found["Mounts"]))
    return kept


# One after the other: docker's client, unlike the product, makes a network twice when two make it at once.
@pytest.mark.xdist_group("printed")
@pytest.mark.parametrize("device", ["cpu", "gpu", "gpu:0"])
def test_printed_commands_make_the_same_container(device: str, somebody: MakePerson) -> None:
    me = somebody("docker", normal=True)
    # Each its own image: projects of one name share the tag.
    project = me.project("requirements-only", f"with space, and 'quote' {device.replace(':', '-')}")
    options = ("--memory", "2g", "--cpus", "1.5", "--env", 'GREETING=say "hi" to $HOME', "--device", device)
    env = {
        "PATH": os.pathsep.join([str(tool("workbench").parent), require("nvidia"), os.environ["PATH"]]),
        "WORKBENCH_RESTART": "on-failure:3",
        "WORKBENCH_LOG_MAX_FILE": "2",
    }

    script = me.run("run-notebook", "--dry-run", *options, cwd=project, env=env).ok().out
    me.write(me.folder / "printed.sh", script)
    by_hand = typed(me, project)
    first = essence(me.engine.inspect(by_hand.id))

    remove(me, by_hand.id)
    bench = me.launch(project, *options, env=env)
    second = essence(me.engine.inspect(bench.container))

    for key in first | second:
        assert first.get(key) == second.get(key), key
    asked = ("Runtime", "DeviceRequests")
    assert (device != "cpu") == any(second["HostConfig"].get(key) not in (None, "runc") for key in asked)
    bench.jupyter.run("import slugify, os; assert os.environ['GREETING'] == 'say \"hi\" to $HOME'")


def typed(me: Person, project: Path) -> Container:
    """The container of the commands, typed again when the network went with another test's last workbench."""
    for _ in range(5):
        done = me.run("bash", me.folder / "printed.sh", cwd=project)
        if "network workbench not found" not in done.err:
            done.ok()
            break
        for half_made in me.containers():
            remove(me, half_made.id)
    return me.containers()[0]


def remove(me: Person, id: str) -> None:
    me.engine.docker("rm", "--force", "--volumes", id)
