"""What is mounted from a project, and is a link by the next start: code inside a container can make it one."""

import json
import shutil
import time
from collections.abc import Iterator

import pytest
from support.person import MakePerson, Person
from support.require import require
from support.services import IDLE, Beside, beside, with_compose

pytestmark = pytest.mark.xdist_group("links")


@pytest.fixture
def ada(somebody: MakePerson) -> Person:
    return somebody("docker", normal=True)


@pytest.fixture
def tied(ada: Person) -> Iterator[Beside]:
    """A project that has its own folder `data` mounted, in the workbench and in a service."""
    with_compose(ada)
    found = beside(ada, "tied")
    found.write(
        {"store": {**IDLE, "volumes": ["./data:/data"]}, "marked": {**IDLE, "image": "tied-marked"}},
        '[tool.workbench]\nmounts = ["./data:/inside"]\n[tool.workbench.services.store]\nrestart = true\n',
    )
    ada.write(found.root / "data/mine", "mine")
    yield found
    ada.run("workbench", "stop", cwd=found.root)
    ada.run("workbench", "rm", cwd=found.root)
    found.clear()


def swap(found: Beside) -> None:
    """What code does that can write the project."""
    shutil.move(found.root / "data", found.root / "before")
    (found.root / "data").symlink_to("/etc")


def test_a_folder_that_became_a_link_is_not_mounted_anew(tied: Beside) -> None:
    bench = tied.launch()
    assert bench.jupyter.run("import os; print(os.listdir('/inside'))") == "['mine']\n"
    swap(tied)
    # What the panel asks for.
    bench.jupyter.call("POST", "workbench/api/verbs/restart_service", {"service": 0})
    deadline = time.monotonic() + 60
    while not (last := bench.jupyter.call("GET", "workbench/api/state")["last"]):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert not last["ok"] and "/etc" in last["message"]
    told = tied.workbench("restart").fails(4)
    assert f"{tied.root}/data" in told and "/etc" in told
    # A terminal asks for the same, and is told the same; it has not been started since.
    begun = tied.container("store")["State"]["StartedAt"]
    refused = tied.services("restart", "store").fails(4)
    assert f"{tied.root}/data" in refused and "/etc" in refused
    assert tied.container("store")["State"]["StartedAt"] == begun
    # What is configured is another folder by now, which nobody has agreed to.
    assert "/etc" in tied.services("up", "store").fails(2)
    (tied.root / "data").unlink()
    shutil.move(tied.root / "before", tied.root / "data")
    again = tied.launch("--restart")
    assert again.jupyter.run("import os; print(os.listdir('/inside'))") == "['mine']\n"


def test_a_folder_that_becomes_a_link_while_others_start_is_not_mounted(tied: Beside) -> None:
    check = {"test": ["CMD", "test", "-e", "/tmp/well"], "interval": "1s", "retries": 100}
    needing = {"volumes": ["./data:/data"], "depends_on": {"db": {"condition": "service_healthy"}}}
    tied.write({"db": {**IDLE, "healthcheck": check}, "store": {**IDLE, **needing}})
    starting = tied.me.start("workbench", "services", "up", "store", cwd=tied.root)
    deadline = time.monotonic() + 60
    while tied.up() != {"db"}:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    swap(tied)
    tied.me.engine.docker("exec", tied.container("db")["Id"], "touch", "/tmp/well")
    refused = tied.me.wait(starting).fails(4)
    assert f"{tied.root}/data" in refused and "/etc" in refused
    assert {*tied.states()} == {"db"} and tied.up() == set()


def test_a_service_is_no_workbench_whatever_its_image_says(tied: Beside) -> None:
    client = ["docker", "-H", tied.me.engine.host]
    labels = {"name": "tied", "project": str(tied.root), "owner": str(tied.me.ids[0]), "port": "1", "plan": "x"}
    text = f"FROM {require('base-image')}\n" + "".join(
        f"LABEL io.workbench.{name}={json.dumps(value)}\n" for name, value in labels.items()
    )
    tied.me.write(tied.root / "marked/Dockerfile", text)
    tied.me.run(*client, "build", "-t", "tied-marked", str(tied.root / "marked"), env={"DOCKER_BUILDKIT": "1"}).ok()
    tied.services("up", "marked", "--trust").ok()
    assert [each["name"] for each in tied.me.listed()] == []
    tied.workbench("stop").fails(2)
    assert tied.up() == {"marked"}
