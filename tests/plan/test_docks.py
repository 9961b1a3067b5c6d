"""What is planned for an engine on another machine: its names, its copy of the project, its user."""

from dataclasses import replace

from tests.plan.test_run import plan
from tests.plan.values import DOCKER, PROJECT
from workbench import labels
from workbench.model import ContainerRun, DockFacts, HostFacts, ImageBuild

GPUBOX = DockFacts("gpubox", "/home/lovelace/.local/share/workbench/projects", "0123abcd")


def on(dock: DockFacts) -> HostFacts:
    return replace(DOCKER, remote=True, uid=2000, gid=2001, user="lovelace", dock=dock)


def test_it_sees_the_copy_as_the_user_of_there():
    planned = plan(facts=on(GPUBOX))
    run = planned.run
    assert isinstance(run, ContainerRun)
    assert run.mounts[0].source == f"/home/lovelace/.local/share/workbench/projects/{planned.name}"
    assert run.user == "2000:2001"
    assert run.labels[labels.PROJECT] == "0123abcd:/home/ada/analysis"
    assert (run.labels[labels.DOCK], run.labels[labels.OWNER]) == ("gpubox", "2000")
    assert isinstance(planned.build, ImageBuild)
    assert planned.build.labels[labels.PROJECT] == run.labels[labels.PROJECT]


def test_root_there_is_no_owner_of_here():
    run = plan(facts=replace(on(GPUBOX), uid=0, gid=0, user="root"), project=replace(PROJECT, owner=(1000, 1000))).run
    assert isinstance(run, ContainerRun)
    assert run.user == "0:0"


def test_each_place_has_a_workbench_of_its_own():
    places = [
        DOCKER,
        *(on(each) for each in (GPUBOX, replace(GPUBOX, name="other"), replace(GPUBOX, machine="4567cdef"))),
    ]
    assert len({plan(facts=facts).name for facts in places}) == len(places)
