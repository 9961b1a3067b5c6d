"""Machines of Amazon's EC2 as docks.

Without a GPU the image is Ubuntu's newest with long support, as Canonical names it in a public parameter of AWS. With
one it is AWS's Deep Learning Base image: it comes with a driver that was tried on these very machines, the engine and
NVIDIA's toolkit, where Ubuntu's own would build a driver for its kernel at the first start, take minutes more, and
fail by itself at times. It costs nothing besides.

Everything that is made for a machine has a tag of the one creation that it belongs to: so it is found again, whether
the creation fails, is cut off before AWS has answered, or the machine is destroyed later.
"""

import re
from dataclasses import replace
from typing import Any

from workbench.docks.aws import catalog, ec2, prices
from workbench.docks.aws.amazon import Ref, client, client_error, code, mapped, ref, session, until
from workbench.docks.aws.creation import Creation, describe, living, ready, remove
from workbench.docks.cloud import Machine, MachinePlan, Work
from workbench.errors import ConfigError, DockError


class Aws:
    """The provider `aws`, with the user's own credentials, region and permissions."""

    def complete(self, plan: MachinePlan) -> MachinePlan:
        """With type, image and disk; looks at nothing but AWS's lists."""
        made = session(plan.place)
        with mapped():
            arn = client(made, "sts").get_caller_identity()["Arn"]
        plan = replace(plan, owner=re.split("[:/]", arn)[-1], place=made.region_name)
        door = client(made, "ec2")
        _check_free(door, plan)
        if plan.product:
            return catalog.complete(client(made, "servicecatalog"), plan)
        return _complete(door, client(made, "ssm"), plan)

    def price(self, plan: MachinePlan) -> float | None:
        """By the public price list; that of a product nobody knows."""
        return None if plan.product else prices.hourly(session(plan.place), plan.type, plan.place)

    def create(self, plan: MachinePlan) -> Work[Machine]:
        """Key, security group, machine; or a product of Service Catalog."""
        made = session(plan.place)
        if plan.product:
            bought = yield from catalog.create(client(made, "servicecatalog"), plan)
            return replace(self.find(str(bought.ref)), address=bought.address, user=plan.user, dock=plan.name)
        return (yield from Creation(client(made, "ec2"), plan).make())

    def find(self, id: str) -> Machine:
        """By the region and the id that EC2 gave it."""
        named = ref(id)
        made = session(named.region)
        bought = catalog.find(client(made, "servicecatalog"), named) if named.product else None
        if not named.instance or (bought and bought.state == "gone"):
            return bought or Machine(id, "gone")
        door = client(made, "ec2")
        found = describe(door, named.instance)
        if found is None:
            return Machine(id, "gone")
        machine = ec2.machine(id, found, _disk(door, named.instance))
        return replace(machine, dock=bought.dock) if bought else machine

    def start(self, id: str) -> Work[Machine]:
        """EC2's StartInstances; it may get another address."""
        door, named = self._door(id)
        if self.find(id).state == "stopping":
            yield from until("Waiting until it has stopped", lambda: self.find(id).state in ("stopped", "gone"))
        if self.find(id).state != "pending":
            with mapped():
                door.start_instances(InstanceIds=[named.instance])
        return (yield from until("Starting the machine", lambda: ready(self.find(id))))

    def stop(self, id: str) -> Work[Machine]:
        """EC2's StopInstances."""
        door, named = self._door(id)
        with mapped():
            door.stop_instances(InstanceIds=[named.instance])
        yield from until("Stopping the machine", lambda: self.find(id).state in ("stopped", "gone"))
        return self.find(id)

    def destroy(self, id: str) -> Work[None]:
        """The machine with its disk, its security group, and its key when no other machine has it."""
        named = ref(id)
        made = session(named.region)
        if named.product:
            yield from catalog.destroy(client(made, "servicecatalog"), named.product)
            return
        door = client(made, "ec2")
        found = describe(door, named.instance)
        if found is None:
            return
        marks = {each["Key"]: each["Value"] for each in found.get("Tags", ())}
        key = found.get("KeyName", "")
        yield from remove(
            door, marks.get(ec2.CREATION, ""), [named.instance], key if key.startswith("workbench-") else ""
        )

    def admit(self, id: str, allow: str) -> None:
        """Replace what the machine's own security group lets in."""
        door, named = self._door(id)
        found = describe(door, named.instance) or {}
        ids = [each["GroupId"] for each in found.get("SecurityGroups", ())]
        with mapped():
            groups = door.describe_security_groups(GroupIds=ids)["SecurityGroups"] if ids else []
            own = [each for each in groups if any(tag["Key"] == ec2.DOCK for tag in each.get("Tags", ()))]
            if not own:
                raise DockError(f"{id} has no security group of its own.", "Change what lets you in where it is made.")
            for group in own:
                if group["IpPermissions"]:
                    door.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
                door.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=ec2.rule(allow))

    def host_keys(self, id: str) -> tuple[str, ...]:
        """What the machine has written on its console, which AWS hands to its owner only."""
        door, named = self._door(id)
        with mapped():
            try:
                found = door.get_console_output(InstanceId=named.instance, Latest=True)
            except client_error() as error:
                if code(error) != "UnsupportedOperation":
                    raise
                # An older kind of machine: what was kept some minutes ago.
                found = door.get_console_output(InstanceId=named.instance)
        return ec2.host_keys(found.get("Output", ""))

    def _door(self, id: str) -> tuple[Any, Ref]:
        named = ref(id)
        if not named.instance:
            raise DockError("The product did not say which machine it made.", "Look at it in the AWS console.")
        return client(session(named.region), "ec2"), named


def _complete(door: Any, ssm: Any, plan: MachinePlan) -> MachinePlan:
    kind = plan.type or (ec2.GPU_TYPE if plan.gpu else ec2.CPU_TYPE)
    facts = ec2.type_facts(door, kind)
    gpus = ec2.gpus(facts)
    if plan.gpu and not gpus:
        raise ConfigError(f"{kind} has no GPU of NVIDIA's.", f"Take {ec2.GPU_TYPE}, say, or leave out --gpu.")
    arch = facts["ProcessorInfo"]["SupportedArchitectures"][-1]
    image = plan.image or ec2.newest_image(ssm, arch, gpu=bool(gpus))
    with mapped():
        found = door.describe_images(ImageIds=[image])["Images"]
    if not found:
        raise ConfigError(f"{image} is no image here.", "See what there is: aws ec2 describe-images")
    ec2.key_name(plan.key)
    disk = _disk_for(plan.disk, found[0], gpu=bool(gpus))
    about = (f"{facts['VCpuInfo']['DefaultVCpus']} vCPUs, {facts['MemoryInfo']['SizeInMiB'] / 1024:g} GiB", *gpus)
    user = plan.user or ec2.USER
    named = (*about, str(found[0].get("Name") or image))
    return replace(plan, type=kind, gpu=bool(gpus), image=image, user=user, disk=disk, about=named)


def _disk_for(wanted: int, image: Any, *, gpu: bool) -> int:
    sizes = [each["Ebs"].get("VolumeSize", 0) for each in image.get("BlockDeviceMappings", ()) if each.get("Ebs")]
    least = max(sizes, default=0)
    if wanted and wanted < least:
        raise ConfigError(f"The image alone needs {least} GB.", f"Take --disk {least} or more.")
    return wanted or max(least, ec2.GPU_DISK if gpu else ec2.CPU_DISK)


def _check_free(door: Any, plan: MachinePlan) -> None:
    mine = (
        each
        for each in living(door, f"tag:{ec2.DOCK}", plan.name)
        if {"Key": "owner", "Value": plan.owner} in each["Tags"]
    )
    if found := next(mine, None):
        id = found["InstanceId"]
        raise DockError(
            f"You have a machine for a dock {plan.name} in {plan.place} already: {id}.",
            f"Take another name, or remove it: aws ec2 terminate-instances --instance-ids {id}",
        )


def _disk(door: Any, id: str) -> int:
    with mapped():
        found = door.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [id]}])["Volumes"]
    return sum(int(each["Size"]) for each in found)
