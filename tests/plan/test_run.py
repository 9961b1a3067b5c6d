"""What is started: the rules of the container, and what makes two runs the same workbench."""

from dataclasses import replace

import pytest

from tests.plan.values import DOCKER, FOLDERS, KIT, LOCAL, PROJECT, SEED
from workbench import labels
from workbench.model import (
    ContainerRun,
    DependencyFile,
    Device,
    DevicePackages,
    Gpu,
    GpuFacts,
    LocalRun,
    Mount,
    Network,
    Seed,
    Settings,
)
from workbench.plan.changes import what_changed
from workbench.plan.launch import plan_launch
from workbench.plan.run import describe

GPUS = GpuFacts(
    driver="570.86.15", gpus=(Gpu(0, "GPU-a", "T4"), Gpu(1, "GPU-b", "T4")), toolkit="1.18.0", cdi=("0", "1", "all")
)
WITH_GPUS = replace(DOCKER, gpu=GPUS, runtimes=("nvidia", "runc"))


def plan(project=PROJECT, settings=Settings(), facts=DOCKER, seed=SEED, **rest):  # noqa: B008
    return plan_launch(project, settings, facts, seed, KIT, FOLDERS, **rest)


def test_the_container_has_no_right_that_it_does_not_need():
    run = plan().run
    assert isinstance(run, ContainerRun)
    assert run.user == "1000:1000"
    assert not run.privileged
    assert run.cap_add == ()
    assert run.bridge is not None
    assert run.bridge.isolated
    assert run.pids == 4096
    assert [mount.source for mount in run.mounts] == ["/home/ada/analysis", f"{run.name}-home"]
    assert run.tmpfs["/run/workbench"].endswith("mode=0700,uid=1000,gid=1000")


def test_nothing_secret_is_in_build_or_run():
    network = Network(env={"HTTPS_PROXY": "http://ada:hunter2@proxy"}, files={"netrc": "/home/ada/.netrc"})
    planned = plan(
        settings=Settings(pass_env={"AWS_SECRET_ACCESS_KEY": "hunter2"}),
        facts=replace(DOCKER, network=network),
        files={"netrc": "machine x password hunter2"},
    )
    assert "hunter2" not in repr((planned.build, planned.run))
    assert SEED.token not in repr((planned.build, planned.run, planned.delivery, SEED))
    assert planned.delivery.env["AWS_SECRET_ACCESS_KEY"] == "hunter2"


def test_token_and_port_do_not_make_another_workbench():
    other = plan(seed=Seed("0" * 64, 29999))
    assert other.digest == plan().digest
    assert other.run.labels[labels.PORT] == "29999"
    assert plan(facts=LOCAL).digest == plan(facts=LOCAL, seed=Seed("0" * 64, 29999)).digest


def test_every_setting_that_matters_makes_another_one_and_is_named():
    first = plan()
    kept = {"run": describe(first.run, first.build), "inputs": dict(first.build.inputs)}
    cases = {
        "the memory limit": Settings(memory=4 << 30),
        "the CPU limit": Settings(cpus=1.5),
        "environment variables": Settings(env={"A": "b"}),
        "mounts": Settings(mounts=(Mount("/data", "/data", read_only=True),)),
        "the network": Settings(host_network=True),
        "the shared memory size": Settings(shm_size=2 << 30),
        "the restart policy": Settings(restart="on-failure"),
        "the limits of the log": Settings(log_max_size="1m", log_max_file=1),
    }
    for reason, settings in cases.items():
        changed = plan(settings=settings)
        assert changed.digest != first.digest
        assert what_changed(kept, changed) == (reason,)


def test_what_a_new_file_brings_along_is_not_named_beside_it():
    plain = replace(PROJECT, installable=False, dependencies=())
    first = plan(plain)
    kept = {"run": describe(first.run, first.build), "inputs": dict(first.build.inputs)}
    found = DependencyFile("pyproject.toml", b"[project]")
    assert what_changed(kept, plan(replace(plain, installable=True, dependencies=(found,)))) == (
        "pyproject.toml is new",
    )
    assert what_changed(kept, plan(replace(plain, installable=True))) == ("whether the project is installed",)


def test_an_image_that_a_dockerfile_stands_before_is_said():
    own = DependencyFile("docker/notebook/Dockerfile", b"FROM x")
    notices = plan(replace(PROJECT, dockerfile=own), Settings(image="tides:1")).notices
    assert [each for each in notices if "tides:1" in each and "docker/notebook/Dockerfile" in each]
    assert not [each for each in plan(settings=Settings(image="tides:1")).notices if "Not used" in each]


def test_each_workbench_has_a_network_of_its_own_where_one_cannot_keep_them_apart():
    run = plan(facts=replace(DOCKER, engine="podman", isolated_bridge=False)).run
    assert run.bridge.name == run.name
    assert plan().run.bridge.name == "workbench"


def test_limits_are_left_out_where_the_engine_has_none_and_it_is_said():
    planned = plan(settings=Settings(memory=1 << 30), facts=replace(DOCKER, cgroup_limits=False))
    assert planned.run.memory is None
    assert planned.run.pids is None
    assert any("cannot limit" in notice for notice in planned.notices)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("no", "no"),
        ("on-failure", "on-failure"),
        ("on-failure:3", "on-failure:3"),
        ("unless-stopped", "unless-stopped"),
        # Told `always`, Docker would start what `workbench stop` has stopped as soon as it starts itself.
        ("always", "unless-stopped"),
    ],
)
def test_what_was_stopped_stays_stopped_under_every_policy(wanted, told):
    assert plan(settings=Settings(restart=wanted)).run.restart == told


def test_what_an_engine_cannot_limit_or_restart_is_said():
    settings = Settings(restart="on-failure", log_max_size="1m", log_max_file=5)
    assert plan(settings=settings).notices == ()
    assert plan(settings=settings, facts=LOCAL).notices == (
        "Not used without a container: restart, log-max-size, log-max-file, apt.txt.",
    )
    (notice,) = plan(settings=settings, facts=replace(DOCKER, engine="podman")).notices
    assert "`log-max-file`" in notice


def test_an_image_taken_as_it_is_gets_our_rules_and_a_token_file():
    run = plan(settings=Settings(image="lab/image", as_is=True)).run
    assert run.entrypoint == ()
    assert "--ServerApp.allow_remote_access=False" in run.command
    assert "--ServerApp.port_retries=0" in run.command
    assert "JUPYTER_TOKEN_FILE=/run/workbench/token" in run.command[2]


def test_without_a_container_the_server_is_this_installations():
    planned = plan(facts=LOCAL, settings=Settings(memory=1 << 30, base_image="x"))
    assert isinstance(planned.run, LocalRun)
    assert planned.run.argv == ("/venv/bin/python", "-P", "-m", "workbench.inside.server")
    assert planned.run.env["WORKBENCH_IP"] == "127.0.0.1"
    assert planned.notices == ("Not used without a container: base-image, memory, apt.txt.",)


def test_a_device_is_a_value_that_reads_like_its_flag():
    assert str(Device("gpu", ("0", "1"))) == "gpu:0,1"
    assert str(Device()) == "auto"


def test_a_container_with_gpus_says_so_to_engine_labels_and_server():
    run = plan(facts=WITH_GPUS, settings=Settings(device=Device("gpu", ("1",)))).run
    assert (run.device, run.gpu_form, run.gpu_ids, run.devices) == ("gpu:1", "runtime", ("1",), ())
    assert (run.labels[labels.DEVICE], run.labels[labels.GPUS]) == ("gpu:1", "1")
    assert {key: value for key, value in run.env.items() if "GPU" in key or "DEVICE" in key or "NVIDIA" in key} == {
        "WORKBENCH_DEVICE": "gpu",
        "WORKBENCH_GPUS": "all",
        "NVIDIA_VISIBLE_DEVICES": "1",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
    }


def test_gpus_in_cdi_form_are_devices_beside_the_users_own():
    facts = replace(WITH_GPUS, engine="podman", version="5.4.0", takes_cdi=True, runtimes=())
    run = plan(facts=facts, settings=Settings(devices=("/dev/video0",))).run
    assert (run.device, run.gpu_form, run.devices) == ("cpu", "cdi", ("/dev/video0", "nvidia.com/gpu=all"))
    assert (run.labels[labels.DEVICE], run.labels[labels.GPUS]) == ("cpu", "all")
    assert "NVIDIA_VISIBLE_DEVICES" not in run.env


def test_a_container_without_gpus_gets_none_from_a_runtime_that_is_the_usual_one():
    run = plan(facts=WITH_GPUS, settings=Settings(device=Device("cpu"))).run
    assert (run.device, run.gpu_form, run.env["NVIDIA_VISIBLE_DEVICES"]) == ("cpu", None, "void")
    assert (labels.GPUS in run.labels, "WORKBENCH_GPUS" in run.env) == (False, False)
    assert not {"NVIDIA_VISIBLE_DEVICES", "WORKBENCH_GPUS"} & plan().run.env.keys()


def test_without_a_container_the_server_is_told_which_gpus():
    facts = replace(LOCAL, gpu=GPUS)
    run = plan(facts=facts, settings=Settings(device=Device("gpu", ("0", "1")))).run
    assert (run.device, run.labels[labels.GPUS]) == ("gpu:0,1", "0,1")
    assert (run.env["WORKBENCH_DEVICE"], run.env["WORKBENCH_GPUS"]) == ("gpu", "0,1")
    assert (plan(facts=facts).run.env["WORKBENCH_DEVICE"], plan(facts=facts).run.env["WORKBENCH_GPUS"]) == (
        "cpu",
        "all",
    )
    assert "WORKBENCH_GPUS" not in plan(facts=facts, settings=Settings(device=Device("cpu"))).run.env


@pytest.mark.parametrize("facts", [WITH_GPUS, replace(LOCAL, gpu=GPUS)], ids=["docker", "local"])
def test_another_device_is_another_workbench_and_named(facts):
    devices = (Device(), Device("cpu"), Device("gpu"), Device("gpu", ("0",)))
    plans = [plan(facts=facts, settings=Settings(device=device)) for device in devices]
    assert len({each.digest for each in plans}) == len(devices)
    for before in plans:
        kept = {"run": describe(before.run, before.build), "inputs": dict(before.build.inputs)}
        for after in plans:
            if after is not before:
                assert what_changed(kept, after) == ("the device",)


def test_how_an_engine_is_asked_for_the_same_gpus_makes_no_difference():
    forms = (WITH_GPUS, replace(WITH_GPUS, takes_cdi=True), replace(DOCKER, gpu=replace(GPUS, hook=True)))
    plans = [plan(facts=facts) for facts in forms]
    assert [each.run.gpu_form for each in plans] == ["runtime", "cdi", "request"]
    assert len({each.digest for each in plans}) == 1
    own = plan(facts=WITH_GPUS, settings=Settings(env={"NVIDIA_DRIVER_CAPABILITIES": "all"}))
    assert own.run.env["NVIDIA_DRIVER_CAPABILITIES"] == "all"
    assert own.digest != plans[0].digest


def test_auto_says_why_it_came_without_a_gpu_only_where_one_can_be_expected():
    no_toolkit = replace(DOCKER, gpu=replace(GPUS, toolkit="", cdi=()))
    with_table = Settings(gpu=DevicePackages(("torch",)))
    assert plan().notices == ()
    assert plan(facts=WITH_GPUS, settings=with_table).notices == ()
    assert plan(settings=replace(with_table, device=Device("cpu"))).notices == ()
    for found in (plan(facts=no_toolkit), plan(settings=with_table)):
        (notice,) = found.notices
        assert notice.startswith("Without a GPU: ")


def test_an_image_taken_as_it_is_has_no_environments_of_ours():
    settings = Settings(image="team/jupyter:1", as_is=True, device=Device("cpu"), cpu=DevicePackages(("torch",)))
    assert plan(settings=settings).notices == ("Not used with an image that is taken as it is: [tool.workbench.cpu].",)


def test_a_change_of_diffs_is_named():
    before, after = plan(), plan(settings=Settings(diffs=False))
    kept = {"run": describe(before.run, before.build), "inputs": dict(before.build.inputs)}
    assert what_changed(kept, after) == ("whether copies of notebooks are written",)
    assert (before.run.env["WORKBENCH_DIFFS"], after.run.env["WORKBENCH_DIFFS"]) == ("1", "0")
