"""Debian's packages that the real engines and the browser come from."""

import shutil
from pathlib import Path

from provision.ground import Ground, is_root, say
from provision.outside import SYSTEM_PATH, clean
from provision.programs import StepFailed, call

PACKAGES = {
    "docker.io": "dockerd",
    "docker-compose": "docker-compose",
    "iptables": "iptables",
    "debootstrap": "debootstrap",
    "docker-registry": "docker-registry",
    "openssh-server": "sshd",
    "openssh-client": "ssh",
    "zstd": "zstd",
    "rsync": "rsync",
    "unison": "unison",
    "apache2-utils": "htpasswd",
    "podman": "podman",
    "catatonit": "catatonit",
    "runc": "runc",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "slirp4netns": "slirp4netns",
    "uidmap": "newuidmap",
    "fuse-overlayfs": "fuse-overlayfs",
    "iproute2": "ip",
    "sudo": "sudo",
    "zsh": "zsh",
    "fish": "fish",
    "chromium": "chromium",
    "fonts-dejavu-core": "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "python3-venv": "/usr/share/doc/python3-venv",
    "openssl": "openssl",
    "ca-certificates": "/etc/ssl/certs/ca-certificates.crt",
}
"""Package -> the program (or file) that shows that it is there."""


def install(ground: Ground) -> None:
    """Install what is missing; with no root or no apt, note it."""
    missing = [package for package, sign in PACKAGES.items() if not there(sign)]
    if not missing:
        return
    if not is_root() or not shutil.which("apt-get"):
        why = "not root" if not is_root() else "not a Debian machine (no apt-get)"
        say(f"not installing {', '.join(missing)}: {why}")
        return
    env = clean(DEBIAN_FRONTEND="noninteractive")
    try:
        call(["apt-get", "update", "-q"], env=env)
        call(["apt-get", "install", "-qy", "--no-install-recommends", *missing], env=env)
    except StepFailed as failure:
        ground.leave_out("PACKAGES", f"apt could not install {', '.join(missing)}: {failure}")


def there(sign: str) -> bool:
    """Whether a program is on the system's PATH, or a file exists."""
    return Path(sign).exists() if sign.startswith("/") else bool(shutil.which(sign, path=SYSTEM_PATH))
