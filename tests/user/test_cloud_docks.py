"""Docks that are machines of a cloud: made, listed, stopped, started elsewhere, destroyed. Amazon is a stand-in."""

import base64
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from support.cloud import DEEP_LEARNING, UBUNTU, Cloud, cloud
from support.dock import alone
from support.person import Environment, MakePerson, Person, Result
from support.terminal import terminal

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ada@laptop"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8rTbkXZtC0mJc0s8a7Ck7HqYv1mEo4yXG8mYB2b7Qf"
FROM = "198.51.100.7/32"
QUICK = ("--from", FROM, "--yes", "--wait", "0s")


@dataclass(frozen=True)
class Renter:
    """Somebody with an account at Amazon."""

    person: Person
    cloud: Cloud

    def dock(self, *words: str, env: Environment | None = None) -> Result:
        """Type `workbench dock …`."""
        return self.person.run("workbench", "dock", *words, env={**self.cloud.env, **(env or {})})

    def create(self, *words: str) -> dict[str, Any]:
        """Make a machine `box`; what is said of it."""
        made: dict[str, Any] = self.dock("create", "box", *QUICK, "--json", *words).ok().json()
        return made

    def listed(self) -> dict[str, Any]:
        """The list of docks, as it is kept."""
        file = self.person.home / ".config/workbench/docks.json"
        docks: dict[str, Any] = json.loads(file.read_text())["docks"] if file.exists() else {}
        return docks


@pytest.fixture
def me(somebody: MakePerson) -> Iterator[Renter]:
    person = somebody("local")
    person.write(person.home / ".ssh/id_ed25519.pub", f"{KEY}\n")
    with cloud() as there:
        yield Renter(person, there)


def test_a_machine_is_made_as_it_was_asked_for(me: Renter) -> None:
    made = me.create("--disk", "50", "--idle-stop", "2h")
    [machine] = me.cloud.machines()
    assert made["id"] == f"eu-west-1/{machine['InstanceId']}"
    assert made["address"] == machine["PublicIpAddress"]
    assert me.listed()["box"] == {
        "host": f"ubuntu@{machine['PublicIpAddress']}",
        "cloud": {"provider": "aws", "id": made["id"]},
    }
    assert (machine["InstanceType"], machine["ImageId"]) == ("t3.large", UBUNTU)
    marks = {each["Key"]: each["Value"] for each in machine["Tags"]}
    assert (marks["Name"], marks["io.workbench.dock"], bool(marks["owner"])) == ("box", "box", True)
    [volume] = me.cloud.ec2.describe_volumes()["Volumes"]
    assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (50, "gp3", True)
    assert machine["MetadataOptions"]["HttpTokens"] == "required"

    def attribute(name: str, key: str) -> str:
        found = me.cloud.ec2.describe_instance_attribute(InstanceId=machine["InstanceId"], Attribute=name)
        return str(found[key]["Value"])

    assert attribute("instanceInitiatedShutdownBehavior", "InstanceInitiatedShutdownBehavior") == "stop"
    setup = base64.b64decode(attribute("userData", "UserData")).decode()
    assert setup.startswith("#cloud-config\n") and "idle 7200" in setup
    [key] = me.cloud.keys()
    assert machine["KeyName"] == key["KeyName"] and key["KeyName"].startswith("workbench-")


def test_only_the_address_that_was_said_is_let_in(me: Renter) -> None:
    me.create()
    [group] = me.cloud.groups()
    [rule] = group["IpPermissions"]
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 22, 22)
    assert [each["CidrIp"] for each in rule["IpRanges"]] == [FROM]
    assert me.cloud.machines()[0]["SecurityGroups"][0]["GroupId"] == group["GroupId"]
    me.dock("start", "box", "--from", "203.0.113.0/24", "--wait", "0s").ok()
    [rule] = me.cloud.groups()[0]["IpPermissions"]
    assert [each["CidrIp"] for each in rule["IpRanges"]] == ["203.0.113.0/24"]


def test_the_own_address_is_asked_for_and_nobody_is_let_in_without_it(me: Renter) -> None:
    assert "--from ADDRESS/32" in me.dock("create", "box", "--yes").fails(2)
    assert "is not a network" in me.dock("create", "box", "--yes", "--from", "10.0.0.7/8").fails(2)
    planned = me.dock("create", "box", "--dry-run", "--from", "0.0.0.0/0").ok().out
    assert "everybody!" in planned
    assert me.cloud.is_empty()


def test_the_plan(me: Renter) -> None:
    offer = {"priceDimensions": {"x": {"pricePerUnit": {"USD": "1.0060000000"}}}}
    me.cloud.price = json.dumps({"terms": {"OnDemand": {"x": offer}}})
    planned = me.dock("create", "box", "--gpu", "--from", FROM, "--dry-run").ok().out
    for each in ("g5.xlarge", "A10G", DEEP_LEARNING, "200 GB", FROM, "$1.006 an hour", "never by itself"):
        assert each in planned
    me.cloud.price = ""
    described = me.dock("create", "box", "--from", FROM, "--dry-run", "--json").ok().json()
    assert (described["type"], described["price"], described["disk"]) == ("t3.large", None, 100)
    assert "not known" in me.dock("create", "box", "--from", FROM, "--dry-run").ok().out
    assert me.cloud.is_empty() and me.listed() == {}


def test_the_list_has_it(me: Renter) -> None:
    made = me.create()
    [row] = [line for line in me.dock("ls").ok().out.splitlines() if line.startswith("box ")]
    assert f"ubuntu@{made['address']}" in row and "ready" not in row


def test_stopped_and_started_at_another_address(me: Renter) -> None:
    made = me.create()
    me.person.write(me.person.home / ".ssh/known_hosts", f"{made['address']} {HOST_KEY}\n")
    assert me.dock("stop", "box", "--json").ok().json()["state"] == "stopped"
    assert len(me.cloud.machines("stopped")) == 1
    me.dock("stop", "box").ok()
    started = me.dock("start", "box", "--wait", "0s", "--json").ok().json()
    [machine] = me.cloud.machines("running")
    assert started["address"] == machine["PublicIpAddress"] != made["address"]
    assert me.listed()["box"]["host"] == f"ubuntu@{started['address']}"
    # It is the same machine, and ssh knows it.
    assert (me.person.home / ".ssh/known_hosts").read_text() == f"{started['address']} {HOST_KEY}\n"


def test_the_host_key_comes_from_the_console(me: Renter) -> None:
    made = me.create()
    ask = "import sys; from workbench.docks.aws.provider import Aws; print(*Aws().host_keys(sys.argv[1]), sep='|')"
    words = (sys.executable, "-c", ask, made["id"])
    assert me.person.run(*words, env=me.cloud.env).ok().out.strip() == ""
    block = f"[ 9.1] -----BEGIN SSH HOST KEY KEYS-----\r\n{HOST_KEY} root@ip\r\n-----END SSH HOST KEY KEYS-----\n"
    me.cloud.console = base64.b64encode(block.encode()).decode()
    assert me.person.run(*words, env=me.cloud.env).ok().out.strip() == HOST_KEY


def test_destroyed_after_it_was_said_what_is_lost(me: Renter) -> None:
    me.create("--disk", "77")
    message = me.dock("destroy", "box").fails(2)
    assert "--yes" in message and len(me.cloud.machines()) == 1
    with terminal(
        me.person, "workbench", "dock", "destroy", "box", cwd=me.person.projects, env=me.cloud.env, columns=200
    ) as (screen, child):
        screen.wait_for("lost: its disk of 77 GB")
        screen.wait_for("lost: what runs on it, which cannot be looked at")
        screen.wait_for("Destroy it")
        screen.type("n\n")
        assert child.wait(30) == 1
    assert len(me.cloud.machines()) == 1 and "box" in me.listed()
    with terminal(me.person, "workbench", "dock", "destroy", "box", cwd=me.person.projects, env=me.cloud.env) as (
        screen,
        child,
    ):
        screen.wait_for("Destroy it")
        screen.type("y\n")
        assert child.wait(30) == 0
    assert me.cloud.is_empty() and me.listed() == {}


def test_one_that_went_elsewhere_is_taken_off_the_list(me: Renter) -> None:
    made = me.create()
    me.cloud.ec2.terminate_instances(InstanceIds=[made["id"].partition("/")[2]])
    assert "is gone" in me.dock("start", "box").fails(6)
    assert me.dock("destroy", "box", "--yes", "--json").ok().json()["lost"] == []
    assert me.listed() == {}


def test_a_key_that_another_machine_has_stays(me: Renter) -> None:
    me.create()
    me.dock("create", "second", *QUICK).ok()
    me.dock("destroy", "box", "--yes").ok()
    assert len(me.cloud.keys()) == len(me.cloud.machines()) == len(me.cloud.groups()) == 1
    me.dock("destroy", "second", "--yes").ok()
    assert me.cloud.is_empty()


def test_a_machine_launched_like_it_in_the_console_stays(me: Renter) -> None:
    me.create()
    [machine] = me.cloud.machines()
    twin = {"SecurityGroupIds": [machine["SecurityGroups"][0]["GroupId"]], "KeyName": machine["KeyName"]}
    marks = [{"ResourceType": "instance", "Tags": machine["Tags"]}]
    [other] = me.cloud.ec2.run_instances(ImageId=UBUNTU, MinCount=1, MaxCount=1, TagSpecifications=marks, **twin)[
        "Instances"
    ]
    me.dock("destroy", "box", "--yes").ok()
    assert [each["InstanceId"] for each in me.cloud.machines()] == [other["InstanceId"]]
    assert len(me.cloud.groups()) == len(me.cloud.keys()) == 1


def test_machines_of_others_are_left_alone(me: Renter) -> None:
    [foreign] = me.cloud.ec2.run_instances(ImageId=UBUNTU, MinCount=1, MaxCount=1)["Instances"]
    entry = {"host": "ubuntu@192.0.2.1", "cloud": {"provider": "aws", "id": f"eu-west-1/{foreign['InstanceId']}"}}
    file = me.person.home / ".config/workbench/docks.json"
    me.person.write(file, json.dumps({"docks": {"box": entry, "plain": {"host": "ada@gpu-1"}}}))
    for words in (("destroy", "box", "--yes"), ("stop", "box"), ("start", "box")):
        assert "left alone" in me.dock(*words).fails(6)
    assert "by its address" in me.dock("destroy", "plain", "--yes").fails(6)
    assert "not on the list" in me.dock("destroy", "nobody", "--yes").fails(2)
    assert me.cloud.machines()[0]["State"]["Name"] == "running"


def test_a_name_is_given_once(me: Renter) -> None:
    me.create()
    assert "is a dock already" in me.dock("create", "box", *QUICK).fails(2)
    me.dock("rm", "box").ok()
    assert "already: i-" in me.dock("create", "box", *QUICK).fails(6)
    assert "cannot be the name" in me.dock("create", "a b", *QUICK).fails(2)
    assert len(me.cloud.machines()) == 1


def test_without_what_amazon_needs(me: Renter) -> None:
    assert "region" in me.dock("create", "box", *QUICK, env={"AWS_DEFAULT_REGION": None}).fails(2)
    nobody = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    assert "credentials" in me.dock("create", "box", *QUICK, env=nobody).fails(2)
    assert "AWS_PROFILE" in me.dock("create", "box", *QUICK, env={"AWS_PROFILE": "lab"}).fails(2)
    away = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    assert "cannot be reached" in me.dock("create", "box", *QUICK, env=away).fails(6)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--type", "q9.none"), 2, "no instance type"),
        (("--type", "t3.large", "--gpu"), 2, "no GPU"),
        (("--image", "ami-00000000"), 6, "ami-00000000"),
        (("--subnet", "subnet-0"), 6, "describe-subnets"),
        (("--key", "nothing"), 2, "nothing.pub"),
        (("--user", "-x"), 2, "account"),
        (("--idle-stop", "1m"), 2, "too short"),
        (("--idle-stop", "soon"), 2, "not a time"),
        (("--provider", "azure"), 2, "no provider"),
        (("--parameter", "a=b"), 2, "--product"),
        (("--disk", "14"), 2, "alone needs 15 GB"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_made(me: Renter, words: tuple[str, ...], code: int, said: str) -> None:
    assert said in me.dock("create", "box", *QUICK, *words).fails(code)
    assert me.cloud.is_empty() and me.listed() == {}


def test_no_key(me: Renter) -> None:
    (me.person.home / ".ssh/id_ed25519.pub").unlink()
    assert "ssh-keygen" in me.dock("create", "box", *QUICK).fails(2)
    me.person.write(me.person.home / ".ssh/id_rsa.pub", "ssh-dss AAAA\n")
    assert "no key of the kind" in me.dock("create", "box", *QUICK).fails(2)


def test_what_amazon_refuses_half_way_leaves_nothing(me: Renter) -> None:
    me.cloud.refuse["RunInstances"] = "InsufficientInstanceCapacity"
    assert "another --type" in me.dock("create", "box", *QUICK).fails(6)
    assert me.cloud.is_empty() and me.listed() == {}
    me.cloud.refuse = {"AuthorizeSecurityGroupIngress": "UnauthorizedOperation"}
    assert "allow it" in me.dock("create", "box", *QUICK).fails(6)
    assert me.cloud.is_empty() and me.listed() == {}


def test_what_could_not_be_removed_is_named(me: Renter) -> None:
    me.cloud.refuse = {"RunInstances": "VcpuLimitExceeded", "DeleteSecurityGroup": "UnauthorizedOperation"}
    message = me.dock("create", "box", *QUICK).fails(6)
    assert "not all of it could be removed" in message and "io.workbench.creation=" in message
    [group] = me.cloud.groups()
    assert group["GroupName"].startswith("workbench-box-")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_before_amazon_has_answered(me: Renter, number: int) -> None:
    me.cloud.swallow = {"RunInstances"}
    child = me.person.start("workbench", "dock", "create", "box", *QUICK, env=me.cloud.env)
    assert me.cloud.swallowed.wait(60)
    assert len(me.cloud.machines()) == 1
    os.kill(child.pid, number)
    done = me.person.wait(child, 60)
    assert done.code == 130 and "Traceback" not in done.err
    assert me.cloud.is_empty() and me.listed() == {}


def test_interrupted_while_it_does_not_answer(me: Renter) -> None:
    words = ("workbench", "dock", "create", "box", "--from", FROM, "--yes")
    with terminal(me.person, *words, cwd=me.person.projects, env=me.cloud.env) as (screen, child):
        screen.wait_for("Waiting until ssh answers", 60)
        assert len(me.cloud.machines()) == 1
        screen.type("\x03")
        assert child.wait(60) == 130
    assert me.cloud.is_empty() and me.listed() == {}


def test_a_product(me: Renter) -> None:
    product = me.cloud.product
    [machine] = me.cloud.ec2.run_instances(ImageId=UBUNTU, MinCount=1, MaxCount=1)["Instances"]
    product.parameters = {"Size": None, "Team": "lab"}
    product.outputs = {"Instance": machine["InstanceId"], "Note": "hello", "PublicIp": "192.0.2.7"}
    words = ("create", "lab", "--product", "Data science", "--yes", "--wait", "0s")
    assert "Data science" in me.dock(*words[:3], "Nothing", "--yes").fails(2)
    assert "Size" in me.dock(*words).fails(2)
    assert "no parameter Colour" in me.dock(*words, "-p", "Size=large", "-p", "Colour=red").fails(2)
    assert "--disk has no meaning" in me.dock(*words, "--disk", "50").fails(2)
    made = me.dock(*words, "-p", "Size=large", "--json").ok().json()
    assert made["id"] == f"eu-west-1/{machine['InstanceId']}/pp-abc"
    assert me.listed()["lab"]["host"] == "ec2-user@192.0.2.7"
    assert product.asked["ProvisioningArtifactId"] == "pa-2"
    assert product.asked["ProvisioningParameters"] == [{"Key": "Size", "Value": "large"}]
    assert me.dock("stop", "lab", "--json").ok().json()["state"] == "stopped"
    me.dock("start", "lab", "--wait", "0s").ok()
    me.dock("destroy", "lab", "--yes").ok()
    # What it is made of is the template's to remove.
    assert not product.made and me.listed() == {}


@pytest.mark.parametrize(("ends", "outputs"), [("FAILED", {"PublicIp": "192.0.2.7"}), ("SUCCEEDED", {"Note": "x"})])
def test_a_product_that_fails_is_terminated(me: Renter, ends: str, outputs: dict[str, str]) -> None:
    me.cloud.product.ends, me.cloud.product.outputs = ends, outputs
    me.dock("create", "lab", "--product", "prod-1", "--yes").fails(6)
    assert me.cloud.product.asked and me.cloud.is_empty() and me.listed() == {}


CARDBOARD = """\
import os
from dataclasses import replace
from workbench.docks.cloud import Machine
from workbench.model import Event


class Cardboard:
    def complete(self, plan):
        return replace(plan, type="box", disk=1, user=os.environ["THERE_USER"], place="shelf")

    def price(self, plan):
        return 0.25

    def create(self, plan):
        yield Event("step", "Folding", "fold")
        yield Event("done", "Folding", "fold", seconds=1)
        return replace(self.find(plan.name), user=plan.user)

    def find(self, id):
        return Machine(id, "running", os.environ["THERE"], dock=id, type="box", disk=1)

    def start(self, id):
        yield from ()
        return self.find(id)

    stop = start

    def destroy(self, id):
        yield Event("step", "Crushing", "crush")

    def admit(self, id, allow):
        pass

    def host_keys(self, id):
        return (os.environ["THERE_KEY"],)
"""


@pytest.mark.xdist_group("dock")
def test_another_package_adds_a_provider(somebody: MakePerson) -> None:
    person = somebody("local")
    folder = person.folder / "packages"
    person.write(folder / "cardboard.py", CARDBOARD)
    person.write(folder / "cardboard-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: cardboard\nVersion: 1\n")
    person.write(
        folder / "cardboard-1.dist-info/entry_points.txt", "[workbench.providers]\nbox = cardboard:Cardboard\n"
    )
    person.write(person.home / ".ssh/id_ed25519.pub", f"{KEY}\n")
    with alone() as dock:
        ssh = dock.give_ssh(person, os.environ.get("WORKBENCH_TEST_USER"))
        known = (person.home / ".ssh/known_hosts").read_text().split()
        path = os.pathsep.join(each for each in (str(folder), os.environ.get("PYTHONPATH")) if each)
        env = {**ssh, "PYTHONPATH": path, "THERE": dock.address, "THERE_USER": os.environ["WORKBENCH_TEST_USER"]}
        env["THERE_KEY"] = " ".join(known[1:3])
        (person.home / ".ssh/known_hosts").unlink()
        words = ("workbench", "dock", "create", "crate", "--provider", "box", "--from", FROM, "--yes", "--wait", "30s")
        done = person.run(*words, env=env).ok()
        assert "Folding" in done.err and "$0.25 an hour" in done.err and dock.address in done.err
        # The provider has said its key, and ssh does not ask.
        assert (person.home / ".ssh/known_hosts").read_text() == f"{dock.address} {env['THERE_KEY']}\n"
        message = person.run("workbench", "dock", "destroy", "crate", env=env)
        assert "its disk of 1 GB" in message.err
        done = person.run("workbench", "dock", "destroy", "crate", "--yes", env=env).ok()
        assert "Crushing" in done.err
        assert "crate" not in person.run("workbench", "dock", "ls", env=env).out


def test_the_commands_and_the_provider_are_declared() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    scripts = {name: value for name, value in project["scripts"].items() if name.endswith("-dock")}
    entries = {**scripts, **project["entry-points"]["workbench.providers"]}
    assert {"create-dock", "start-dock", "stop-dock", "destroy-dock", "aws"} <= set(entries)
    for name, value in entries.items():
        assert callable(metadata.EntryPoint(name, value, "any").load())
