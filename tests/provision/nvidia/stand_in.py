"""What the stand-ins for NVIDIA's container runtime and hook have in common."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
GIVEN = "/usr/lib/nvidia-stand-in"
UUIDS = {"GPU-00000000-aaaa-4000-8000-000000000000": "0", "GPU-11111111-bbbb-4000-8000-000000000000": "1"}


def wanted(spec: dict[str, Any]) -> list[str]:
    """Indices of the GPUs that a container is to have; ends the program as NVIDIA's does when there is none such."""
    told = dict(each.partition("=")[::2] for each in spec["process"]["env"])
    value = told.get("NVIDIA_VISIBLE_DEVICES", "")
    if value in ("", "void", "none"):
        return []
    found = ["0", "1"] if value == "all" else [UUIDS.get(id, id) for id in value.split(",")]
    if unknown := set(found) - {"0", "1"}:
        raise SystemExit(f"nvidia-container-cli: device error: {min(unknown)}: unknown device")
    return found


def files(spec: dict[str, Any]) -> dict[str, Path]:
    """What such a container gets: path inside -> file of this machine."""
    given = {f"{GIVEN}/{id}": HERE / "gpus" / id for id in wanted(spec)}
    return {"/usr/bin/nvidia-smi": HERE / "nvidia-smi", **given} if given else {}


def read(bundle: Path) -> dict[str, Any]:
    """The OCI configuration in a bundle."""
    found: dict[str, Any] = json.loads((bundle / "config.json").read_text())
    return found
