"""What is started: the rules of the container, and what makes two runs the same workbench."""

from dataclasses import replace

from tests.plan.values import DOCKER, FOLDERS, KIT, LOCAL, PROJECT, SEED
from workbench import labels
from workbench.model import ContainerRun, Device, LocalRun, Mount, Network, Seed, Settings
from workbench.plan.changes import what_changed
from workbench.plan.launch import plan_launch
from workbench.plan.run import describe


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
    }
    for reason, settings in cases.items():
        changed = plan(settings=settings)
        assert changed.digest != first.digest
        assert what_changed(kept, changed) == (reason,)


def test_each_workbench_has_a_network_of_its_own_where_one_cannot_keep_them_apart():
    run = plan(facts=replace(DOCKER, engine="podman", isolated_bridge=False)).run
    assert run.bridge.name == run.name
    assert plan().run.bridge.name == "workbench"


def test_limits_are_left_out_where_the_engine_has_none_and_it_is_said():
    planned = plan(settings=Settings(memory=1 << 30), facts=replace(DOCKER, cgroup_limits=False))
    assert planned.run.memory is None
    assert planned.run.pids is None
    assert any("cannot limit" in notice for notice in planned.notices)


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
