"""How a service with several containers is told, and that what is told of many has room."""

from typing import Any

import pytest

from tests.agent.ground import Ground
from workbench.agent.services import NotApproved, condition, may_restart, told
from workbench.inside import wire
from workbench.model import Companions, ServiceState, Web


def container(**more: Any) -> ServiceState:
    return ServiceState("id", "tides-db-1", "tides", "db", "/tides", **{"state": "running", **more})


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ({"state": "stopped", "exit_code": 1}, {"health": "unhealthy"}),
        ({"state": "dead"}, {}),
        ({"health": "unhealthy"}, {"health": "starting"}),
        ({"health": "starting"}, {"state": "stopped", "exit_code": 0}),
        ({"state": "stopped", "exit_code": 0}, {"health": "healthy"}),
    ],
)
def test_a_service_is_as_well_as_the_worst_of_it(worse: dict[str, Any], better: dict[str, Any]) -> None:
    for both in ([worse, better], [better, worse]):
        found = condition(container(**each) for each in both)
        assert {key: found[key] for key in worse} == worse


def test_ports_of_all_are_told_up_to_some() -> None:
    assert condition([container(ports=("a",)), container(ports=("b", "c"))])["ports"] == ["a", "b", "c"]
    many = condition([container(ports=tuple(f"127.0.0.1:{port}->{port}/tcp" for port in range(50_000, 50_500)))])
    assert many["ports"][7:] == ["127.0.0.1:50007->50007/tcp", "and 492 more"]


def test_what_is_told_of_as_many_as_there_can_be_is_one_line(ground: Ground) -> None:
    names = tuple(f"a-service-with-a-rather-long-name-{number}" for number in range(100))
    web = tuple(Web(name, 80, "A title that says what this is " * 3, "/and/where/it/is?") for name in names)
    ground.beside(Companions("tides", names, web=web, restart=names))
    for name in names:
        ground.container(
            name, health="unhealthy", ports=tuple(f"127.0.0.1:{port}->{port}/tcp" for port in range(50_000, 50_100))
        )
    services = told(ground.engine, ground.state)
    assert [each["name"] for each in services] == list(names[: wire.SERVICES])
    assert len(wire.encode(wire.event("status", status={"services": services}))) < wire.LINE - 4096


@pytest.mark.parametrize(("name", "key"), [("db", "db"), ("my.db", '"my.db"')])
def test_what_is_to_be_written_is_toml(ground: Ground, name: str, key: str) -> None:
    ground.beside(Companions("tides", (name,)))
    with pytest.raises(NotApproved) as refused:
        may_restart(ground.state, 0)
    assert f"[tool.workbench.services.{key}]" in refused.value.hint


def test_a_workbench_without_services_has_none_to_restart(ground: Ground) -> None:
    with pytest.raises(NotApproved, match="no service 0"):
        may_restart(ground.state, 0)
