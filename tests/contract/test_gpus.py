"""GPUs in containers, on each engine and in each form: NVIDIA's own where there is one, else stand-ins for it."""

import json
from dataclasses import replace

import pytest

from tests.contract.benches import DELIVERY, Bench, ContainerBench, free_port, with_gpus, with_labels
from tests.support.require import require
from workbench import gpus, ready
from workbench.errors import EngineError
from workbench.labels import DEVICE, GPUS, NAME
from workbench.model import Device, Gpu, HostFacts, Running
from workbench.plan.device import Choice, choose

OF_THE_WAY = ("Annotations", "CreateCommand", "RestartPolicy", "Umask", "sdNotifyMode")
"""What Podman notes of how a container was made, or spells in two ways."""


@pytest.fixture
def facts(container_bench: ContainerBench) -> HostFacts:
    """What a launch would find here with NVIDIA's programs on PATH."""
    facts = container_bench.engine.facts()
    environ = {"PATH": require("nvidia")}
    return replace(facts, gpu=gpus.survey(facts.engine, environ))


@pytest.fixture
def form(request: pytest.FixtureRequest, facts: HostFacts) -> HostFacts:
    """The facts for which GPUs are asked for in this form."""
    if request.param == "cdi":
        if facts.engine == "docker" and not facts.takes_cdi:
            pytest.skip(f"Docker {facts.version} takes no CDI names")
        return facts
    return replace(facts, takes_cdi=False, **({"runtimes": ()} if request.param == "request" else {}))


in_every_form = pytest.mark.parametrize(
    ("container_bench", "form"),
    [("docker", "request"), ("docker", "runtime"), ("docker", "cdi"), ("podman", "cdi")],
    indirect=True,
)


def started(bench: ContainerBench, choice: Choice) -> Running:
    running = bench.engine.start(with_gpus(bench.run(), choice), DELIVERY)
    ready.wait(running.port, DELIVERY.token, lambda: True, patience=20)
    return running


def seen(bench: ContainerBench, running: Running) -> tuple[Gpu, ...]:
    """The GPUs that the container has, by its own nvidia-smi."""
    found = bench.engine.exec(running.id, gpus.query())
    assert found.code == 0, found.err
    return gpus.parse(found.out)


def names(found: tuple[Gpu, ...]) -> list[str]:
    return [gpu.uuid for gpu in found]


@in_every_form
def test_a_container_with_gpus_has_them_and_keeps_them(container_bench: ContainerBench, form: HostFacts) -> None:
    running = started(container_bench, choose(Device("auto"), form))
    assert names(seen(container_bench, running)) == names(form.gpu.gpus)
    assert (running.device, running.gpus) == ("cpu", "all")
    container_bench.engine.stop(running.id)
    again = container_bench.engine.resume(running.id, DELIVERY)
    assert names(seen(container_bench, again)) == names(form.gpu.gpus)
    (found,) = container_bench.engine.find({NAME: running.name})
    assert (found.device, found.gpus) == ("cpu", "all")


@in_every_form
def test_a_container_has_the_gpu_that_was_asked_for(container_bench: ContainerBench, form: HostFacts) -> None:
    last = form.gpu.gpus[-1]
    running = started(container_bench, choose(Device("gpu", (str(last.index),)), form))
    assert names(seen(container_bench, running)) == [last.uuid]
    assert (running.device, running.gpus) == (f"gpu:{last.index}", str(last.index))


def test_a_container_for_the_cpu_has_no_gpu(container_bench: ContainerBench, facts: HostFacts) -> None:
    running = started(container_bench, choose(Device("cpu"), facts))
    assert container_bench.engine.exec(running.id, ("sh", "-c", "command -v nvidia-smi")).code != 0
    assert (running.device, running.gpus) == ("cpu", "")


@in_every_form
def test_a_gpu_that_is_gone_meanwhile_is_refused_and_leaves_nothing(
    container_bench: ContainerBench, form: HostFacts
) -> None:
    choice = replace(choose(Device("gpu"), form), ids=("99",))
    before = container_bench.traces()
    with pytest.raises(EngineError) as refused:
        container_bench.engine.start(with_gpus(container_bench.run(), choice), DELIVERY)
    assert "--cpu" in refused.value.hint
    assert container_bench.traces() == before


@pytest.mark.parametrize("container_bench", ["podman"], indirect=True)
def test_podmans_program_makes_the_same_container_as_its_api(container_bench: ContainerBench) -> None:
    """Devices with CDI names go through the program; without them the API makes the container."""
    require("nvidia")
    port = free_port()
    found = []
    for devices in ((), ("nvidia.com/gpu=0",)):
        run = replace(container_bench.run(port=port), devices=devices)
        running = container_bench.engine.start(run, DELIVERY)
        (told,) = json.loads(container_bench.cli("inspect", running.id).out)
        parts = {**told["HostConfig"], **told["Config"], "Env": sorted(told["Config"]["Env"])}
        parts["LogConfig"].pop("Path")
        found.append({key: value for key, value in parts.items() if key not in OF_THE_WAY})
        container_bench.engine.stop(running.id)
        container_bench.engine.remove(running.id)
    differing = [key for key in found[0] | found[1] if found[0].get(key) != found[1].get(key)]
    assert differing == []


@pytest.mark.parametrize(("device", "which"), [("gpu:0,1", "0,1"), ("gpu", "all"), ("cpu", "all")])
def test_every_engine_tells_the_device_and_the_gpus(bench: Bench, device: str, which: str) -> None:
    running = bench.engine.start(with_labels(bench.run(), {DEVICE: device, GPUS: which}), DELIVERY)
    (found,) = bench.engine.find({NAME: running.name})
    listed = next(each for each in bench.engine.find({}) if each.id == running.id)
    for each in (running, found, listed):
        assert (each.device, each.gpus) == (device, which)
