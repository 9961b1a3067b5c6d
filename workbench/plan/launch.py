"""The whole plan of a launch: a pure function from what was found to what will be done."""

from workbench.model import LOG_FILES, LOG_SIZE, Companions, Delivery, HostFacts, LaunchPlan, Project, Seed, Settings
from workbench.plan import naming
from workbench.plan.build import Folders, Kit, plan_build
from workbench.plan.device import Choice, choose
from workbench.plan.run import NONE, identity, plan_run
from workbench.plan.user import container_user


def plan_launch(
    project: Project,
    settings: Settings,
    facts: HostFacts,
    seed: Seed,
    kit: Kit,
    folders: Folders,
    *,
    rebuild: bool = False,
    offline: bool = False,
    files: dict[str, str] | None = None,
    jupyter: tuple[str, ...] = (),
    companions: Companions | None = None,
) -> LaunchPlan:
    """Build, run and delivery for one workbench.

    `files` are the contents of the network files (certificate bundle, pip's configuration …) that the server and its
    kernels need; nothing secret enters the build or the run.
    """
    build = plan_build(project, settings, facts, kit, folders, force=rebuild, offline=offline)
    choice = choose(settings.device, facts)
    run = plan_run(
        project,
        settings,
        facts,
        seed,
        build,
        folders,
        choice=choice,
        version=kit.version,
        jupyter=jupyter,
        companions=companions or NONE,
    )
    network = facts.network
    told, known = (network.uv, {}) if facts.engine == "local" else (network.env, files or {})
    delivery = Delivery(seed.token, env={**told, **settings.pass_env}, files=known)
    return LaunchPlan(
        name=naming.name_of(project, facts.dock),
        build=build,
        run=run,
        delivery=delivery,
        digest=identity(run, build),
        used=tuple(file.name for file in project.dependencies),
        notices=_notices(project, settings, facts, choice),
    )


def _notices(project: Project, settings: Settings, facts: HostFacts, choice: Choice) -> tuple[str, ...]:
    notices = [*project.notices, *_as_it_is(settings, facts)]
    if settings.image and project.dockerfile and not settings.as_is:
        notices.append(f"Not used: the image {settings.image}. The project's docker/notebook/Dockerfile makes its own.")
    # Without an NVIDIA GPU and without a wish for one there is nothing to say.
    if choice.notice and (facts.gpu.driver or settings.gpu):
        notices.append(choice.notice)
    if facts.engine == "local":
        return (*notices, *_without_container(project, settings))
    user = container_user(facts, project.owner)
    if user.notice:
        notices.append(user.notice)
    if not facts.cgroup_limits and (settings.memory or settings.cpus):
        notices.append(
            "This engine cannot limit memory or CPU (rootless, without delegated cgroups): started without limits."
        )
    if settings.host_network and settings.beside:
        notices.append("In this machine's network services have no names: they are reached where they are published.")
    if facts.engine == "podman" and settings.log_max_file != LOG_FILES:
        notices.append("Podman keeps one file of the log: `log-max-file` is not used.")
    return tuple(notices)


def _without_container(project: Project, settings: Settings) -> list[str]:
    """What the local engine cannot do for this project."""
    wishes = {
        "image": settings.image,
        "base-image": settings.base_image,
        "mounts": settings.mounts,
        "memory": settings.memory,
        "cpus": settings.cpus,
        f"services ({', '.join(settings.beside)})": settings.beside,
        "restart": settings.restart != "no",
        "log-max-size": settings.log_max_size != LOG_SIZE,
        "log-max-file": settings.log_max_file != LOG_FILES,
        "docker/notebook/Dockerfile": project.dockerfile,
        "apt.txt": any(file.name.endswith("apt.txt") for file in project.dependencies),
        "postBuild": any(file.name.endswith("postBuild") for file in project.dependencies),
    }
    unmet = [name for name, wish in wishes.items() if wish]
    return [f"Not used without a container: {', '.join(unmet)}."] if unmet else []


def _as_it_is(settings: Settings, facts: HostFacts) -> list[str]:
    """What cannot be had in an image that nothing is added to."""
    wishes = {
        "[tool.workbench.cpu]": settings.cpu,
        "[tool.workbench.gpu]": settings.gpu,
        "web interfaces of services": any(use.start and use.web for use in settings.services.values()),
    }
    unmet = [name for name, wish in wishes.items() if wish and settings.as_is and facts.engine != "local"]
    return [f"Not used with an image that is taken as it is: {', '.join(unmet)}."] if unmet else []
