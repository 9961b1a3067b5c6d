"""A class of students on one machine: more workbenches than Docker's default address pools have networks."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.person import MakePerson

MANY = 35


@pytest.mark.xdist_group("many")
def test_thirty_five_at_once(somebody: MakePerson) -> None:
    me = somebody("docker")
    projects = [me.project("notebooks-only", f"student-{number}") for number in range(MANY)]
    with ThreadPoolExecutor(4) as pool:
        benches = list(pool.map(me.launch, projects))
    assert len({bench.port for bench in benches}) == MANY
    assert len({bench.token for bench in benches}) == MANY
    running = [each for each in me.containers() if each.state == "running"]
    assert len(running) == MANY
    for bench in benches:
        assert bench.jupyter.call("GET", "api/status")["kernels"] == 0
    assert {each["name"] for each in me.listed()} == {bench.name for bench in benches}
