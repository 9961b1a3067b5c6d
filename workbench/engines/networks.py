"""Networks and volumes of workbenches: made when they are missing, removed when nothing uses them."""

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from workbench.engines.base import NameTaken
from workbench.engines.failures import Absent, InUse
from workbench.engines.report import is_ours
from workbench.errors import EngineError
from workbench.model import Bridge, ContainerRun
from workbench.plan import commands

if TYPE_CHECKING:
    from workbench.engines.sdk import Client

Entry = Mapping[str, Any]


def have_network(client: "Client", bridge: Bridge) -> bool:
    """Have the network, also when many do so at the same moment. True when this call made it.

    Raises `NameTaken` when a network of that name is not ours or does not keep its containers apart.
    """
    for _ in range(5):
        same = _named(client, bridge.name)
        if same:
            _check(client, bridge, same[0])
            _leave_one(client, same)
            return False
        try:
            _create(client, bridge)
        except InUse:
            # Made by another one since we looked.
            continue
        if len(_named(client, bridge.name)) == 1:
            return True
    raise EngineError(f"The network {bridge.name} cannot be made: it keeps going away.", "Run the same command again.")


def _leave_one(client: "Client", same: list[Entry]) -> None:
    """Where two were made at once all agree which stays: the one in use, else the oldest. Who lost his starts again."""
    if len(same) == 1:
        return
    with suppress(Absent):
        used = [network["Id"] for network in same if client.inspect_network(network["Id"])["Containers"]]
        kept = used or [same[0]["Id"]]
        for network in same:
            if network["Id"] not in kept:
                with suppress(InUse, Absent):
                    client.remove_network(network["Id"])


def have_volumes(client: "Client", run: ContainerRun) -> list[str]:
    """Have the volumes, labelled; returns those that this call made."""
    made = []
    for name in commands.volumes(run):
        try:
            client.inspect_volume(name)
        except Absent:
            client.create_volume(name, labels=commands.volume_labels(run))
            made.append(name)
    return made


def remove_unused(client: "Client", networks: list[str]) -> None:
    """Remove those of these networks that are ours and that no container uses, running or not."""
    for name in networks:
        for network in _named(client, name):
            if is_ours(network["Labels"]) and not client.containers(all=True, filters={"network": [name]}):
                # A launch that starts just now either holds it already or makes it again.
                with suppress(InUse, Absent):
                    client.remove_network(network["Id"])


def remove_volumes(client: "Client", names: list[str]) -> None:
    """Remove those of these volumes that are ours and that no container uses."""
    for name in names:
        with suppress(Absent, InUse):
            if is_ours(client.inspect_volume(name)["Labels"]):
                client.remove_volume(name)


def _named(client: "Client", name: str) -> list[Entry]:
    """Networks of exactly this name, oldest first."""
    found = [network for network in client.networks(names=[name]) if network["Name"] == name]
    return sorted(found, key=lambda network: (network["Created"], network["Id"]))


def _create(client: "Client", bridge: Bridge) -> None:
    client.create_network(
        bridge.name,
        driver="bridge",
        options=commands.network_options(bridge, client.dialect.name),
        labels=dict(bridge.labels),
        check_duplicate=True,
    )


def _check(client: "Client", bridge: Bridge, network: Entry) -> None:
    # Podman does not report all of its options.
    wanted = commands.network_options(bridge, "docker").items() if client.dialect.name == "docker" else ()
    if not is_ours(network["Labels"]) or not set(wanted) <= set((network["Options"] or {}).items()):
        title = client.dialect.title
        raise NameTaken(
            f"{title} has a network {bridge.name} already, which Workbench did not make.",
            f"Rename or remove it: {client.dialect.name} network rm {bridge.name}",
        )
