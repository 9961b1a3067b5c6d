"""Docker and Podman: workbenches as containers, through the engine's API."""

import getpass
import json
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Any

from workbench import process
from workbench.engines import channels, images, networks, report, streams, translate
from workbench.engines import leftovers as leaving
from workbench.engines.base import Channel, NameTaken, Way
from workbench.engines.dialect import DOCKER, PODMAN, Dialect
from workbench.engines.failures import Absent, Ambiguous, refusal
from workbench.engines.links import refuse_links
from workbench.engines.services import DockerServices
from workbench.engines.sockets import Address
from workbench.engines.store import DockerStore
from workbench.errors import EngineError
from workbench.labels import BUILD, NAME, PORT, PROJECT
from workbench.model import (
    Build,
    ContainerRun,
    Delivery,
    EngineName,
    Event,
    ExecResult,
    GpuFacts,
    HostFacts,
    ImageBuild,
    ImageUse,
    Leftover,
    Running,
    RunPlan,
    Stats,
)
from workbench.plan import commands

PODMAN_CDI = (5, 4)
"""The first Podman whose Docker-compatible API takes CDI names (containers/podman#25171)."""
PATIENCE = 120
"""Seconds in which an engine's program must have made a container; it does not start it."""

SAMPLE = 0.2
"""Seconds between the two samples that the CPU in use is measured from, where none was taken before."""
Entry = Mapping[str, Any]

NETWORK_ATTEMPTS = 12
"""Starts of a container while others make and remove the shared network; five seconds together."""

ENTER = ("/bin/sh", "-c", 'file="$WORKBENCH_RUN/variables.sh"; [ -r "$file" ] && . "$file"; exec "$0" "$@"')
"""Fixed text: takes over proxies, certificates and passed variables, and becomes the command that follows it."""


class DockerEngine:
    """Docker, or Podman through its Docker-compatible API. Connects at once; raises `NoEngineError`.

    What answers decides: Docker's address may lead to a Podman, whose dialect is then spoken. `way` leads to the
    machine of an engine that is on another one, and is closed with it.
    """

    def __init__(self, dialect: Dialect, address: Address | str, way: Way | None = None) -> None:
        # Late: the SDK takes 0.15 s to import, and the local engine does without.
        from workbench.engines.sdk import Client

        self.address = Address(address, chosen=True) if isinstance(address, str) else address
        self._client: Client = Client(dialect, self.address)
        self.dialect = self._client.dialect = PODMAN if self._client.podman else DOCKER
        self.name: EngineName = self.dialect.name
        self._samples: dict[str, tuple[float, float]] = {}
        self._way = way
        self.dock = way.dock if way else None

    @cached_property
    def images(self) -> DockerStore:
        """Its images, over the same connection."""
        return DockerStore(self._client, self.dialect, self.address)

    @cached_property
    def services(self) -> DockerServices:
        """The containers of services, over the same connection."""
        return DockerServices(self._client, self.dialect, self.address)

    @cached_property
    def _info(self) -> Entry:
        found: Entry = self._client.info()
        return found

    def facts(self) -> HostFacts:
        """What the engine says of itself, and who we are here."""
        info, way = self._info, self._way
        # What is on the other side of a way is Linux, whatever this is.
        system = "linux" if way else {"win32": "windows"}.get(sys.platform, sys.platform)
        limits = ("MemoryLimit", "CpuCfsQuota", "PidsLimit")
        rootless = any("rootless" in option for option in info.get("SecurityOptions") or ())
        desktop = system != "linux" or info.get("OperatingSystem") == "Docker Desktop"
        return HostFacts(
            engine=self.name,
            version=self._client.podman or info.get("ServerVersion", ""),
            **_we(way),
            api_version=self._client.api_version,
            address=self.address.url,
            os=system,
            desktop=desktop,
            rootless=rootless,
            isolated_bridge=self.dialect.isolated_bridge,
            runtimes=tuple(sorted(info.get("Runtimes") or ())),
            takes_cdi=self._takes_cdi(),
            program=self._program() is not None,
            # A socket may be the end of a tunnel; behind it is another machine, with another name.
            remote=desktop
            or way is not None
            or not self.address.url.startswith("unix:")
            or info.get("Name") != platform.node(),
            gpu=GpuFacts(cdi=report.gpus(info)),
            cgroup_limits=all(info.get(limit) for limit in limits)
            and not (rootless and info.get("CgroupVersion") != "2"),
            dock=self.dock,
        )

    def _takes_cdi(self) -> bool:
        if not self._client.podman:
            return bool(self._info.get("CDISpecDirs"))
        version = re.findall(r"\d+", self._client.podman)
        return tuple(int(part) for part in version[:2]) >= PODMAN_CDI

    def _program(self) -> str | None:
        return shutil.which(self.dialect.name)

    def present(self, build: Build) -> Mapping[str, str] | None:
        """Inputs of the image for this build, or of the last one of its project."""
        return images.present(self._client, _image(build))

    def provide(self, build: Build) -> Iterator[Event]:
        """Pull or build the image unless it is there, and have it under its tag."""
        return images.provide(self._client, _image(build))

    def start(self, run: RunPlan, delivery: Delivery) -> Running:
        """Create network, volumes and container, start it, hand over the delivery. All or nothing."""
        if not isinstance(run, ContainerRun):
            raise EngineError(f"{self.dialect.title} runs containers only.", "Choose `--engine local`.")
        if not self.dock:
            refuse_links((mount.source for mount in run.mounts if mount.kind == "bind"), run.labels.get(PROJECT, ""))
        network = [run.bridge.name] if run.bridge and networks.have_network(self._client, run.bridge) else []
        volumes: list[str] = []
        id = ""
        try:
            volumes = networks.have_volumes(self._client, run)
            id = self._of_its_own_build(run, self._create(run))
            self.join(id, run.networks)
            self._begin(id, run)
            # At once: should we be killed, a server that got nothing ends by itself.
            self._deliver(id, run.deliver, delivery)
            self.forward(run.port)
            return report.inspected(self._client.inspect_container(id), self.dialect)
        except BaseException:
            if id:
                self._discard(id)
            networks.remove_volumes(self._client, volumes)
            networks.remove_unused(self._client, network)
            raise

    def _create(self, run: ContainerRun) -> str:
        for _ in range(2):
            try:
                return self._create_once(run)
            except NameTaken:
                self._clear_name(run.name)
        raise NameTaken(f"The name {run.name} was taken just now.", "See `workbench ps`, and run the command again.")

    def _create_once(self, run: ContainerRun) -> str:
        """By the API, or with CDI names by Podman's own program: before version 5.4 only that takes them."""
        program = self._program() if self.dialect is PODMAN and commands.cdi_names(run) else None
        if program is None:
            return self._client.create(translate.container(run, self.name), run.name)
        words = commands.create_command(run, self.name)[1:]
        done = process.run((program, *self.dialect.remote, self.address.url, *words), timeout=PATIENCE)
        if done.code != 0:
            raise refusal(500, done.err.rpartition("Error: ")[2], self.dialect.title)
        return done.out.strip()

    def _of_its_own_build(self, run: ContainerRun, id: str) -> str:
        """The container, made again by image id where another project of the same name took the tag meanwhile."""
        labels = self._client.inspect_container(id)["Config"]["Labels"]
        if not run.build or labels.get(BUILD) == run.build:
            return id
        self._discard(id)
        return self._create(replace(run, image=images.of_build(self._client, run.build)))

    def _clear_name(self, name: str) -> None:
        """Remove a workbench that was never started, of a launcher that was killed; leave all else alone."""
        try:
            found = self._client.inspect_container(name)
        except Absent:
            return
        program = self.dialect.name
        if not report.is_workbench(found["Config"]["Labels"]):
            hint = f"Rename or remove it: {program} rename {name} NEW-NAME"
            raise NameTaken(f"A container named {name} is there already, and it is not a workbench.", hint)
        state = report.inspected(found, self.dialect).state
        if state != "created":
            raise NameTaken(f"The workbench {name} is there already ({state}).", "See `workbench ps`.")
        self._discard(found["Id"])

    def _begin(self, id: str, run: ContainerRun) -> None:
        """Start; again when the network went, or was made twice, between our look and the start."""
        for attempt in range(NETWORK_ATTEMPTS):
            try:
                self._client.start(id)
                return
            except (Absent, Ambiguous):
                if run.bridge is None:
                    raise
                networks.have_network(self._client, run.bridge)
                time.sleep(min(0.1 * (attempt + 1), 0.5))
        self._client.start(id)

    def _deliver(self, id: str, command: tuple[str, ...], delivery: Delivery) -> None:
        if not command:
            return
        try:
            streams.deliver(self._client, id, command, delivery.document())
        except EngineError as error:
            if report.inspected(self._client.inspect_container(id), self.dialect).state == "running":
                raise
            last = tuple(line for line in self.logs(id, tail=20) if line.strip())[-6:]
            hint = "These are its last lines: correct what they name, then run the same command again."
            raise EngineError("The container ended at once.", hint, detail=last) from error

    def _discard(self, id: str) -> None:
        with suppress(Absent):
            self._client.remove_container(id, force=True)

    def resume(self, id: str, delivery: Delivery) -> Running:
        """Start a stopped container again and hand over the delivery; stopped again when that fails."""
        found = self._ours(id)
        labels = found["Config"]["Labels"]
        if not self.dock:
            refuse_links((mount["Source"] for mount in found["Mounts"] if mount["Type"] == "bind"), labels[PROJECT])
        self._client.start(id)
        try:
            self._deliver(id, tuple(json.loads(labels.get(commands.DELIVER, "[]"))), delivery)
            self.forward(int(labels[PORT]))
        except BaseException:
            self._client.stop(id)
            raise
        return report.inspected(self._client.inspect_container(id), self.dialect)

    def forward(self, port: int) -> None:
        """By the way to its machine; what is on this one answers here anyway."""
        if self._way:
            self._way.forward(port)

    def join(self, id: str, networks: Sequence[str]) -> None:
        """Anew where a network of that name was made since: a container knows it by its id."""
        joined = self._ours(id)["NetworkSettings"]["Networks"] or {} if networks else {}
        for name in networks:
            now = self._client.inspect_network(name)["Id"]
            if name in joined and joined[name]["NetworkID"] == now:
                continue
            if name in joined:
                self._client.disconnect_container_from_network(id, name, force=True)
            self._client.connect_container_to_network(id, name)

    def leave(self, id: str, networks: Sequence[str]) -> None:
        """By name, whichever network had it then."""
        for name in {*networks} & {*self._ours(id)["NetworkSettings"]["Networks"]}:
            with suppress(Absent):
                self._client.disconnect_container_from_network(id, name, force=True)

    def find(self, labels: Mapping[str, str]) -> list[Running]:
        """One list call; where a name or a project was asked for, a look at each as well (memory, exact start)."""
        wanted = [NAME, *(f"{key}={value}" for key, value in labels.items())]
        entries = self._client.containers(all=True, filters={"label": wanted})
        ours = [entry for entry in entries if report.is_workbench(entry["Labels"])]
        if not {NAME, PROJECT} & set(labels):
            return [report.listed(entry, self.dialect, time.time()) for entry in ours]
        found = []
        for entry in ours:
            # Gone since the list was made: then it is not found.
            with suppress(Absent):
                found.append(report.inspected(self._client.inspect_container(entry["Id"]), self.dialect))
        return found

    def stop(self, id: str) -> None:
        """SIGTERM, SIGKILL after the container's own `StopTimeout`."""
        self._ours(id)
        self._client.stop(id)

    def remove(self, id: str, *, volumes: bool = False) -> None:
        """Remove a stopped container and its network if unused; with `volumes` its labelled volumes."""
        found = self._ours(id)
        used = list(found["NetworkSettings"]["Networks"] or ())
        mounted = [mount["Name"] for mount in found["Mounts"] if mount["Type"] == "volume"]
        self._client.remove_container(found["Id"])
        networks.remove_unused(self._client, used)
        if volumes:
            networks.remove_volumes(self._client, mounted)

    def rename(self, id: str, name: str) -> None:
        """Rename a container; its id stays."""
        self._ours(id)
        self._client.rename(id, name)

    def _ours(self, id: str) -> Entry:
        """Inspect a workbench; refuse what is not one."""
        found: Entry = self._client.inspect_container(id)
        if not report.is_workbench(found["Config"]["Labels"]):
            raise EngineError(f"The container {id} is not a workbench.", "See `workbench ps`.")
        return found

    def logs(self, id: str, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        """Both output streams in the order of their coming."""
        return streams.log(self._client, self.dialect, id, follow=follow, tail=tail)

    def stats(self, id: str) -> Stats:
        """A sample; its CPU is measured since the last one, or over 0.2 s where that was never or long ago."""
        if report.inspected(self._ours(id), self.dialect).state != "running":
            raise EngineError(f"The workbench {id[:12]} is not running.", "See `workbench ps`.")
        before = self._samples.get(id)
        if before is None or time.time() - before[0] > 60:
            before = report.cpu_time(self._sample(id))
            time.sleep(SAMPLE)
        sample = self._sample(id)
        self._samples[id] = report.cpu_time(sample)
        return report.stats(before, sample, int(self._info.get("MemTotal") or 0))

    def _sample(self, id: str) -> Entry:
        sample: Entry = self._client.stats(id, stream=False, one_shot=True)
        return sample

    def made(self, id: str) -> float | None:
        """When the container's image was made, whatever has its tag by now."""
        return report.seconds(self._client.image(self._ours(id)["Image"])["Created"])

    def exec(self, id: str, argv: tuple[str, ...], *, stdin: bytes | None = None) -> ExecResult:
        """Run a command as the container's user in its working folder."""
        return streams.execute(self._client, id, argv, stdin)

    def talk(self, id: str, argv: tuple[str, ...]) -> Channel:
        """The same, as a conversation."""
        return channels.to_container(self._client, id, argv)

    def exec_argv(self, id: str, argv: tuple[str, ...], *, tty: bool) -> tuple[tuple[str, ...], Mapping[str, str]]:
        """`docker exec` by the engine's own program, with the variables that the server was handed over."""
        options = ("-it",) if tty else ("-i",)
        words = (self.dialect.name, *self.dialect.remote, self.address.url, "exec", *options, id, *ENTER, *argv)
        return words, {key: value for key, value in self.address.environment.items() if key != "DOCKER_HOST"}

    def leftovers(self) -> list[Leftover]:
        """Stopped workbenches, images of the past, networks and volumes that nothing needs, with their sizes."""
        client = self._client
        ours = {"label": [PROJECT]}
        held = leaving.Holdings(
            containers=client.containers(all=True),
            images=client.images(filters=ours),
            networks=[network for network in client.networks() if report.is_ours(network["Labels"])],
            volumes=[volume for volume in client.volumes()["Volumes"] or () if report.is_ours(volume["Labels"])],
            sizes=leaving.sizes(client.df()),
            machine=self.dock.machine if self.dock else "",
            owner=str(_we(self._way)["uid"]),
        )
        return leaving.leftovers(held)

    def delete(self, leftover: Leftover) -> None:
        """Remove one; refuses what does not carry our labels."""
        if leftover.kind == "container":
            self.remove(leftover.id)
        elif leftover.kind == "image":
            labels = self._client.image(leftover.id)["Config"]["Labels"]
            self._need(leaving.is_built(labels), leftover)
            self._client.remove_image(leftover.id, force=True)
        elif leftover.kind == "network":
            self._need(report.is_ours(self._client.inspect_network(leftover.id)["Labels"]), leftover)
            self._client.remove_network(leftover.id)
        elif leftover.kind == "volume":
            self._need(report.is_ours(self._client.inspect_volume(leftover.id)["Labels"]), leftover)
            self._client.remove_volume(leftover.id)
        else:
            raise EngineError(f"{self.dialect.title} has no {leftover.kind} to remove.", "Choose `--engine local`.")

    def _need(self, ours: bool, leftover: Leftover) -> None:
        if not ours:
            raise EngineError(
                f"The {leftover.kind} {leftover.name} was not made by Workbench: it stays.",
                "Remove it yourself if it is not needed.",
            )

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()
        if self._way:
            self._way.close()


def _image(build: Build) -> ImageBuild | ImageUse:
    if isinstance(build, ImageBuild | ImageUse):
        return build
    raise EngineError("A container engine needs an image, not a virtual environment.", "Choose `--engine local`.")


def _we(way: Way | None) -> dict[str, Any]:
    """Who we are where the engine is."""
    if way:
        return {"uid": way.uid, "gid": way.gid, "user": way.user}
    known = hasattr(os, "getuid")
    return {"uid": os.getuid() if known else 1000, "gid": os.getgid() if known else 1000, "user": _user()}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A user id without a name, as many clusters have.
        return str(os.getuid()) if hasattr(os, "getuid") else "user"
