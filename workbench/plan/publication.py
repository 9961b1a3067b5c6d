"""Under which name an image is published. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from workbench.errors import ConfigError
from workbench.images.places import Variables, expand
from workbench.images.spec import ImageSpec
from workbench.values import reference_pattern

AWS, DOCKER_HUB = "aws", ("docker_hub", "docker")
ECR = "{account}.dkr.ecr.{region}.amazonaws.com/{image}:{tag}"


@dataclass(frozen=True, slots=True)
class Publication:
    """An image's name in a registry; `reads` are the variables of the user's environment that it was made from."""

    reference: str
    reads: tuple[str, ...] = ()

    @property
    def registry(self) -> str:
        """The registry's host, with its port."""
        return registry(self.reference)

    @property
    def repository(self) -> str:
        """The name within the registry, without tag."""
        return self.reference.removeprefix(f"{self.registry}/").partition("@")[0].rpartition(":")[0]


def registry(reference: str) -> str:
    """The host in an image's name; Docker Hub's where there is none."""
    first, slash, _ = reference.partition("/")
    return first if slash and (re.search(r"[.:]", first) or first == "localhost") else "docker.io"


def wants_aws(spec: ImageSpec) -> bool:
    """Whether an account at AWS decides the name."""
    return spec.image_repo == AWS


def publication(spec: ImageSpec, local: str, names: Mapping[str, str], environ: Mapping[str, str]) -> Publication:
    """The name for the image that is called `local` here. `names` has `user`, and for AWS `account` and `region`.

    Raises ConfigError where nothing says it, or what does makes no name.
    """
    image, _, tag = local.rpartition(":")
    text = spec.publication_tag or _usual(spec)
    where = spec.origins.get("publication-tag") or spec.origins.get("image-repo") or "publication-tag"
    try:
        made = expand(text, Variables({**names, "image": image, "tag": tag}, environ))
    except ValueError as error:
        raise ConfigError(f"{where}: `publication-tag`: {error}.", "Correct or remove it.") from error
    found = str(made.value)
    if not reference_pattern.fullmatch(found) or "{" in found:
        raise ConfigError(f"{where}: {found!r} is not the name of an image.", "Correct the publication-tag.")
    return Publication(found if ":" in found.rpartition("/")[2] else f"{found}:{tag}", made.reads)


def _usual(spec: ImageSpec) -> str:
    """What `image-repo` alone says."""
    if spec.image_repo == AWS:
        return ECR
    if spec.image_repo and spec.image_repo not in DOCKER_HUB:
        return f"{spec.image_repo.rstrip('/')}/{{image}}:{{tag}}"
    account = "ACCOUNT" if spec.image_repo else "quay.io/TEAM"
    raise ConfigError(
        f"Nothing says where the image {spec.key!r} is published.",
        f'Configure it, publication-tag = "{account}/{{image}}:{{tag}}", or give it: --to {account}/NAME:TAG',
    )
