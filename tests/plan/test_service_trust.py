"""What a Compose file asks of this machine. Whoever writes one may be hostile."""

import random
from copy import deepcopy
from pathlib import PurePosixPath
from typing import Any

import pytest
from plan.test_services import MODERN, OLD

from workbench.errors import ConfigError
from workbench.model import Mount, ServiceUse
from workbench.plan.service_trust import (
    asks,
    extended,
    filled,
    included,
    named,
    passed,
    read,
    secret,
    variables,
)
from workbench.plan.services import companions, in_order, stack, wanted

ROOT = PurePosixPath("/srv/p")


def asked(said: dict[str, Any], root: PurePosixPath | None = ROOT, **top: Any) -> list[str]:
    """The sentences for one service `a`, without who it is."""
    found = stack({"name": "p", "services": {"a": {"image": "x", **said}}, **top}, "p")
    sentences = asks(found, ("a",), root)
    assert all(each.endswith((" (service a).", ".")) for each in sentences)
    return [each.replace(" (service a)", "") for each in sentences]


HARMLESS: list[dict[str, Any]] = [
    {},
    {"command": ["x"], "environment": {"A": "b"}, "user": "root", "tmpfs": ["/t"], "ulimits": {"nofile": 9}},
    {"command": None, "entrypoint": None, "privileged": False, "cap_add": [], "devices": None, "annotations": {}},
    {"x-mine": "anything", "develop": {"watch": [{"path": "..", "action": "sync"}]}, "profiles": ["q"]},
    {"restart": "no"},
    {"restart": "on-failure:3", "deploy": {"replicas": 2, "restart_policy": {"condition": "on-failure"}}},
    {"security_opt": ["no-new-privileges:true", "no-new-privileges=true"]},
    {"network_mode": "none"},
    {"network_mode": "service:b", "pid": "service:b", "ipc": "shareable", "cgroup": "private"},
    {"gpus": "all", "runtime": "nvidia"},
    {"gpus": [{"count": -1}]},
    {"deploy": {"resources": {"reservations": {"devices": [{"driver": "nvidia", "capabilities": ["gpu"]}]}}}},
    {"logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": "3"}}},
    {"labels": {"com.example": "io.workbench.name"}},
    {"ports": ["127.0.0.1:8080:80", "127.0.0.1::80", "[::1]:8080:80", "127.0.0.2:1-2:3-4/udp"]},
    {"ports": [{"host_ip": "127.0.0.1", "target": 80, "published": "8080"}, {"host_ip": "::1", "target": 80}]},
    {"volumes": ["/srv/p:/p", "/srv/p/data:/d:ro", "/anonymous"]},
    {"volumes": [{"type": "tmpfs", "target": "/t"}, {"type": "volume", "target": "/anonymous"}]},
    {"build": "/srv/p"},
    {"build": {"context": "/srv/p/app", "dockerfile": "../docker/Dockerfile", "args": {"A": "b"}, "target": "t"}},
    {"build": {"context": "https://example.org/x.git", "additional_contexts": {"base": "docker-image://x"}}},
    {"build": {"context": "/srv/p", "cache_from": ["image:x", "type=registry,ref=y"], "network": "none"}},
]


@pytest.mark.parametrize("said", HARMLESS)
def test_what_stays_in_the_container_is_not_asked(said: dict[str, Any]) -> None:
    assert asked(said) == []


ASKED: list[tuple[dict[str, Any], list[str]]] = [
    ({"privileged": True}, ["Run privileged: the container then controls the machine."]),
    ({"cap_add": ["SYS_ADMIN"]}, ["Add the Linux capability SYS_ADMIN."]),
    ({"devices": ["/dev/fuse:/dev/fuse"]}, ["Open the device /dev/fuse:/dev/fuse."]),
    ({"devices": [{"source": "/dev/fuse", "target": "/dev/fuse"}]}, ["Open the device /dev/fuse."]),
    ({"device_cgroup_rules": ["a *:* rwm"]}, ["Set `device_cgroup_rules`."]),
    (
        {"gpus": [{"driver": "cdi", "device_ids": ["vendor.com/disk=all"]}]},
        ["Open the devices vendor.com/disk=all of cdi."],
    ),
    (
        {"deploy": {"resources": {"reservations": {"devices": [{"driver": "cdi", "capabilities": ["x"]}]}}}},
        ["Open the devices that there are of cdi."],
    ),
    ({"security_opt": ["seccomp:unconfined"]}, ["Change what keeps the container in: seccomp:unconfined."]),
    ({"security_opt": ["no-new-privileges:false"]}, ["Change what keeps the container in: no-new-privileges:false."]),
    ({"cgroup_parent": "/x", "sysctls": {"a": 1}}, ["Set `cgroup_parent`.", "Set `sysctls`."]),
    ({"runtime": "evil"}, ["Run by the runtime evil."]),
    ({"network_mode": "host"}, ["Use this machine's network."]),
    ({"network_mode": "container:db"}, ["Share the network of db."]),
    ({"network_mode": "others"}, ["Share the network of others."]),
    # Podman's own words for the machine's namespaces, and for ways to its loopback.
    ({"network_mode": "ns:/proc/1/ns/net"}, ["Share the network of ns:/proc/1/ns/net."]),
    ({"network_mode": "pasta:-T,auto"}, ["Share the network of pasta:-T,auto."]),
    ({"pid": "ns:/proc/1/ns/pid"}, ["Share the processes of ns:/proc/1/ns/pid."]),
    (
        {"pid": "host", "ipc": "host", "uts": "host", "userns_mode": "host", "cgroup": "host"},
        [
            "Use this machine's processes.",
            "Use this machine's shared memory.",
            "Use this machine's users.",
            "Use this machine's host name.",
            "Use this machine's control groups.",
        ],
    ),
    ({"volumes_from": ["container:foreign:ro"]}, ["Reach the container foreign:ro."]),
    ({"external_links": ["foreign:f"]}, ["Reach the container foreign:f."]),
    ({"restart": "always"}, ["Be started again by the engine by itself: always."]),
    ({"restart": "unless-stopped"}, ["Be started again by the engine by itself: unless-stopped."]),
    ({"deploy": {"restart_policy": {"condition": "any"}}}, ["Be started again by the engine by itself: any."]),
    ({"provider": {"type": "evil"}}, ["Run the program evil on this machine, as you."]),
    ({"use_api_socket": True}, ["Control this machine's engine, with your logins to registries."]),
    ({"post_start": [{"command": "x", "privileged": True}]}, ["Set `post_start`."]),
    ({"annotations": {"run.oci.hooks.stdout": "/home/ada/.bashrc"}}, ["Set `annotations`."]),
    ({"credential_spec": {"file": "x"}, "isolation": "process"}, ["Set `credential_spec`.", "Set `isolation`."]),
    ({"of_next_year": {"a": 1}}, ["Set `of_next_year`."]),
    ({"logging": {"driver": "syslog"}}, ["Have the engine send its log elsewhere: syslog."]),
    # Podman writes it there.
    ({"logging": {"options": {"path": "/home/ada/.bashrc"}}}, ["Set the option `path` of its log."]),
    (
        {"labels": {"io.workbench.project": "/home/ada/other"}},
        ["Be taken for what Workbench has made: label io.workbench.project."],
    ),
    (
        {"labels": ["io.workbench.name=other"]},
        ["Be taken for what Workbench has made: label io.workbench.name."],
    ),
    ({"volumes": ["/srv:/s"]}, ["Read and write the folder or file /srv (as /s)."]),
    ({"volumes": ["/srv/p2:/s:ro"]}, ["Read the folder or file /srv/p2 (as /s)."]),
    ({"volumes": ["/srv/p/../x:/s:z,ro"]}, ["Read the folder or file /srv/p/../x (as /s)."]),
    ({"volumes": ["~/x:/s"]}, ["Read and write the folder or file ~/x (as /s)."]),
    (
        {"volumes": [{"type": "bind", "source": "/var/run/docker.sock", "target": "/s"}]},
        ["Read and write the folder or file /var/run/docker.sock (as /s)."],
    ),
    (
        {"volumes": [{"type": "bind", "source": "/etc", "target": "/s", "read_only": True}]},
        ["Read the folder or file /etc (as /s)."],
    ),
    ({"volumes": [{"type": "cluster", "source": "x", "target": "/s"}]}, ["Mount a cluster (as /s)."]),
    ({"build": "/srv"}, ["Build from the folder /srv."]),
    ({"build": {"context": "~/x"}}, ["Build from the folder ~/x."]),
    (
        {"build": {"context": "/srv/p", "additional_contexts": {"a": "/etc", "b": "oci-layout:///x", "c": "/srv/p/c"}}},
        ["Build from the folder /etc.", "Build from the folder /x."],
    ),
    ({"build": {"context": "/srv/p", "additional_contexts": ["a=../x"]}}, ["Build from the folder ../x."]),
    ({"build": {"context": "/srv/p", "dockerfile": "../D"}}, ["Build by the file /srv/D."]),
    ({"build": {"context": "/srv/p", "dockerfile": "/D"}}, ["Build by the file /D."]),
    ({"build": {"context": "/srv/p", "network": "host"}}, ["Build in this machine's network."]),
    ({"build": {"context": "/srv/p", "network": "container:x"}}, ["Build in the network container:x."]),
    ({"build": {"context": "/srv/p", "ssh": ["default"]}}, ["Use your ssh agent in the build."]),
    ({"build": {"context": "/srv/p", "entitlements": ["x"]}}, ["Build with more rights than usual."]),
    ({"build": {"context": "/srv/p", "privileged": True}}, ["Build with more rights than usual."]),
    ({"build": {"context": "/srv/p", "of_next_year": 1}}, ["Set `of_next_year` of the build."]),
    (
        {"build": {"context": "/srv/p", "cache_to": ["type=local,dest=/x"]}},
        ["Keep what is built in type=local,dest=/x."],
    ),
]


@pytest.mark.parametrize(("said", "sentences"), ASKED)
def test_what_reaches_out_of_the_container_is_asked(said: dict[str, Any], sentences: list[str]) -> None:
    assert asked(said) == sentences


@pytest.mark.parametrize(
    ("port", "told"),
    [
        ("80", "80"),
        (80, "80"),
        ("8080:80", "8080:80"),
        (":80", ":80"),
        ("[::]:80:80", "[::]:80:80"),
        ("0.0.0.0:80:80/udp", "0.0.0.0:80:80/udp"),
        ("127.evil.example:80:80", "127.evil.example:80:80"),
        ("9000-9001:90-91", "9000-9001:90-91"),
        ({"target": 80}, "a free one:80"),
        ({"target": 80, "published": "8080"}, "8080:80"),
        ({"target": 80, "published": 8080, "host_ip": "192.0.2.1"}, "8080:80"),
    ],
)
def test_a_port_that_others_reach_is_asked(port: object, told: str) -> None:
    assert asked({"ports": [port]}) == [f"Open a port of the machine to others: {told}."]


@pytest.mark.parametrize(
    ("declared", "sentences"),
    [
        (None, []),
        ({"name": "p_v", "labels": {"a": "b"}, "driver": "local"}, []),
        ({"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}}, []),
        ({"driver_opts": {"type": "none", "o": "bind", "device": "/srv/p/data"}}, []),
        ({"external": True, "name": "others"}, ["Read and write the volume others (as /v)."]),
        ({"external": {"name": "others"}}, ["Read and write the volume others (as /v)."]),
        # Compose only warns that another project has made it.
        ({"name": "others"}, ["Read and write the volume others (as /v)."]),
        ({"driver": "sshfs"}, ["Have a volume of the driver sshfs (as /v)."]),
        (
            {"driver_opts": {"type": "none", "o": "bind", "device": "/etc"}},
            ["Read and write the folder or file /etc (as /v)."],
        ),
        # What is bound, its type does not change; and the engine's own folder is not the project's.
        (
            {"driver_opts": {"type": "tmpfs", "o": "ro,rbind", "device": "/etc"}},
            ["Read and write the folder or file /etc (as /v)."],
        ),
        (
            {"driver_opts": {"type": "none", "o": "bind", "device": "etc"}},
            ["Read and write the folder or file etc (as /v)."],
        ),
        (
            {"driver_opts": {"type": "overlay", "o": "lowerdir=/etc", "device": "overlay"}},
            ["Mount with device=overlay, o=lowerdir=/etc, type=overlay (as /v)."],
        ),
        (
            {"driver_opts": {"type": "nfs", "o": "addr=x", "device": ":/x"}},
            ["Mount with device=:/x, o=addr=x, type=nfs (as /v)."],
        ),
    ],
)
def test_what_is_declared_of_a_volume(declared: dict[str, Any] | None, sentences: list[str]) -> None:
    for said in ("v:/v:rw", {"type": "volume", "source": "v", "target": "/v"}):
        assert asked({"volumes": [said]}, volumes={"v": declared}) == sentences


def test_the_volumes_that_the_workbench_has_of_them_are_asked_too() -> None:
    document = {
        "services": {"a": {"image": "x"}},
        "volumes": {
            "own": None,
            "far": {"external": True, "name": "others"},
            "alias": {"name": "p_own", "driver_opts": {"o": "bind", "type": "none", "device": "/etc"}},
        },
    }
    found = stack(document, "p")
    uses = {"a": ServiceUse(volumes={"own": "/own", "far": "/far"})}
    assert asks(found, ("a",), ROOT, shared=companions(found, uses, ("a",)).mounts) == (
        "Read and write the volume p_own (as /own) (the workbench).",
        "Read and write the folder or file /etc (as /own) (the workbench).",
        "Read and write the volume others (as /far) (the workbench).",
    )
    assert asks(found, ("a",), ROOT, shared=(Mount("other", "/x", kind="volume"),)) == ()


@pytest.mark.parametrize(
    ("declared", "sentences"),
    [
        (None, []),
        ({"name": "p_default", "ipam": {}, "internal": True, "driver": "bridge"}, []),
        ({"ipam": {"config": [{"subnet": "172.28.0.0/16"}, {"subnet": "fd00::/64"}, {"gateway": "x"}]}}, []),
        ({"driver_opts": {"com.docker.network.driver.mtu": 1400}}, []),
        ({"external": True, "name": "lan"}, ["Join the network lan, and reach what is in it."]),
        ({"external": {"name": "host"}}, ["Join the network host, and reach what is in it."]),
        ({"name": "other_default"}, ["Join the network other_default, and reach what is in it."]),
        ({"driver": "macvlan"}, ["Have a network of the driver macvlan."]),
        (
            {"driver_opts": {"com.docker.network.bridge.name": "br0"}},
            ["Have a network with com.docker.network.bridge.name=br0."],
        ),
        ({"ipam": {"driver": "dhcp"}}, ["Have a network with addresses of the driver dhcp."]),
        # What this machine sends to these addresses would come to the service.
        (
            {"ipam": {"config": [{"subnet": "140.82.112.0/20"}]}},
            ["Have the addresses 140.82.112.0/20 of this machine's network."],
        ),
        ({"ipam": {"config": [{"subnet": "odd"}]}}, ["Have the addresses odd of this machine's network."]),
    ],
)
def test_what_is_declared_of_a_network(declared: dict[str, Any] | None, sentences: list[str]) -> None:
    assert asked({}, networks={"default": declared}) == sentences
    assert asked({"networks": {"default": {"aliases": ["b"]}}}, networks={"default": declared}) == sentences
    assert asked({"network_mode": "none"}, networks={"default": declared}) == []


@pytest.mark.parametrize("kind", ["secrets", "configs"])
def test_a_file_that_is_read_as_a_secret(kind: str) -> None:
    inside: dict[str, Any] = {kind: {"s": {"file": "/srv/p/s"}}}
    outside: dict[str, Any] = {kind: {"s": {"file": "/home/ada/.ssh/id_rsa"}}}
    for said in ("s", {"source": "s", "target": "/run/secrets/s"}):
        assert asked({kind: [said]}, **outside) == ["Read the file /home/ada/.ssh/id_rsa."]
        assert asked({kind: [said]}, **inside) == []
        assert asked({kind: [said]}, None, **inside) == ["Read the file /srv/p/s."]
    assert asked({}, **outside) == []
    build = {"context": "/srv/p", "secrets": ["s"]}
    assert asked({"build": build}, **outside) == ["Read the file /home/ada/.ssh/id_rsa."]


def test_on_another_machine_no_folder_is_the_projects() -> None:
    assert asked({"volumes": ["/srv/p/data:/d"]}, None) == ["Read and write the folder or file /srv/p/data (as /d)."]


def test_only_what_is_started_is_asked_and_what_that_is_built_from() -> None:
    services = {
        "a": {"build": {"context": "/srv/p", "additional_contexts": {"base": "service:base"}}},
        "base": {"build": {"context": "/home/ada", "additional_contexts": {"base": "service:a", "x": "service:gone"}}},
        "other": {"privileged": True},
    }
    found = stack({"services": services}, "p")
    assert asks(found, ("a",), ROOT) == ("Build from the folder /home/ada (service base).",)
    assert asks(found, ("other",), ROOT) == (
        "Run privileged: the container then controls the machine (service other).",
    )


def test_variables_of_the_user_are_asked_where_they_may_hold_a_secret() -> None:
    found = stack({"services": {"a": {}}}, "p")
    seen = ("AWS_SECRET", "DOCKER_AUTH_CONFIG", "DOCKER_HOST", "HTTP_PROXY", "PATH", "USER", "XDG_RUNTIME_DIR")
    assert secret(seen) == ("AWS_SECRET", "DOCKER_AUTH_CONFIG", "HTTP_PROXY")
    assert asks(found, (), ROOT, seen) == tuple(
        f"See the value of your environment variable {name}." for name in secret(seen)
    )


@pytest.mark.parametrize(
    "text", ["x\n  • Nothing else", "x\r", "\x1b[2K", "\x9b1A", "\u202etxt", "a\u2028b", "\0", "\t"]
)
def test_every_sentence_is_one_printable_line(text: str) -> None:
    said = {
        "cap_add": [text],
        "devices": [text],
        "security_opt": [text],
        "runtime": text,
        "network_mode": f"container:{text}",
        "external_links": [text],
        "restart": text,
        "ports": [text],
        "volumes": [f"/{text}:/{text}", "v:/v"],
        "build": {"context": f"/{text}", "network": text, "cache_to": [f"type={text}"], text: 1},
        "secrets": ["s"],
        "logging": {"driver": text, "options": {text: text}},
        "labels": {f"io.workbench.{text}": text},
        "provider": {"type": text},
        text: 1,
    }
    found = asked(
        said,
        secrets={"s": {"file": f"/{text}"}},
        volumes={"v": {"name": text, "driver": text, "driver_opts": {"o": text}}},
    )
    assert len(found) > 15
    assert all(each.isprintable() for each in found)


def test_the_variables_of_a_text() -> None:
    assert variables("$A ${B} ${C:-x$D} ${E:?no} $$F $${G} $$$H $1 ${I-${J}} a$_K") == {*"ABCDEHIJ", "_K"}


def test_the_variables_that_an_env_file_takes_over() -> None:
    text = "A=1\nB\n  export C  # so\r\n#D\nE = $F\nG='x ${H}'\nI: j\nK=$$L\n"
    assert filled(text) == {"B", "C", "F", "H"}


def test_the_variables_that_a_file_names_wherever_that_is() -> None:
    loop: dict[str, Any] = {"x": ["$A"]}
    loop["self"] = loop
    assert named({"services": {"a": {"${B}": ["x", {"y": "$C $$D"}], "z": None, "n": 1}}, "l": loop}) == {*"ABC"}


def test_the_variables_that_a_file_passes_on() -> None:
    document = {
        "services": {
            "a": {"environment": ["A", "B=1"], "build": {"args": {"C": None, "D": "1"}}},
            "b": {"environment": {"E": None, "F": ""}, "build": "."},
            "c": None,
        },
        "secrets": {"s": {"environment": "G"}, "t": {"file": "H"}, "u": None},
        "configs": {"c": {"environment": "I"}},
    }
    assert passed(document) == {*"ACEGI"}


def test_the_files_that_a_file_is_made_of() -> None:
    document = {
        "include": ["a.yaml", {"path": ["b.yaml", "c.yaml"], "project_directory": "d", "env_file": "e.env"}],
        "services": {
            "a": {"extends": {"file": "f.yaml", "service": "x"}, "env_file": "g.env"},
            "b": {"extends": "a", "env_file": ["h.env", {"path": "i.env", "required": False}], "label_file": "j"},
            "c": {"extends": {"service": "a"}},
        },
    }
    assert extended(document) == {"f.yaml"}
    assert [*included(document)] == [(("a.yaml",), "", ()), (("b.yaml", "c.yaml"), "d", ("e.env",))]
    assert read(document) == {"g.env", "h.env", "i.env", "j"}


ODD: tuple[Any, ...] = (
    None,
    [],
    {},
    "",
    "x",
    "a:b:c",
    0,
    7,
    True,
    ["x"],
    [None],
    [{}],
    {"x": None},
    {"x": {}},
    {"x": ["y"]},
    "/etc:/e",
)


def mutate(document: Any, chance: random.Random) -> Any:
    """One place of a document says something odd, or is gone, or is there once more under another name."""
    places: list[tuple[Any, Any]] = []

    def walk(said: Any) -> None:
        for key in said if isinstance(said, dict) else range(len(said)) if isinstance(said, list) else ():
            places.append((said, key))
            walk(said[key])

    walk(document)
    where, key = chance.choice(places)
    match chance.randrange(3):
        case 0:
            where[key] = deepcopy(chance.choice(ODD))
        case 1:
            del where[key]
        case _ if isinstance(where, dict):
            where[chance.choice(["default", "db", "external", "driver_opts", "build", "x"])] = deepcopy(where[key])
    return document


RICH: dict[str, Any] = {
    "services": {
        "a": {key: value for said, _ in ASKED for key, value in said.items()}
        | {"volumes": ["v:/v", {"type": "volume", "source": "v", "target": "/w"}], "secrets": ["s"], "networks": ["n"]},
    },
    "volumes": {"v": {"driver_opts": {"type": "none", "o": "bind", "device": "/x"}}},
    "networks": {"n": {"driver_opts": {"a": 1}, "ipam": {"config": [{"subnet": "10.0.0.0/8"}]}}},
    "secrets": {"s": {"file": "/x"}},
    "configs": {"c": {"environment": "X"}},
    "include": [{"path": "x"}],
}


@pytest.mark.parametrize("seed", range(200))
def test_no_document_makes_it_fail(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same documents each time
    document = deepcopy(chance.choice([MODERN, OLD, RICH]))
    for _ in range(chance.randrange(1, 6)):
        document = mutate(document, chance)
    found = stack(document, "p")
    names = in_order(found, found.services)
    assert {*names} == {*found.services}
    assert all(each.isprintable() for each in asks(found, names, ROOT))
    try:
        companions(found, {"db": ServiceUse(volumes={"data": "/d"})}, wanted(found, {"db": ServiceUse()}))
    except ConfigError:
        assert "db" not in found.services or "data" not in found.volumes
    for each in (named, passed, read, extended):
        each(document)
    assert all(len(each) == 3 for each in included(document))
