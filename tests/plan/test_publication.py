"""Under which name an image is published."""

from collections.abc import Mapping

import pytest

from workbench.errors import ConfigError
from workbench.images.spec import ImageSpec
from workbench.plan.publication import Publication, publication

NAMES = {"user": "ada", "account": "123456789012", "region": "eu-west-1"}
LOCAL = "p-dev:ada"


def where(*, names: Mapping[str, str] = NAMES, **said: str) -> Publication:
    return publication(ImageSpec("dev", folder="dev", **said), LOCAL, names, {"TEAM": "lab"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"publication_tag": "quay.io/x/{image}:{tag}"}, "quay.io/x/p-dev:ada"),
        ({"publication_tag": "{user}/{image}"}, "ada/p-dev:ada"),
        ({"publication_tag": "127.0.0.1:5000/{image}"}, "127.0.0.1:5000/p-dev:ada"),
        ({"image_repo": "127.0.0.1:5000"}, "127.0.0.1:5000/p-dev:ada"),
        ({"image_repo": "quay.io/team/"}, "quay.io/team/p-dev:ada"),
        ({"image_repo": "aws"}, "123456789012.dkr.ecr.eu-west-1.amazonaws.com/p-dev:ada"),
        (
            {"image_repo": "aws", "publication_tag": "{account}.dkr.ecr.{region}.amazonaws.com/{image}:1"},
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/p-dev:1",
        ),
        ({"publication_tag": "quay.io/$TEAM/{image}:1"}, "quay.io/lab/p-dev:1"),
    ],
)
def test_names(said: dict[str, str], expected: str) -> None:
    assert where(**said).reference == expected


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "Nothing says where the image 'dev' is published"),
        ({"image_repo": "docker_hub"}, "Nothing says"),
        ({"publication_tag": "quay.io/$GONE/x:1"}, "GONE is not set"),
        ({"publication_tag": "quay.io/{what}:1"}, "is not the name of an image"),
        ({"publication_tag": "-x/y:1"}, "is not the name of an image"),
    ],
)
def test_what_makes_no_name(said: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        where(**said)


@pytest.mark.parametrize(
    ("reference", "registry", "repository"),
    [
        ("quay.io/x/y:1", "quay.io", "x/y"),
        ("localhost/y:1", "localhost", "y"),
        ("127.0.0.1:5000/y:1", "127.0.0.1:5000", "y"),
        ("ada/y:1", "docker.io", "ada/y"),
        ("y:1", "docker.io", "y"),
    ],
)
def test_registry_and_repository(reference: str, registry: str, repository: str) -> None:
    found = Publication(reference)
    assert (found.registry, found.repository) == (registry, repository)


def test_the_users_environment_is_named() -> None:
    assert where(publication_tag="quay.io/$TEAM/{image}:1").reads == ("TEAM",)
