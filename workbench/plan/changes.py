"""What changed between the workbench that runs and the one that would be started now, in words."""

from collections.abc import Mapping
from typing import Any

from workbench.model import ImageUse, LaunchPlan
from workbench.plan.digest import changes, plain_fields
from workbench.plan.run import describe

WORDS = {
    "env": "environment variables",
    "mounts": "mounts",
    "memory": "the memory limit",
    "nano_cpus": "the CPU limit",
    "shm_size": "the shared memory size",
    "restart": "the restart policy",
    "log_size": "the limits of the log",
    "log_files": "the limits of the log",
    "bridge": "the network",
    "networks": "the services",
    "cap_add": "capabilities",
    "argv": "the installation of Workbench",
    "venv": "the environment",
    "user": "the container's user",
    "workdir": "the project's name",
    "device": "the device",
    "diffs": "whether copies of notebooks are written",
    "gpus": "the device",
}


def what_changed(before: Mapping[str, Any] | None, plan: LaunchPlan) -> tuple[str, ...]:
    """Each difference as a person names it: `requirements.txt changed`, `the memory limit`."""
    if before is None:
        return ("the plan (what it was is not known any more)",)
    inputs = {} if isinstance(plan.build, ImageUse) else dict(plan.build.inputs)
    built = changes(before.get("inputs", {}), inputs)
    now = plain_fields_of(plan)
    then = before.get("run", {})
    differing = [key for key in sorted(now.keys() | then.keys()) if now.get(key) != then.get(key) and key != "build"]
    run = tuple(WORDS.get(key, key.replace("_", " ")) for key in differing if not (built and key == "venv"))
    return built + tuple(dict.fromkeys(run)) or ("the image",)


def plain_fields_of(plan: LaunchPlan) -> dict[str, Any]:
    """The plan's run as it would come back from JSON."""
    return plain_fields(describe(plan.run, plan.build))
