"""A machine of EC2 being made and unmade. What belongs to a creation is found by its tag, even where no answer came."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from workbench.docks.aws import ec2
from workbench.docks.aws.amazon import POLL, Ref, client_error, code, mapped, until
from workbench.docks.cloud import Machine, MachinePlan, Work
from workbench.errors import DockError, WorkbenchError
from workbench.model import Event

LIVING = ["pending", "running", "stopping", "stopped"]
LATE = 15.0
"""Seconds after which a machine is listed at the latest that was asked for without an answer."""


@dataclass
class Creation:
    """A machine being made, and how to have it unmade."""

    door: Any
    plan: MachinePlan
    token: str = ""
    key: str = ""
    """The key that was brought there for it."""
    unanswered: bool = False

    def make(self) -> Work[Machine]:
        """All of it; whatever ends this early, nothing stays."""
        self.token = uuid4().hex
        try:
            return (yield from self._steps())
        except BaseException as error:
            if not isinstance(error, GeneratorExit):
                yield Event("step", "Removing what was made so far", "undo")
            self._undo(error)
            raise

    def _steps(self) -> Work[Machine]:
        yield Event("step", "Key and security group", "before")
        with mapped():
            image = self.door.describe_images(ImageIds=[self.plan.image])["Images"][0]
            self._bring_key()
            group = self._make_group()
            self.unanswered = True
            try:
                reply = self.door.run_instances(**ec2.run_words(self.plan, self.token, group, image["RootDeviceName"]))
            except client_error():
                self.unanswered = False
                raise
        self.unanswered = False
        yield Event("done", "Key and security group", "before", seconds=0)
        id = reply["Instances"][0]["InstanceId"]
        named = str(Ref(self.plan.place, id))
        machine = yield from until("Starting the machine", lambda: self._ready(named, id))
        return replace(machine, user=self.plan.user, disk=self.plan.disk)

    def _bring_key(self) -> None:
        name = ec2.key_name(self.plan.key)
        try:
            self.door.describe_key_pairs(KeyNames=[name])
        except client_error() as error:
            if code(error) != "InvalidKeyPair.NotFound":
                raise
            self.key = name
            public = " ".join(self.plan.key.split()[:2]).encode()
            marks = ec2.tagged("key-pair", self.plan, self.token)
            self.door.import_key_pair(KeyName=name, PublicKeyMaterial=public, TagSpecifications=marks)

    def _make_group(self) -> str:
        network = {}
        if self.plan.subnet:
            network["VpcId"] = self.door.describe_subnets(SubnetIds=[self.plan.subnet])["Subnets"][0]["VpcId"]
        made = self.door.create_security_group(
            GroupName=f"workbench-{self.plan.name}-{self.token[:8]}",
            Description=f"ssh to the dock {self.plan.name}",
            TagSpecifications=ec2.tagged("security-group", self.plan, self.token),
            **network,
        )
        self.door.get_waiter("security_group_exists").wait(GroupIds=[made["GroupId"]])
        self.door.authorize_security_group_ingress(GroupId=made["GroupId"], IpPermissions=ec2.rule(self.plan.allow))
        return str(made["GroupId"])

    def _ready(self, named: str, id: str) -> Machine | None:
        # Just asked for, it may not be listed yet.
        found = describe(self.door, id)
        return ready(ec2.machine(named, found), found.get("StateReason", {}).get("Message", "")) if found else None

    def _undo(self, why: BaseException) -> None:
        try:
            for _ in remove(self.door, self.token, self._ids(), self.key):
                pass
        except WorkbenchError as left:
            raise DockError(
                f"The machine could not be made ({why or type(why).__name__}), and not all of it could be removed.",
                f"Look for the tag {ec2.CREATION}={self.token} in the AWS console, and remove what has it.",
                detail=left.message.splitlines(),
            ) from why

    def _ids(self) -> list[str]:
        """The machines of this creation: one that was asked for without an answer may not be listed yet."""
        deadline = time.monotonic() + (LATE if self.unanswered else 0)
        while not (ids := [each["InstanceId"] for each in living(self.door, f"tag:{ec2.CREATION}", self.token)]):
            if time.monotonic() >= deadline:
                break
            time.sleep(POLL)
        return ids


def remove(door: Any, creation: str, ids: Sequence[str], key: str = "") -> Work[None]:
    """Remove these machines, and of what was made with them (and of the key) all that no other machine has."""
    if ids:
        with mapped():
            door.terminate_instances(InstanceIds=list(ids))
        yield from until("Removing the machine", lambda: all(_is_gone(door, id) for id in ids))
    with mapped():
        marked = [{"Name": f"tag:{ec2.CREATION}", "Values": [creation]}]
        for group in door.describe_security_groups(Filters=marked)["SecurityGroups"]:
            # The console's "launch more like this" takes over groups and tags.
            if not list(living(door, "instance.group-id", group["GroupId"])):
                door.delete_security_group(GroupId=group["GroupId"])
    if key and not list(living(door, "key-name", key)):
        with mapped():
            door.delete_key_pair(KeyName=key)


def living(door: Any, filter: str, value: str) -> Iterator[Any]:
    """What DescribeInstances says of each machine that is there yet and passes the filter."""
    wanted = [{"Name": filter, "Values": [value]}, {"Name": "instance-state-name", "Values": LIVING}]
    with mapped():
        for page in door.get_paginator("describe_instances").paginate(Filters=wanted):
            for reservation in page["Reservations"]:
                yield from reservation["Instances"]


def describe(door: Any, id: str) -> Any:
    """What DescribeInstances says of one machine; None when it does not know it."""
    with mapped():
        try:
            return door.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]
        except client_error() as error:
            if code(error) not in ("InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"):
                raise
            return None


def _is_gone(door: Any, id: str) -> bool:
    found = describe(door, id)
    return found is None or found["State"]["Name"] == "terminated"


def ready(machine: Machine, why: str = "") -> Machine | None:
    """A machine that runs and has an address; None as long as it does not. Raises DockError when it never will."""
    if machine.state in ("gone", "stopping", "stopped") and (machine.state == "gone" or why):
        raise DockError(f"The machine ended at once: {why or 'AWS does not say why'}.", "See the AWS console.")
    return machine if machine.state == "running" and machine.address else None
