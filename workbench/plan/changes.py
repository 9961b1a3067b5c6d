"""What changed between the workbench that runs and the one that would be started now, in words."""

from collections.abc import Mapping
from typing import Any

from workbench.model import ImageUse, LaunchPlan
from workbench.plan.digest import changes, plain_fields
from workbench.plan.run import describe

WORDS = {
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
INSTALL = "whether the project is installed"
OWN = {
    "WORKBENCH_INSTALL": INSTALL,
    "WORKBENCH_CLASSIC": "the classic notebook",
    "WORKBENCH_OPTIONS": "options of Jupyter",
    "WORKBENCH_SERVICES": "the pages of services",
}
"""Variables of ours, as a person knows what they say."""


def what_changed(before: Mapping[str, Any] | None, plan: LaunchPlan) -> tuple[str, ...]:
    """Each difference as a person names it: `requirements.txt changed`, `the memory limit`."""
    if before is None:
        return ("the plan (what it was is not known any more)",)
    inputs = {} if isinstance(plan.build, ImageUse) else dict(plan.build.inputs)
    built = changes(before.get("inputs", {}), inputs)
    now = plain_fields_of(plan)
    then = before.get("run", {})
    differing = [key for key in sorted(now.keys() | then.keys()) if now.get(key) != then.get(key) and key != "build"]
    run = [words for key in differing if not (built and key == "venv") for words in _words(key, then, now)]
    if built:
        # It comes with a file that has been named.
        run = [words for words in run if words != INSTALL]
    return built + tuple(dict.fromkeys(run)) or ("the image",)


def _words(key: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    if key != "env":
        return [WORDS.get(key, key.replace("_", " "))]
    before, after = then.get(key, {}), now.get(key, {})
    names = sorted(before.keys() | after.keys())
    return [OWN.get(name, "environment variables") for name in names if before.get(name) != after.get(name)]


def plain_fields_of(plan: LaunchPlan) -> dict[str, Any]:
    """The plan's run as it would come back from JSON."""
    return plain_fields(describe(plan.run, plan.build))
