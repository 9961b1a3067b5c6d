"""Amazon's API as a program sees it: moto's, and before it a gate for what moto has not and for what goes wrong.

moto has no price list and makes no product of Service Catalog: the gate answers those questions from values.
"""

import http.client
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer
from moto.ssm.models import Parameter

REGION = "eu-west-1"
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
UBUNTU, DEEP_LEARNING = "ami-785db401", "ami-1e749f67"
"""Two images that moto has."""
PARAMETERS = {
    "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id": UBUNTU,
    "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id": DEEP_LEARNING,
}
REFUSAL = "<Response><Errors><Error><Code>{0}</Code><Message>It is {0}.</Message></Error></Errors></Response>"
FINAL = "SUCCEEDED"


@dataclass
class Product:
    """A product of Service Catalog, its parameters with their defaults, and what has been made of it."""

    parameters: dict[str, str | None] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    ends: str = FINAL
    """What making it comes to."""
    made: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)
    """The request by which it was made."""

    def answer(self, operation: str, request: Any) -> dict[str, Any] | None:
        """What Service Catalog says; None for a thing that is not there."""
        return getattr(self, f"_{operation}")(request)  # type: ignore[no-any-return]

    def _SearchProducts(self, _: Any) -> dict[str, Any]:
        return {"ProductViewSummaries": [{"Name": "Data science", "ProductId": "prod-1", "ShortDescription": "A box"}]}

    def _DescribeProduct(self, _: Any) -> dict[str, Any]:
        versions = [("pa-1", "DEFAULT", 1.0), ("pa-2", "DEFAULT", 2.0), ("pa-3", "DEPRECATED", 3.0)]
        return {"ProvisioningArtifacts": [{"Id": a, "Guidance": b, "CreatedTime": c} for a, b, c in versions]}

    def _ListLaunchPaths(self, _: Any) -> dict[str, Any]:
        return {"LaunchPathSummaries": [{"Id": "lp-1", "Name": "Lab"}]}

    def _DescribeProvisioningParameters(self, _: Any) -> dict[str, Any]:
        found = [
            {"ParameterKey": name, **({} if default is None else {"DefaultValue": default})}
            for name, default in self.parameters.items()
        ]
        return {"ProvisioningArtifactParameters": found}

    def _ProvisionProduct(self, request: Any) -> dict[str, Any]:
        self.asked = request
        status = "AVAILABLE" if self.ends == FINAL else "ERROR"
        self.made = {"Id": "pp-abc", "Name": request["ProvisionedProductName"], "Status": status}
        return {"RecordDetail": {"RecordId": "rec-1", "ProvisionedProductId": "pp-abc", "Status": "CREATED"}}

    def _DescribeRecord(self, request: Any) -> dict[str, Any]:
        ends = self.ends if request["Id"] == "rec-1" else FINAL
        errors = [] if ends == FINAL else [{"Code": "Stack", "Description": "The template is wrong."}]
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()]
        return {"RecordDetail": {"Status": ends, "RecordErrors": errors}, "RecordOutputs": outputs}

    def _DescribeProvisionedProduct(self, _: Any) -> dict[str, Any] | None:
        return {"ProvisionedProductDetail": self.made} if self.made else None

    def _TerminateProvisionedProduct(self, request: Any) -> dict[str, Any]:
        assert request["ProvisionedProductId"] == self.made["Id"]
        self.made = {}
        return {"RecordDetail": {"RecordId": "rec-2", "Status": "CREATED"}}


@dataclass
class Cloud:
    """A stand-in for Amazon. `env` is what a user's programs need to talk to it."""

    address: str
    behind: tuple[str, int]
    refuse: dict[str, str] = field(default_factory=dict)
    """Operations of EC2 that are refused -> the code of the error."""
    swallow: set[str] = field(default_factory=set)
    """Operations of EC2 that are carried out, and whose answers never come."""
    swallowed: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    console: str = ""
    price: str = ""
    product: Product = field(default_factory=Product)

    @property
    def env(self) -> dict[str, str | None]:
        """Credentials, region and address."""
        away = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": REGION}
        # Whatever would ask somebody else does not reach them.
        proxies = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
        return {**KEYS, **away, **proxies, "AWS_ENDPOINT_URL": self.address}

    @property
    def ec2(self) -> Any:
        """EC2 as its owner sees it, past the gate."""
        behind = "http://{}:{}".format(*self.behind)
        login = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        return boto3.client("ec2", region_name=REGION, endpoint_url=behind, **login)

    def machines(self, *states: str) -> list[Any]:
        """The machines in these states; default: those that are not gone."""
        wanted = list(states or ("pending", "running", "stopping", "stopped"))
        found = self.ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": wanted}])
        return [each for reservation in found["Reservations"] for each in reservation["Instances"]]

    def groups(self) -> list[Any]:
        """The security groups that somebody has made."""
        return [
            each for each in self.ec2.describe_security_groups()["SecurityGroups"] if each["GroupName"] != "default"
        ]

    def keys(self) -> list[Any]:
        """The keys that somebody has brought."""
        return list(self.ec2.describe_key_pairs()["KeyPairs"])

    def is_empty(self) -> bool:
        """Whether nothing is there that costs or lets anybody in."""
        return not self.machines() and not self.groups() and not self.keys() and not self.product.made


@contextmanager
def cloud() -> Iterator[Cloud]:
    """An account with nothing in it."""
    moto = ThreadedMotoServer("127.0.0.1", port=0)
    moto.start()
    behind = moto.get_host_and_port()
    connection = http.client.HTTPConnection(*behind)
    connection.request("POST", "/moto-api/reset")
    assert connection.getresponse().status == 200
    store = get_backend("ssm")[DEFAULT_ACCOUNT_ID][REGION]._parameters
    for name, value in PARAMETERS.items():
        made = (DEFAULT_ACCOUNT_ID, name, value, "String", None, None, None, datetime.now(UTC), 1, "text")
        store[name].append(Parameter(*made))  # type: ignore[abstract]
    gate = ThreadingHTTPServer(("127.0.0.1", 0), _Gate)
    there = Cloud(f"http://127.0.0.1:{gate.server_port}", behind)
    gate.cloud = there  # type: ignore[attr-defined]
    threading.Thread(target=gate.serve_forever, daemon=True).start()
    try:
        yield there
    finally:
        there.over.set()
        gate.shutdown()
        gate.server_close()
        moto.stop()


class _Gate(BaseHTTPRequestHandler):
    """One request."""

    def do_POST(self) -> None:
        """Answer it, or hand it on."""
        there: Cloud = self.server.cloud  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        service, _, operation = self.headers.get("X-Amz-Target", "").partition(".")
        action = found[1].decode() if (found := re.search(rb"(?:^|&)Action=(\w+)", body)) else ""
        if "ServiceCatalog" in service:
            self._json(there.product.answer(operation, json.loads(body)))
        elif "PriceList" in service:
            self._json({"PriceList": [there.price]} if there.price else None)
        elif action in there.refuse:
            self._answer(400, "text/xml", REFUSAL.format(there.refuse[action]).encode())
        else:
            status, kind, answer = self._behind(there, body)
            if action == "GetConsoleOutput" and there.console:
                answer = re.sub(rb"(?<=<output>)[^<]*", there.console.encode(), answer)
            if action in there.swallow:
                there.swallowed.set()
                there.over.wait()
            self._answer(status, kind, answer)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def _behind(self, there: Cloud, body: bytes) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection(*there.behind)
        connection.request("POST", self.path, body, dict(self.headers))
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read()

    def _json(self, answer: dict[str, Any] | None) -> None:
        missing = {"__type": "ResourceNotFoundException", "Message": "It is not there."}
        text = json.dumps(missing if answer is None else answer).encode()
        self._answer(400 if answer is None else 200, "application/x-amz-json-1.1", text)

    def _answer(self, status: int, kind: str, answer: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
