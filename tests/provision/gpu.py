"""NVIDIA's programs: the machine's own where it has a GPU, else stand-ins (`nvidia/`) with which no GPU can be used."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provision.ground import Ground, is_root, say
from provision.nvidia.stand_in import GIVEN
from provision.outside import SYSTEM_PATH
from provision.programs import StepFailed, ask, try_to

STAND_INS = Path(__file__).parent / "nvidia"
SPECIFICATION = Path("/var/run/cdi/notebook-workbench-tests.json")
RUNTIME = "nvidia-container-runtime"
NAMES = {"0": ("0",), "1": ("1",), "all": ("0", "1")}


@contextmanager
def nvidia(ground: Ground) -> Iterator[None]:
    """Offer a folder with NVIDIA's programs, and for this run a CDI specification, which Podman reads."""
    smi, runtime = (shutil.which(name, path=SYSTEM_PATH) for name in ("nvidia-smi", RUNTIME))
    if smi and try_to([smi]):
        if runtime is None:
            ground.leave_out("NVIDIA", "this machine has a GPU, and no NVIDIA Container Toolkit")
            yield
            return
        folder, specification = Path(runtime).parent, _specified_by_nvidia
    else:
        say("no NVIDIA GPU here: stand-ins for its programs")
        folder, specification = _stand_ins(ground), _specified
    try:
        if is_root():
            specification(folder)
        ground.offer("NVIDIA", folder)
        yield
    finally:
        if is_root():
            SPECIFICATION.unlink(missing_ok=True)


def configuration(ground: Ground) -> dict[str, object]:
    """What a dockerd is to be told of the runtime, if there is one."""
    folder = ground.env.get("WORKBENCH_TEST_NVIDIA")
    return {"runtimes": {"nvidia": {"path": f"{folder}/{RUNTIME}", "runtimeArgs": []}}} if folder else {}


def path(ground: Ground) -> str:
    """A PATH on which dockerd finds NVIDIA's hook, without which it takes no `--gpus`."""
    return ":".join(filter(None, (ground.env.get("WORKBENCH_TEST_NVIDIA"), SYSTEM_PATH)))


def _stand_ins(ground: Ground) -> Path:
    """The stand-ins where every account and every engine can reach them."""
    folder = ground.cache / "nvidia"
    shutil.copytree(STAND_INS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for id in NAMES["all"]:
        (folder / "gpus").mkdir(exist_ok=True)
        (folder / "gpus" / id).touch()
    return folder


def _specified(folder: Path) -> None:
    devices = [
        {"name": name, "containerEdits": _edits({f"{GIVEN}/{id}": folder / "gpus" / id for id in ids})}
        for name, ids in NAMES.items()
    ]
    edits = _edits({"/usr/bin/nvidia-smi": folder / "nvidia-smi"})
    text = {"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": devices, "containerEdits": edits}
    SPECIFICATION.parent.mkdir(exist_ok=True)
    SPECIFICATION.write_text(json.dumps(text, indent=1))


def _edits(mounts: dict[str, Path]) -> dict[str, object]:
    return {
        "mounts": [
            {"hostPath": str(path), "containerPath": inside, "options": ["bind", "ro"]}
            for inside, path in mounts.items()
        ]
    }


def _specified_by_nvidia(folder: Path) -> None:
    """The real one, unless the machine has it already."""
    if any(Path("/etc/cdi").glob("nvidia*")) or any(SPECIFICATION.parent.glob("nvidia*")):
        return
    try:
        ask([folder / "nvidia-ctk", "cdi", "generate", "--format=json", f"--output={SPECIFICATION}"])
    except StepFailed as failure:
        say(f"no CDI specification: {failure}")
