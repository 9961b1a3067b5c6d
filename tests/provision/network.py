"""A network namespace for the engines and the tests.

Two dockerd in one namespace remove each other's packet filter rules when they start. In a namespace of its own
ours disturbs nobody's, and all that it leaves (rules, bridges, networks) goes away with the namespace.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from provision.ground import Ground, say
from provision.programs import StepFailed, ask, try_to

NAME = "workbench-tests"
OUTER, INNER = "wbtest0", "wbtest1"
OUTER_ADDRESS, INNER_ADDRESS, SUBNET = "10.219.44.1", "10.219.44.2", "10.219.44.0/30"
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")

RULES = (
    ("nat", "POSTROUTING", "-s", SUBNET, "!", "-o", OUTER, "-j", "MASQUERADE"),
    ("filter", "FORWARD", "-i", OUTER, "-j", "ACCEPT"),
    ("filter", "FORWARD", "-o", OUTER, "-j", "ACCEPT"),
)


@contextmanager
def namespace(ground: Ground) -> Iterator[None]:
    """Make the namespace and the way out of it; take both down at the end."""
    _remove()  # what a killed run left
    forwarding = FORWARDING.read_text()
    try:
        _make()
        # Not `ip netns exec`: that hides the cgroup mounts, which the engines need.
        ground.enter = ("nsenter", f"--net=/run/netns/{NAME}", "--")
        say(f"the engines and the tests run in the network namespace {NAME}")
        yield
    finally:
        _remove()
        FORWARDING.write_text(forwarding)
        ground.enter = ()


def listens(enter: Sequence[str], address: str, port: int) -> bool:
    """Whether a program listens there, seen from the network that `enter` leads to."""
    return try_to([*enter, "bash", "-c", 'exec 3<>"/dev/tcp/$0/$1"', address, str(port)])


def _make() -> None:
    inside = ("ip", "-n", NAME)
    steps = [
        ("ip", "netns", "add", NAME),
        ("ip", "link", "add", OUTER, "type", "veth", "peer", "name", INNER, "netns", NAME),
        ("ip", "address", "add", f"{OUTER_ADDRESS}/30", "dev", OUTER),
        ("ip", "link", "set", OUTER, "up"),
        (*inside, "link", "set", "lo", "up"),
        (*inside, "address", "add", f"{INNER_ADDRESS}/30", "dev", INNER),
        (*inside, "link", "set", INNER, "up"),
        (*inside, "route", "add", "default", "via", OUTER_ADDRESS),
        *(("iptables", "-w", "-t", table, "-I", *rule) for table, *rule in RULES),
    ]
    for step in steps:
        ask(step)
    FORWARDING.write_text("1\n")
    _check_names()


def _check_names() -> None:
    """A resolver on loopback is out of reach in a namespace: say so now, not as a hundred strange failures."""
    lines = [line.split() for line in Path("/etc/resolv.conf").read_text().splitlines()]
    servers = [words[1] for words in lines if words[:1] == ["nameserver"]]
    if servers and all(server.startswith("127.") for server in servers):
        raise StepFailed("the only name server here is on loopback, which a network namespace cannot reach")


def _remove() -> None:
    for table, *rule in RULES:
        while try_to(("iptables", "-w", "-t", table, "-D", *rule)):
            pass
    if Path(f"/run/netns/{NAME}").exists():
        try_to(("ip", "netns", "delete", NAME))
    if Path(f"/sys/class/net/{OUTER}").exists():
        try_to(("ip", "link", "delete", OUTER))
