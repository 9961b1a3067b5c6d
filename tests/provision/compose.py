"""Compose of today, besides the old one that Debian 12 has: both are what people use."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provision.ground import Ground, say
from provision.outside import clean
from provision.programs import StepFailed, ask

RELEASE = "trixie"
PACKAGE = "docker-compose"
PROGRAM = Path("usr/libexec/docker/cli-plugins/docker-compose")
"""One program without needs of its own, so that it runs beside any other release's packages."""
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


@contextmanager
def compose(ground: Ground) -> Iterator[None]:
    """Offer the folder that has the program; fetched once, from where this machine has its packages, signed."""
    folder = ground.cache / f"compose-{RELEASE}"
    program = folder / PROGRAM
    if not program.exists():
        say("fetching Compose 2 (once)")
        _fetch(folder)
    say(f"Compose: {ask([program, 'version']).strip()}")
    ground.offer("COMPOSE", program.parent)
    yield


def _fetch(folder: Path) -> None:
    env = clean()
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        place = Path(made)
        for each in ("lists/partial", "archives/partial", "parts"):
            (place / each).mkdir(parents=True)
        (place / "sources.list").write_text(f"deb [signed-by={KEYS}] {_mirror()} {RELEASE} main\n")
        options = {
            "Dir::Etc::sourcelist": place / "sources.list",
            "Dir::Etc::sourceparts": place / "parts",
            "Dir::State::lists": place / "lists",
            "Dir::Cache::archives": place / "archives",
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "APT::Sandbox::User": "root",
        }
        apt = ["apt-get", "-q", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
        ask([*apt, "update"], env=env)
        ask([*apt, "install", "--download-only", "--no-install-recommends", "-y", f"{PACKAGE}/{RELEASE}"], env=env)
        packages = list((place / "archives").glob(f"{PACKAGE}_*.deb"))
        if not packages:
            raise StepFailed(f"apt has no {PACKAGE} in {RELEASE}")
        ask(["dpkg-deb", "-x", packages[0], place / "root"], env=env)
        (place / "root").rename(folder)


def _mirror() -> str:
    """Where this machine has its packages from."""
    found = ask(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Component: main"])
    plain = [line for line in found.split() if "security" not in line]
    if not plain:
        raise StepFailed("apt knows no archive of packages")
    return plain[0]
