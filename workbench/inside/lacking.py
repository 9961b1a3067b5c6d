"""What a live-installed project asks for that its environment does not have."""

import json
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name


def lacking_requirements(site_packages: Path, project: Path, devices: Sequence[Path] = ()) -> list[str]:
    """The requirements of the editable install of `project` that nothing in `site_packages` meets.

    What is in `devices`, the packages of the environments over it, is there on purpose, in whatever version.
    """
    apart = {canonicalize_name(each.name) for each in distributions(path=[str(path) for path in devices])}
    have: dict[str, str] = {}
    asked: list[str] = []
    for distribution in distributions(path=[str(site_packages)]):
        have[canonicalize_name(distribution.name)] = distribution.version
        if _is_install_of(distribution, project):
            asked += distribution.requires or []
    markers = {"python_version": _version(site_packages), "extra": ""}
    found = [each for each in _applying(asked, markers) if canonicalize_name(each.name) not in apart]
    return [str(requirement) for requirement in found if not _met(requirement, have)]


def _applying(texts: list[str], markers: dict[str, str]) -> Iterator[Requirement]:
    for text in texts:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue  # Another tool's extension of the standard: uv has read it, or has said why not.
        if requirement.marker is None or requirement.marker.evaluate(markers):
            requirement.marker = None
            yield requirement


def _met(requirement: Requirement, have: dict[str, str]) -> bool:
    version = have.get(canonicalize_name(requirement.name))
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def _is_install_of(distribution: Distribution, project: Path) -> bool:
    raw = distribution.read_text("direct_url.json")
    if not raw:
        return False
    url = urlsplit(json.loads(raw).get("url", ""))
    return url.scheme == "file" and Path(unquote(url.path)) == project


def _version(site_packages: Path) -> str:
    """`X.Y` of the environment, from `lib/pythonX.Y/site-packages`."""
    name = site_packages.parent.name
    return name.removeprefix("python") if name.startswith("python3") else platform.python_version()[:4]
