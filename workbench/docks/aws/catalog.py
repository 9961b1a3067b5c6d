"""Products of AWS Service Catalog as docks: what a company has prepared, in the place of a machine of one's own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from workbench.docks.aws.amazon import Ref, client_error, code, mapped, until
from workbench.docks.aws.ec2 import DOCK
from workbench.docks.cloud import Machine, MachinePlan, State, Work
from workbench.errors import ConfigError, DockError, WorkbenchError
from workbench.model import Event

PATIENCE = 3600.0
"""Seconds: a product is whatever its template makes."""
NAME = re.compile(r"workbench-(.+)-[0-9a-f]{8}")
"""Of what we have had made: nobody else's can have it, and what is undone is ours."""
USER = "ec2-user"
ENDED = ("SUCCEEDED", "FAILED")
ADDRESSES = (r"(?i:public.*(ip|address))", r"(?:IP|Ip|(?<![A-Za-z])ip)(?![a-z])|(?i:address)", r"(?i:dns|host)")
"""Names of outputs that hold an address, the best first."""
ADDRESS = re.compile(r"[A-Za-z0-9][\w.:-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Bought:
    """What a product came to."""

    ref: Ref
    address: str


def complete(door: Any, plan: MachinePlan) -> MachinePlan:
    """The plan with the product's id; raises ConfigError for one that is not there or lacks a parameter."""
    product = _find(door, plan.product)
    wanted = _parameters(door, product["ProductId"])
    given = dict(plan.parameters)
    if unknown := sorted(set(given) - set(wanted)):
        raise ConfigError(
            f"{product['Name']} has no parameter {unknown[0]}.", f"There are: {', '.join(wanted) or 'none'}."
        )
    if lacking := [name for name, default in wanted.items() if default is None and name not in given]:
        raise ConfigError(
            f"{product['Name']} needs to be told: {', '.join(lacking)}.", f"Say it: --parameter {lacking[0]}=…"
        )
    about = (f"{product['Name']}, of the AWS Service Catalog: {product.get('ShortDescription', '')}".rstrip(": "),)
    return replace(plan, product=product["ProductId"], user=plan.user or USER, about=about)


def create(door: Any, plan: MachinePlan) -> Work[Bought]:
    """Have the product made; when that fails or is cut off, it is terminated."""
    name = f"workbench-{plan.name}-{uuid4().hex[:8]}"
    try:
        return (yield from _steps(door, plan, name))
    except BaseException as error:
        if not isinstance(error, GeneratorExit):
            yield Event("step", "Removing what was made so far", "undo")
        try:
            for _ in _undo(door, name):
                pass
        except WorkbenchError as left:
            raise DockError(
                f"The product could not be made ({error or type(error).__name__}), and may be there yet.",
                f"Look for {name} among the provisioned products in the AWS console.",
                detail=left.message.splitlines(),
            ) from error
        raise


def find(door: Any, named: Ref) -> Machine:
    """What is left of it; whose it is, its name says."""
    with mapped():
        try:
            found = door.describe_provisioned_product(Id=named.product)["ProvisionedProductDetail"]
        except client_error() as error:
            if code(error) != "ResourceNotFoundException":
                raise
            return Machine(str(named), "gone")
    state: State = "running" if found["Status"] in ("AVAILABLE", "TAINTED") else "pending"
    mark = NAME.fullmatch(str(found["Name"]))
    return Machine(str(named), state, dock=mark[1] if mark else "")


def destroy(door: Any, product: str) -> Work[None]:
    """Terminate it, with all that its template has made."""
    with mapped():
        record = door.terminate_provisioned_product(ProvisionedProductId=product, TerminateToken=uuid4().hex)
    yield from _ended(door, record["RecordDetail"]["RecordId"], "Removing the product")


def machine_of(outputs: Mapping[str, str]) -> tuple[str, str]:
    """The id of the EC2 machine and its address among the outputs of a product; empty for what is not there."""
    id = next((value for value in outputs.values() if re.fullmatch(r"i-[0-9a-f]{8,17}", value)), "")
    for pattern in ADDRESSES:
        for name, value in outputs.items():
            if value != id and re.search(pattern, name) and ADDRESS.fullmatch(value):
                return id, value
    return id, ""


def _steps(door: Any, plan: MachinePlan, name: str) -> Work[Bought]:
    with mapped():
        record = door.provision_product(
            **_version(door, plan.product),
            ProvisionedProductName=name,
            ProvisioningParameters=[{"Key": key, "Value": value} for key, value in plan.parameters],
            Tags=[{"Key": DOCK, "Value": plan.name}, {"Key": "owner", "Value": plan.owner}],
            ProvisionToken=uuid4().hex,
        )["RecordDetail"]
    outputs = yield from _ended(door, record["RecordId"], "Making the product")
    instance, address = machine_of(outputs)
    if not address:
        raise DockError(
            f"The product does not say where its machine is: {', '.join(outputs) or 'no outputs'}.",
            "Its template needs an output with the address, say PublicIp, and one with the instance's id.",
        )
    return Bought(Ref(plan.place, instance, record["ProvisionedProductId"]), address)


def _ended(door: Any, record: str, step: str) -> Work[dict[str, str]]:
    def done() -> Any:
        with mapped():
            found = door.describe_record(Id=record)
        return found if found["RecordDetail"]["Status"] in ENDED else None

    found = yield from until(step, done, PATIENCE)
    if found["RecordDetail"]["Status"] == "FAILED":
        errors = found["RecordDetail"].get("RecordErrors", ())
        why = [f"{each.get('Code', '')}: {each.get('Description', '')}" for each in errors]
        raise DockError("The product could not be changed.", "See AWS CloudFormation in the console.", detail=why)
    return {each["OutputKey"]: each.get("OutputValue", "") for each in found.get("RecordOutputs", ())}


def _undo(door: Any, name: str) -> Work[None]:
    def change_over() -> Any:
        try:
            found = door.describe_provisioned_product(Name=name)["ProvisionedProductDetail"]
        except client_error() as error:
            if code(error) != "ResourceNotFoundException":
                raise
            return {"Id": ""}
        return None if found["Status"] in ("UNDER_CHANGE", "PLAN_IN_PROGRESS") else found

    with mapped():
        found = yield from until("Waiting for the product", change_over, PATIENCE)
    if found["Id"]:
        yield from destroy(door, found["Id"])


def _find(door: Any, product: str) -> Any:
    found: list[Any] = []
    page: dict[str, str] = {"NextPageToken": ""}
    while token := {key: value for key, value in page.items() if key == "NextPageToken"}:
        with mapped():
            page = door.search_products(**(token if token["NextPageToken"] else {}))
        found += page["ProductViewSummaries"]
    for each in found:
        if product in (each["Name"], each["ProductId"]):
            return each
    names = ", ".join(each["Name"] for each in found)
    raise ConfigError(f"There is no product {product!r} for you.", f"There are: {names or 'none'}.")


def _parameters(door: Any, product: str) -> dict[str, str | None]:
    """Each parameter of the newest version with its default; None for one that has to be said."""
    with mapped():
        found = door.describe_provisioning_parameters(**_version(door, product))["ProvisioningArtifactParameters"]
    return {each["ParameterKey"]: each.get("DefaultValue") for each in found}


def _version(door: Any, product: str) -> dict[str, str]:
    """The newest version of a product, and the first way on which this user may have it."""
    artifacts = door.describe_product(Id=product)["ProvisioningArtifacts"]
    if not artifacts:
        raise ConfigError("This product has no version that could be made.", "Ask whoever has made it.")
    newest = max(artifacts, key=lambda each: (each.get("Guidance") != "DEPRECATED", each["CreatedTime"]))
    paths = door.list_launch_paths(ProductId=product)["LaunchPathSummaries"]
    path = {"PathId": paths[0]["Id"]} if paths else {}
    return {"ProductId": product, "ProvisioningArtifactId": newest["Id"], **path}
