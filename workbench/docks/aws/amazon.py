"""The door to AWS for docks: boto3, imported late, with its errors as ours; and how a machine there is named."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from workbench.docks.cloud import Work
from workbench.errors import ConfigError, DockError
from workbench.model import Event

POLL = 3.0
"""Seconds between two questions; AWS has none that waits."""
PATIENCE = 600.0
"""Seconds for a machine to come or go."""
LOGIN = ("AuthFailure", "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "RequestExpired")
ALLOW = "Have somebody allow it: the documentation lists what is needed, under 'Docks of a cloud'."
HINTS = {
    "UnauthorizedOperation": ALLOW,
    "AccessDenied": ALLOW,
    "AccessDeniedException": ALLOW,
    "InsufficientInstanceCapacity": "Take another --type, or another region: AWS_DEFAULT_REGION.",
    "VcpuLimitExceeded": "Ask AWS for more (Service Quotas, EC2, vCPUs of this type), or take a smaller --type.",
    "InstanceLimitExceeded": "Ask AWS for more (Service Quotas, EC2), or take a smaller --type.",
    "InvalidInstanceType": "See what there is: aws ec2 describe-instance-type-offerings",
    "VPCIdNotSpecified": "This account has no default network here: name one with --subnet.",
    "MissingInput": "This account has no default network here: name one with --subnet.",
    "InvalidSubnetID.NotFound": "See what there is: aws ec2 describe-subnets",
    "OptInRequired": "Accept the image's terms in the AWS Marketplace, or take another --image.",
}
T = TypeVar("T")
ELSE = "See who you are there: aws sts get-caller-identity; then its permissions for EC2."


@dataclass(frozen=True, slots=True)
class Ref:
    """A machine's name among all regions, and what of Service Catalog it belongs to."""

    region: str
    instance: str
    product: str = ""

    def __str__(self) -> str:
        return "/".join(each for each in (self.region, self.instance, self.product) if each)


def ref(text: str) -> Ref:
    """The other way round. Raises ConfigError for what is none."""
    region, *rest = text.split("/")
    instance = next((each for each in rest if each.startswith("i-")), "")
    product = next((each for each in rest if each.startswith("pp-")), "")
    if not region or len(rest) != bool(instance) + bool(product) or not rest:
        raise ConfigError(f"{text!r} is no machine of AWS.", "Correct its entry in docks.json, the list of docks.")
    return Ref(region, instance, product)


def session(region: str = "") -> Any:
    """The user's own session, in their region or in another one. Raises ConfigError when there is no region."""
    try:
        import boto3
    except ImportError as error:
        raise ConfigError(
            "Machines of AWS need boto3, which is not installed.",
            f"Install it: {sys.executable} -m pip install boto3",
        ) from error
    with mapped():
        made = boto3.session.Session(region_name=region or None)
        if not made.region_name:
            raise ConfigError("No AWS region is chosen.", "Choose it: export AWS_DEFAULT_REGION=eu-west-1")
        return made


def client(made: Any, service: str) -> Any:
    """A client that gives up in time."""
    from botocore.config import Config

    config = Config(connect_timeout=10, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 3})
    with mapped():
        return made.client(service, config=config)


@contextmanager
def mapped() -> Iterator[None]:
    """boto3's errors as ours."""
    from botocore import exceptions as boto

    try:
        yield
    except (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError) as error:
        raise ConfigError("No AWS credentials were found.", "Log in: aws configure, or aws sso login") from error
    except (boto.SSOError, boto.TokenRetrievalError) as error:
        raise ConfigError(f"Your login at AWS is over: {error}", "Log in again: aws sso login") from error
    except (boto.ProfileNotFound, boto.ConfigParseError) as error:
        raise ConfigError(
            f"The AWS configuration is not valid: {error}", "Correct ~/.aws/config, or AWS_PROFILE."
        ) from error
    except boto.ClientError as error:
        raise _refused(error) from error
    except boto.ParamValidationError as error:
        raise ConfigError(f"AWS does not take this: {error}", "Correct the option that it names.") from error
    except (boto.HTTPClientError, boto.ConnectionError) as error:
        raise DockError(f"AWS cannot be reached: {error}", "Check the network, and the name of the region.") from error
    except boto.BotoCoreError as error:
        raise DockError(f"AWS refused: {error}", ELSE) from error


def client_error() -> type[Exception]:
    """The class of what AWS refuses, to be told apart by `code`."""
    from botocore.exceptions import ClientError

    found: type[Exception] = ClientError
    return found


def code(error: Any) -> str:
    """AWS's own word for an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _refused(error: Any) -> ConfigError | DockError:
    said = code(error)
    # What follows is a page of characters that only AWS reads.
    text = str(error.response.get("Error", {}).get("Message", error)).partition(" Encoded authorization")[0]
    if said in LOGIN:
        return ConfigError(
            f"AWS does not know this login, or no longer: {text}", "Log in: aws configure, or aws sso login"
        )
    return DockError(f"AWS refused ({said}): {text}", HINTS.get(said, ELSE))


def until(step: str, done: Callable[[], T | None], patience: float = PATIENCE) -> Work[T]:
    """Ask `done()` until it says something true, which it comes to. Raises DockError when that takes too long."""
    begun = time.monotonic()
    yield Event("step", step, step)
    while not (found := done()):
        if time.monotonic() - begun > patience:
            yield Event("failed", step, step)
            raise DockError(
                f"{step}: AWS did not come to an end within {patience / 60:.0f} min.", "See the AWS console."
            )
        time.sleep(POLL)
        yield Event("progress", step, step)
    yield Event("done", step, step, seconds=time.monotonic() - begun)
    return found
