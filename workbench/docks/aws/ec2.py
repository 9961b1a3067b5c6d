"""Machines of EC2: what is asked of AWS, as values. Pure, but for the questions at the end."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.docks import cloudinit
from workbench.docks.aws.amazon import client_error, code, mapped
from workbench.docks.cloud import Machine, MachinePlan, State
from workbench.errors import ConfigError
from workbench.labels import LABEL

DOCK, CREATION = LABEL + "dock", LABEL + "creation"
"""Tags: the dock that something was made for, and the one creation that it belongs to."""
CPU_TYPE, GPU_TYPE, USER = "t3.large", "g5.xlarge", "ubuntu"
CPU_DISK, GPU_DISK = 100, 200
"""In GB."""
UBUNTU = "/aws/service/canonical/ubuntu/server/{release}/stable/current/{arch}/hvm/ebs-gp3/ami-id"
RELEASES = ("26.04", "24.04")
"""Of Ubuntu's with long support, the newest first: the first one that AWS has is taken."""
DEEP_LEARNING = "/aws/service/deeplearning/ami/{arch}/base-oss-nvidia-driver-gpu-ubuntu-{release}/latest/ami-id"
STATES: Mapping[str, State] = {
    "pending": "pending",
    "running": "running",
    "stopping": "stopping",
    "stopped": "stopped",
    "shutting-down": "gone",
    "terminated": "gone",
}
HOST_KEYS = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----\s(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
HOST_KEY = re.compile(r"(?:^|\s)((?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d{3}) [A-Za-z0-9+/]+={0,2})(?=\s|$)")


def key_name(key: str) -> str:
    """What a public key is called there: after its fingerprint. Raises ConfigError for what EC2 does not take."""
    kind, _, rest = key.partition(" ")
    try:
        blob = base64.b64decode(rest.split()[0], validate=True)
    except (IndexError, binascii.Error) as error:
        raise ConfigError("This is no public key of OpenSSH.", "Name one that ends in .pub: --key FILE") from error
    if kind not in ("ssh-ed25519", "ssh-rsa"):
        raise ConfigError(f"EC2 takes no key of the kind {kind}.", "Make one: ssh-keygen -t ed25519")
    return f"workbench-{hashlib.sha256(blob).hexdigest()[:32]}"


def tags(plan: MachinePlan, creation: str) -> list[dict[str, str]]:
    """Whose a thing is, and for what."""
    found = {"Name": plan.name, DOCK: plan.name, CREATION: creation, "owner": plan.owner}
    return [{"Key": key, "Value": value} for key, value in found.items()]


def tagged(kind: str, plan: MachinePlan, creation: str) -> list[dict[str, Any]]:
    """The same for something that is being made."""
    return [{"ResourceType": kind, "Tags": tags(plan, creation)}]


def run_words(plan: MachinePlan, creation: str, group: str, device: str) -> dict[str, Any]:
    """The arguments of RunInstances. `device` is what the image calls its first disk."""
    disk = {"VolumeSize": plan.disk, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}
    return {
        "ImageId": plan.image,
        "InstanceType": plan.type,
        "MinCount": 1,
        "MaxCount": 1,
        "ClientToken": creation,
        "KeyName": key_name(plan.key),
        "SecurityGroupIds": [group],
        **({"SubnetId": plan.subnet} if plan.subnet else {}),
        "UserData": cloudinit.text(plan.user, gpu=plan.gpu, idle_stop=plan.idle_stop),
        "BlockDeviceMappings": [{"DeviceName": device, "Ebs": disk}],
        # A program in a container of the machine gets nothing from there.
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 1},
        # What stops itself must not be gone.
        "InstanceInitiatedShutdownBehavior": "stop",
        "TagSpecifications": [*tagged("instance", plan, creation), *tagged("volume", plan, creation)],
    }


def rule(allow: str) -> list[dict[str, Any]]:
    """The one way in: ssh, from these addresses."""
    what = "ssh from whoever made this machine"
    ranges = (
        {"Ipv6Ranges": [{"CidrIpv6": allow, "Description": what}]}
        if ":" in allow
        else {"IpRanges": [{"CidrIp": allow, "Description": what}]}
    )
    return [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, **ranges}]


def machine(id: str, found: Mapping[str, Any], disk: int = 0) -> Machine:
    """What DescribeInstances says of one."""
    marks = {each["Key"]: each["Value"] for each in found.get("Tags", ())}
    return Machine(
        id,
        STATES[found["State"]["Name"]],
        # In a network of one's own there may be no public one, and a way of one's own.
        address=found.get("PublicIpAddress") or found.get("PrivateIpAddress") or "",
        dock=marks.get(DOCK, ""),
        type=found["InstanceType"],
        disk=disk,
    )


def host_keys(console: str) -> tuple[str, ...]:
    """The public keys that a machine has written on its console; cloud-init and our own setup do."""
    blocks = HOST_KEYS.findall(console)
    return tuple(dict.fromkeys(HOST_KEY.findall(blocks[-1]))) if blocks else ()


def image_names(arch: str, *, gpu: bool) -> tuple[str, ...]:
    """The public parameters that name the image, the best first. `arch` as EC2 says it: x86_64, arm64."""
    if gpu:
        return (DEEP_LEARNING.format(arch=arch, release="24.04"),)
    short = {"x86_64": "amd64"}.get(arch, arch)
    return tuple(UBUNTU.format(release=release, arch=short) for release in RELEASES)


def newest_image(ssm: Any, arch: str, *, gpu: bool) -> str:
    """The image to take when none is named."""
    names = image_names(arch, gpu=gpu)
    with mapped():
        found = {each["Name"]: each["Value"] for each in ssm.get_parameters(Names=list(names))["Parameters"]}
    best = next((str(found[name]) for name in names if name in found), "")
    if not best:
        raise ConfigError(f"AWS names no image here: {names[-1]}", "Name one yourself: --image ami-…")
    return best


def type_facts(ec2: Any, type: str) -> Mapping[str, Any]:
    """What AWS says of an instance type. Raises ConfigError when there is none of this name."""
    with mapped():
        try:
            [found] = ec2.describe_instance_types(InstanceTypes=[type])["InstanceTypes"]
        except client_error() as error:
            if code(error) != "InvalidInstanceType":
                raise
            raise ConfigError(
                f"{type!r} is no instance type here.", "See what there is: aws ec2 describe-instance-type-offerings"
            ) from error
    facts: Mapping[str, Any] = found
    return facts


def gpus(facts: Mapping[str, Any]) -> Sequence[str]:
    """NVIDIA's GPUs of an instance type, a line each kind."""
    found = facts.get("GpuInfo", {}).get("Gpus", ())
    return [f"{each['Count']} x NVIDIA {each['Name']}" for each in found if each.get("Manufacturer") == "NVIDIA"]
