"""Which device a workbench gets, and in what form its engine is asked for GPUs: the whole decision as a table."""

from dataclasses import replace

import pytest

from tests.plan.values import DOCKER, LOCAL
from workbench.errors import EngineError
from workbench.model import Device, Gpu, GpuFacts
from workbench.plan.device import NO_DRIVER, REGISTER, WITHOUT, Choice, choose, environment, obstacle

ONE = Gpu(0, "GPU-00000000-aaaa", "A100")
TWO = Gpu(1, "GPU-11111111-bbbb", "T4")
DRIVER = GpuFacts(driver="570.86.15", gpus=(ONE, TWO))
TOOLKIT = replace(DRIVER, toolkit="1.18.0")
HOOK = replace(TOOLKIT, hook=True)
CDI = replace(HOOK, cdi=("0", "1", "all"))
CDI_BY_UUID = replace(HOOK, cdi=(ONE.uuid, TWO.uuid, "all"))
CDI_OF_ONE = replace(HOOK, cdi=("0",))
OLD = replace(CDI, toolkit="1.17.7")
FIXED = replace(CDI, toolkit="1.17.8")

BARE = replace(DOCKER, gpu=TOOLKIT)
RUNTIME = replace(DOCKER, gpu=TOOLKIT, runtimes=("nvidia", "runc"))
WITH_HOOK = replace(DOCKER, gpu=HOOK)
WITH_CDI = replace(DOCKER, version="28.3.0", gpu=CDI, runtimes=("nvidia", "runc"), takes_cdi=True)
FAR = replace(DOCKER, address="tcp://gpu-box:2376", remote=True)
PODMAN = replace(DOCKER, engine="podman", version="4.3.1", gpu=CDI)
PODMAN_5_4 = replace(PODMAN, version="5.4.0", takes_cdi=True)
MAC = replace(DOCKER, os="darwin", desktop=True, remote=True)
LOCAL_GPU = replace(LOCAL, gpu=DRIVER)

AUTO, CPU, GPU = Device(), Device("cpu"), Device("gpu")
SECOND, BOTH = Device("gpu", ("1",)), Device("gpu", ("0", "1"))
BY_UUID = Device("gpu", (TWO.uuid,))
MIG = Device("gpu", ("MIG-1234",))


@pytest.mark.parametrize(
    ("facts", "device", "form", "ids"),
    [
        # Docker: CDI before the runtime, the runtime before device requests.
        (WITH_CDI, GPU, "cdi", ()),
        (WITH_CDI, BOTH, "cdi", ("0", "1")),
        (WITH_CDI, BY_UUID, "cdi", ("1",)),
        (replace(WITH_CDI, gpu=CDI_BY_UUID), SECOND, "cdi", (TWO.uuid,)),
        (replace(WITH_CDI, takes_cdi=False), GPU, "runtime", ()),
        (replace(WITH_CDI, gpu=HOOK), GPU, "runtime", ()),
        (replace(WITH_CDI, gpu=CDI_OF_ONE), GPU, "runtime", ()),
        (replace(WITH_CDI, gpu=CDI_OF_ONE), SECOND, "runtime", ("1",)),
        (replace(WITH_CDI, gpu=CDI_OF_ONE), Device("gpu", ("0",)), "cdi", ("0",)),
        (RUNTIME, GPU, "runtime", ()),
        (RUNTIME, BOTH, "runtime", ("0", "1")),
        (RUNTIME, BY_UUID, "runtime", (TWO.uuid,)),
        (RUNTIME, MIG, "runtime", ("MIG-1234",)),
        (replace(RUNTIME, gpu=HOOK), GPU, "runtime", ()),
        (replace(RUNTIME, gpu=DRIVER), GPU, "runtime", ()),
        (replace(RUNTIME, gpu=FIXED), GPU, "runtime", ()),
        (WITH_HOOK, GPU, "request", ()),
        (WITH_HOOK, BOTH, "request", ("0", "1")),
        (replace(WITH_HOOK, gpu=CDI), GPU, "request", ()),
        # Another machine: only what its engine says.
        (replace(FAR, runtimes=("nvidia",)), GPU, "runtime", ()),
        (replace(FAR, runtimes=("nvidia",)), Device("gpu", ("7",)), "runtime", ("7",)),
        (replace(FAR, runtimes=("nvidia",), gpu=OLD), GPU, "runtime", ()),
        (replace(FAR, takes_cdi=True), GPU, "cdi", ()),
        (replace(FAR, takes_cdi=True, gpu=GpuFacts(cdi=("all",))), GPU, "cdi", ()),
        (replace(PODMAN, remote=True, gpu=GpuFacts()), BOTH, "cdi", ("0", "1")),
        # Podman: by its program, or its API from 5.4.
        (PODMAN, GPU, "cdi", ()),
        (PODMAN, SECOND, "cdi", ("1",)),
        (PODMAN_5_4, GPU, "cdi", ()),
        (replace(PODMAN_5_4, program=False), GPU, "cdi", ()),
        (replace(PODMAN, gpu=replace(CDI, toolkit="")), GPU, "cdi", ()),
        # Without a container the driver is enough, whatever toolkit there is.
        (LOCAL_GPU, GPU, None, ()),
        (LOCAL_GPU, BOTH, None, ("0", "1")),
        (replace(LOCAL, gpu=OLD), GPU, None, ()),
    ],
)
def test_gpus_are_asked_for_in_the_form_that_the_engine_understands(facts, device, form, ids):
    assert choose(device, facts) == Choice("gpu", ids, form, usable=True)


@pytest.mark.parametrize(
    ("facts", "device", "reason", "fix"),
    [
        (DOCKER, GPU, NO_DRIVER[0], "ubuntu-drivers"),
        (replace(DOCKER, runtimes=("nvidia",)), GPU, NO_DRIVER[0], "ubuntu-drivers"),
        (LOCAL, GPU, NO_DRIVER[0], "ubuntu-drivers"),
        (replace(DOCKER, gpu=GpuFacts(absent=True)), GPU, "no NVIDIA GPU", "--cpu"),
        (replace(LOCAL, gpu=GpuFacts(absent=True)), GPU, "no NVIDIA GPU", "--cpu"),
        (replace(PODMAN, gpu=GpuFacts()), GPU, NO_DRIVER[0], "ubuntu-drivers"),
        (replace(DOCKER, gpu=DRIVER), GPU, "Toolkit is not installed", "apt-get install -y nvidia-container-toolkit"),
        (replace(PODMAN, gpu=DRIVER), GPU, "Toolkit is not installed", "apt-get install -y nvidia-container-toolkit"),
        (BARE, GPU, "does not know the runtime", REGISTER),
        (replace(BARE, rootless=True), GPU, "does not know the runtime", "systemctl --user restart docker"),
        (replace(RUNTIME, gpu=OLD), GPU, r"1\.17\.7 \(CVE-2025-23266\)", "--only-upgrade nvidia-container-toolkit"),
        (replace(PODMAN, gpu=OLD), GPU, "CVE-2025-23266", "--only-upgrade nvidia-container-toolkit"),
        (replace(PODMAN, gpu=TOOLKIT), GPU, "No CDI specification tells Podman of the GPUs", "nvidia-ctk cdi generate"),
        (replace(PODMAN, gpu=CDI_OF_ONE), SECOND, "tells Podman of GPU 1", "nvidia-ctk cdi generate"),
        (replace(PODMAN, program=False), GPU, r"Podman 4\.3\.1 takes GPUs only", "install -y podman"),
        (MAC, GPU, "a Mac", "run-notebook --cpu"),
        (replace(LOCAL, os="darwin"), GPU, "Mac", "run-notebook --cpu"),
        (replace(DOCKER, desktop=True, remote=True, gpu=CDI), GPU, "virtual machine", "run-notebook --cpu"),
        (FAR, GPU, "on the other machine", REGISTER),
        (replace(FAR, gpu=CDI), GPU, "on the other machine", REGISTER),
        (RUNTIME, Device("gpu", ("2",)), r"no GPU 2 here: there is 0 \(A100\), 1 \(T4\)", "nvidia-smi -L"),
        (LOCAL_GPU, Device("gpu", ("0", "9")), "no GPU 9 here", "nvidia-smi -L"),
        (PODMAN, Device("gpu", ("GPU-9",)), r"no GPU GPU-9 here: there is GPU-00000000-aaaa \(A100\)", "nvidia-smi"),
    ],
)
def test_gpus_that_were_asked_for_and_cannot_be_had_are_an_error_with_its_fix(facts, device, reason, fix):
    with pytest.raises(EngineError, match=reason) as refused:
        choose(device, facts)
    assert refused.value.exit_code == 4
    assert fix in refused.value.hint
    assert "--cpu" in refused.value.hint


@pytest.mark.parametrize("facts", [WITH_CDI, RUNTIME, WITH_HOOK, PODMAN, LOCAL_GPU, replace(FAR, runtimes=("nvidia",))])
def test_auto_has_the_gpus_ready_and_starts_on_the_cpu(facts):
    asked, auto = choose(GPU, facts), choose(AUTO, facts)
    assert auto == replace(asked, kind="cpu")
    assert (auto.device, auto.gpus, auto.notice) == ("cpu", "all", "")
    assert obstacle(facts) is None


@pytest.mark.parametrize(
    "facts",
    [
        DOCKER,
        BARE,
        LOCAL,
        MAC,
        FAR,
        replace(FAR, takes_cdi=True),
        replace(PODMAN, gpu=OLD),
        replace(PODMAN, remote=True, gpu=GpuFacts()),
    ],
)
def test_auto_goes_without_and_says_why_in_one_line(facts):
    reason, fix = obstacle(facts)
    choice = choose(AUTO, facts)
    assert choice == Choice("cpu", notice=choice.notice)
    assert reason in choice.notice
    # To do without is what has just been done.
    assert (fix in choice.notice) == (fix != WITHOUT)
    assert "\n" not in choice.notice


@pytest.mark.parametrize("facts", [WITH_CDI, PODMAN, LOCAL_GPU, DOCKER])
def test_cpu_has_no_gpu_wherever_it_is(facts):
    assert choose(CPU, facts) == Choice("cpu")


def test_a_choice_says_its_labels_and_its_cdi_names():
    both = choose(BOTH, WITH_CDI)
    assert (both.device, both.gpus, both.names) == ("gpu:0,1", "0,1", ("nvidia.com/gpu=0", "nvidia.com/gpu=1"))
    every = choose(AUTO, PODMAN)
    assert (every.device, every.gpus, every.names) == ("cpu", "all", ("nvidia.com/gpu=all",))
    assert (choose(GPU, RUNTIME).device, choose(GPU, RUNTIME).names) == ("gpu", ())
    assert choose(CPU, WITH_CDI).gpus == ""


@pytest.mark.parametrize(
    ("kind", "form", "ids", "gpus", "visible"),
    [
        ("cpu", None, (), None, "void"),
        ("cpu", "runtime", (), "all", "all"),
        ("gpu", "runtime", ("0", "1"), "all", "0,1"),
        ("gpu", "cdi", ("0",), "all", "void"),
        ("gpu", "request", (), "all", None),
    ],
)
def test_the_variables_of_a_container(kind, form, ids, gpus, visible):
    told = environment(kind, form, ids)
    assert told["WORKBENCH_DEVICE"] == kind
    assert (told.get("WORKBENCH_GPUS"), told.get("NVIDIA_VISIBLE_DEVICES")) == (gpus, visible)
    assert ("NVIDIA_DRIVER_CAPABILITIES" in told) == (form == "runtime")
