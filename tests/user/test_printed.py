"""The printed commands do the same as the product: the containers of both are held against each other."""

from typing import Any

import pytest
from support.person import MakePerson, Person

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


@pytest.mark.parametrize("engine", ["docker"])
def test_printed_commands_make_the_same_container(engine: str, somebody: MakePerson) -> None:
    me = somebody(engine, normal=True)
    project = me.project("requirements-only", "with space, and 'quote'")
    options = ("--memory", "2g", "--cpus", "1.5", "--env", 'GREETING=say "hi" to $HOME')

    script = me.run("run-notebook", "--dry-run", *options, cwd=project).ok().out
    me.write(me.folder / "printed.sh", script)
    me.run("bash", me.folder / "printed.sh", cwd=project).ok()
    by_hand = me.containers()[0]
    first = essence(me.engine.inspect(by_hand.id))

    remove(me, by_hand.id)
    bench = me.launch(project, *options)
    second = essence(me.engine.inspect(bench.container))

    for key in first | second:
        assert first.get(key) == second.get(key), key
    bench.jupyter.run("import slugify, os; assert os.environ['GREETING'] == 'say \"hi\" to $HOME'")


def remove(me: Person, id: str) -> None:
    me.engine.docker("rm", "--force", "--volumes", id)
