"""The base image, made of Debian's packages: tests never depend on a registry of the outside."""

import os
import subprocess
import tempfile
from pathlib import Path

from provision.ground import Ground, say
from provision.programs import StepFailed, ask

INCLUDE = "ca-certificates,python3,python3-venv"


def archive(ground: Ground) -> Path:
    """The root file system as a tar file in the cache folder; made once."""
    target = ground.cache / "base-bookworm.tar"
    if target.exists():
        return target
    say("making the base image with debootstrap (once, about 40 s)")
    # Not in a folder that is mounted without devices or programs, as /tmp may be.
    with tempfile.TemporaryDirectory(dir=ground.cache) as folder:
        # Its six hundred lines of progress would drown everything else; the last ones appear when it fails.
        ask(["debootstrap", "--variant=minbase", f"--include={INCLUDE}", "bookworm", folder])
        for package in Path(folder, "var/cache/apt/archives").glob("*.deb"):
            package.unlink()
        unfinished = target.with_suffix(".unfinished")
        ask(["tar", "-C", folder, "--one-file-system", "-cf", unfinished, "."])
        unfinished.replace(target)
    return target


def load(archive: Path, command: list[str], env: dict[str, str]) -> None:
    """Feed the archive to an engine's `import -`."""
    with archive.open("rb") as stream:
        done = subprocess.run(command, stdin=stream, env={**os.environ, **env}, capture_output=True, check=False)
    if done.returncode:
        raise StepFailed(f"{command[0]} import: {done.stderr.decode(errors='replace').strip()[-400:]}")
