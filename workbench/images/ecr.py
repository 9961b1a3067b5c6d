"""Amazon's registry, ECR: whose account, a login that lasts 12 hours, a repository for the image. By boto3, late."""

import base64
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from workbench.errors import ConfigError, EngineError
from workbench.images.spec import Login


@dataclass(frozen=True, slots=True)
class Account:
    """An account at AWS, in the region that the user's configuration or environment names."""

    id: str
    region: str


def account() -> Account:
    """The account whose credentials are in the user's environment or configuration."""
    with _mapped():
        session = _boto3().session.Session()
        if not session.region_name:
            raise ConfigError("No AWS region is chosen.", "Choose it: export AWS_DEFAULT_REGION=eu-west-1")
        identity = session.client("sts").get_caller_identity()
        return Account(str(identity["Account"]), session.region_name)


def login(registry: str) -> Login:
    """A login for this registry. Raises ConfigError when AWS gives one for another registry only."""
    with _mapped():
        [found] = _boto3().client("ecr").get_authorization_token()["authorizationData"]
    host = str(found["proxyEndpoint"]).partition("://")[2]
    if host != registry:
        raise ConfigError(
            f"The login that AWS gives is for {host}, not for {registry}.",
            "Publish there, or take another account or region: AWS_PROFILE, AWS_DEFAULT_REGION.",
        )
    user, _, password = base64.b64decode(found["authorizationToken"]).decode().partition(":")
    return Login(user, password, host)


def have_repository(name: str) -> bool:
    """Have a repository of that name; whether it was made now."""
    client = _boto3().client("ecr")
    with _mapped():
        try:
            client.create_repository(repositoryName=name)
        except client.exceptions.RepositoryAlreadyExistsException:
            return False
    return True


def _boto3() -> Any:
    try:
        import boto3
    except ImportError as error:
        raise ConfigError(
            "Publishing to AWS needs boto3, which is not installed.",
            f"Install it: {sys.executable} -m pip install boto3",
        ) from error
    return boto3


@contextmanager
def _mapped() -> Iterator[None]:
    """boto3's errors as ours."""
    _boto3()
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except NoCredentialsError as error:
        raise ConfigError("No AWS credentials were found.", "Log in: aws configure, or aws sso login") from error
    except (ClientError, BotoCoreError) as error:
        raise EngineError(
            f"AWS refused: {error}", "See who you are there: aws sts get-caller-identity; then its permissions for ECR."
        ) from error
