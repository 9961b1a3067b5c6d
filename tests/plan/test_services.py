"""What a Compose file comes to: services, their order, their networks, as both Composes print them."""

from typing import Any

import pytest

from workbench.errors import ConfigError
from workbench.model import Mount, ServiceUse, Web
from workbench.plan.services import ALL, Stack, companions, in_order, mounted, moved, stack, wanted

MODERN: dict[str, Any] = {
    "name": "shop",
    "networks": {"default": {"name": "shop_default", "ipam": {}}, "back": {"name": "shop_back", "ipam": {}}},
    "services": {
        "app": {
            "command": None,
            "depends_on": {
                "db": {"condition": "service_healthy", "required": True},
                "seed": {"condition": "service_completed_successfully", "required": True},
                "trace": {"condition": "service_started", "required": False},
            },
            "image": "app",
            "networks": {"default": None, "back": {"aliases": ["api"]}},
        },
        "db": {"healthcheck": {"test": ["CMD", "true"]}, "image": "db", "networks": {"back": None}},
        "seed": {"depends_on": {"db": {"condition": "service_healthy"}}, "image": "db", "network_mode": "service:db"},
        "tools": {"image": "t", "networks": {"default": None}, "profiles": ["debug", "dev"]},
        "quiet": {"healthcheck": {"disable": True}, "image": "q", "networks": {"default": None}},
    },
    "volumes": {"data": {"name": "shop_data"}, "far": {"external": True, "name": "others"}},
}
"""As version 2 prints it (`config --format json`)."""
OLD: dict[str, Any] = {
    "services": {
        "app": {"depends_on": ["db"], "image": "app", "links": ["cache:c"], "volumes": ["data:/d:rw", "/srv/p:/p:ro"]},
        "cache": {"image": "c", "network_mode": "none"},
        "db": {"image": "db", "networks": {"back": None}},
        "job": {"depends_on": {"db": {"condition": "service_healthy"}}, "image": "j", "volumes_from": ["cache:ro"]},
        "side": {"image": "s", "ipc": "service:db", "pid": "service:cache", "volumes_from": ["container:foreign"]},
    },
    "version": "3.9",
    "networks": {"back": {}, "out": {"external": True, "name": "lan"}},
    "volumes": {"data": {}, "far": {"external": {"name": "others"}}, "farther": {"external": True}},
}
"""As version 1.29 prints it."""


def test_version_2() -> None:
    found = stack(MODERN, "folder")
    assert found.name == "shop"
    assert found.networks == {"default": "shop_default", "back": "shop_back"}
    assert found.volumes == {"data": "shop_data", "far": "others"}
    assert found.services["app"].networks == ("default", "back")
    assert found.services["seed"].networks == ()
    assert found.services["tools"].profiles == ("debug", "dev")
    assert [name for name, each in found.services.items() if each.has_health] == ["db"]
    assert found.services["seed"].depends == {"db": "service_healthy"}


def test_version_1() -> None:
    found = stack(OLD, "folder")
    assert found.name == "folder"
    assert found.networks == {"default": "folder_default", "back": "folder_back", "out": "lan"}
    assert found.volumes == {"data": "folder_data", "far": "others", "farther": "farther"}
    assert found.services["app"].networks == ("default",)
    assert found.services["cache"].networks == ()
    assert found.services["app"].depends == {"cache": "service_started", "db": "service_started"}
    assert found.services["job"].depends == {"cache": "service_started", "db": "service_healthy"}
    assert found.services["side"].depends == {"cache": "service_started", "db": "service_started"}


def test_a_service_that_need_not_be_there_is_not_waited_for() -> None:
    assert stack(MODERN, "p").services["app"].depends == {
        "db": "service_healthy",
        "seed": "service_completed_successfully",
    }


@pytest.mark.parametrize("document", [{}, {"services": None}, {"services": {"a": None}, "networks": None}])
def test_what_says_nothing_comes_to_nothing(document: dict[str, Any]) -> None:
    found = stack(document, "p")
    assert found.networks == {"default": "p_default"}
    assert [each.networks for each in found.services.values()] == [("default",)] * len(found.services)


def test_each_comes_after_those_that_it_needs() -> None:
    assert in_order(stack(MODERN, "p"), ("app", "tools")) == ("db", "seed", "app", "tools")
    assert in_order(stack(OLD, "p"), ("side", "app")) == ("db", "cache", "side", "app")
    assert in_order(stack(MODERN, "p"), ("db", "db")) == ("db",)


def test_an_order_without_a_beginning_ends() -> None:
    circle = {name: {"depends_on": [other]} for name, other in (("a", "b"), ("b", "c"), ("c", "a"))}
    assert sorted(in_order(stack({"services": circle}, "p"), ("a",))) == ["a", "b", "c"]


def use(**said: Any) -> ServiceUse:
    return ServiceUse(**said)


def test_what_is_named_is_wanted_once_and_in_its_order() -> None:
    found = stack(MODERN, "p")
    assert wanted(found, {"tools": use(), "db": use(), "app": use(start=False)}) == ("tools", "db")


def test_all_are_those_that_compose_would_start() -> None:
    found = stack(MODERN, "p")
    usual = ("app", "db", "seed", "quiet")
    assert wanted(found, {ALL: use()}) == usual
    assert wanted(found, {ALL: use()}, ["other"]) == usual
    assert {*wanted(found, {ALL: use()}, ["dev"])} == {*usual, "tools"}
    assert {*wanted(found, {ALL: use()}, ["*"])} == {*usual, "tools"}
    assert wanted(found, {ALL: use(start=False)}) == ()
    # A profile keeps a service from `all`, not from its own name.
    assert wanted(found, {ALL: use(), "tools": use()}) == (*usual, "tools")
    assert wanted(found, {ALL: use(), "db": use(start=False)}) == usual


@pytest.mark.parametrize("start", [True, False])
def test_an_unknown_service_is_refused_with_the_one_that_is_meant(start: bool) -> None:
    with pytest.raises(ConfigError, match="no service 'dbb'") as refused:
        wanted(stack(MODERN, "p"), {"dbb": use(start=start)})
    assert refused.value.hint == "Did you mean `db`?"
    with pytest.raises(ConfigError) as refused:
        wanted(stack(MODERN, "p"), {"zzzz": use()})
    assert refused.value.hint == "Known are: app, db, quiet, seed, tools."


def test_a_workbench_is_in_the_networks_of_those_that_it_wants() -> None:
    web = Web("app", 80)
    uses = {
        "app": use(env={"APP": "http://app"}, volumes={"data": "/data", "far": "/far"}, web=web, restart=True),
        "db": use(env={"DB": "db"}, start=False),
        "tools": use(env={"TOOLS": "not this time"}, volumes={"missing": "/x"}),
    }
    found = companions(stack(MODERN, "p"), uses, ("app",))
    assert found.stack == "shop"
    assert found.names == ("db", "seed", "app")
    assert found.networks == ("shop_default", "shop_back")
    assert found.mounts == (
        Mount("shop_data", "/data", kind="volume", external=True),
        Mount("others", "/far", kind="volume", external=True),
    )
    assert found.env == {"APP": "http://app"}
    assert (found.web, found.restart) == ((web,), ("app",))


def test_a_service_without_a_network_of_its_own_is_in_none() -> None:
    assert companions(stack(MODERN, "p"), {}, ("seed",)).networks == ()
    assert companions(stack(OLD, "p"), {}, ("cache", "db", "app")).networks == ("p_back", "p_default")


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        (stack(MODERN, "p"), "Did you mean `data`?"),
        (stack({"services": {"app": {}}}, "p"), "They use none."),
    ],
)
def test_an_unknown_volume_is_refused(found: Stack, hint: str) -> None:
    with pytest.raises(
        ConfigError, match=r"`services.app.volumes`: no service of the Compose file uses a volume 'dta'"
    ) as refused:
        companions(found, {"app": use(volumes={"dta": "/x"})}, ("app",))
    assert refused.value.hint == hint


@pytest.mark.parametrize(
    ("said", "parts"),
    [
        ({"type": "bind", "source": "/a", "target": "/b"}, ("bind", "/a", "/b", "")),
        ({"type": "tmpfs", "target": "/b"}, ("tmpfs", "", "/b", "")),
        ({"source": "v", "target": "/b"}, ("volume", "v", "/b", "")),
        ("/a:/b:ro,z", ("bind", "/a", "/b", ":ro,z")),
        ("./a:/b", ("bind", "./a", "/b", "")),
        ("~/a:/b", ("bind", "~/a", "/b", "")),
        ("v:/b:rw", ("volume", "v", "/b", ":rw")),
        ("/b", ("volume", "", "/b", "")),
    ],
)
def test_a_volume_in_both_forms(said: object, parts: tuple[str, ...]) -> None:
    assert mounted(said) == parts


def test_on_another_machine_the_folders_of_the_project_are_those_of_its_copy() -> None:
    document = {
        "name": "p",
        "services": {
            "a": {
                "image": "x",
                "volumes": [
                    {"type": "bind", "source": "/srv/p", "target": "/p", "bind": {"create_host_path": True}},
                    {"type": "bind", "source": "/srv/p2", "target": "/2"},
                    {"type": "volume", "source": "v", "target": "/v"},
                    "/srv/p/data:/d:ro",
                    "/etc:/e",
                    "/anonymous",
                ],
            },
            "b": None,
        },
        "volumes": {"v": None},
    }
    found = moved(document, "/srv/p", "/home/dock/p")
    assert found["services"]["a"]["volumes"] == [
        {"type": "bind", "source": "/home/dock/p", "target": "/p", "bind": {"create_host_path": True}},
        {"type": "bind", "source": "/srv/p2", "target": "/2"},
        {"type": "volume", "source": "v", "target": "/v"},
        "/home/dock/p/data:/d:ro",
        "/etc:/e",
        "/anonymous",
    ]
    assert found["services"]["a"]["image"] == "x"
    assert (found["name"], found["volumes"], found["services"]["b"]) == ("p", {"v": None}, {})
    assert document["services"]["a"]["volumes"][3] == "/srv/p/data:/d:ro"  # type: ignore[index]
