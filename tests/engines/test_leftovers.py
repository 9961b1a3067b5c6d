"""What `prune` may take, from lists as an engine gives them."""

from dataclasses import replace

import pytest

from workbench.engines.leftovers import Holdings, leftovers, sizes
from workbench.labels import BUILD, INPUTS, NAME, OWNER, PLAN, PROJECT

NOTHING = Holdings([], [], [], [])


def container(name, state, image="sha256:aa", *, project="/gone", network="workbench", volume=""):
    return {
        "Id": f"id-{name}",
        "Names": [f"/workbench-{name}"],
        "State": state,
        "ImageID": image,
        "Labels": {NAME: name, PROJECT: project, PLAN: "1"},
        "NetworkSettings": {"Networks": {network: {}}},
        "Mounts": [{"Type": "volume", "Name": volume}] if volume else [],
    }


def image(id, project, created, tags=()):
    return {"Id": f"sha256:{id}", "Labels": {BUILD: id, PROJECT: project}, "Created": created, "RepoTags": list(tags)}


def names(held):
    return [(each.kind, each.name, each.why) for each in leftovers(held)]


@pytest.mark.parametrize(("state", "why"), [("exited", "stopped"), ("created", "created"), ("dead", "dead")])
def test_workbenches_that_do_not_run(state, why):
    held = replace(NOTHING, containers=[container("a", state), container("b", "running")], sizes={"id-a": 7})
    assert names(held) == [("container", "workbench-a", why)]
    assert leftovers(held)[0].size == 7


def test_somebodys_container_of_our_image_is_theirs():
    theirs = {**container("a", "exited"), "Labels": {NAME: "a", PROJECT: "/gone", BUILD: "aa"}}
    assert names(replace(NOTHING, containers=[theirs])) == []


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("containers", container("a", "exited")),
        ("images", image("01", "/gone", 1)),
        ("networks", {"Name": "net", "Id": "net", "Labels": {PROJECT: "/gone"}}),
        ("volumes", {"Name": "home", "Labels": {NAME: "a", PROJECT: "/gone"}}),
    ],
)
def test_what_others_have_made_is_theirs(kind, entry):
    """Several people may use one engine, and not see each other's folders."""
    nobodys, mine, theirs = (
        {**entry, "Labels": {**entry["Labels"], **owner}} for owner in ({}, {OWNER: "7"}, {OWNER: "8"})
    )
    found = [names(replace(NOTHING, owner="7", **{kind: [each]})) for each in (nobodys, mine, theirs)]
    assert [len(each) for each in found] == [1, 1, 0]


def test_images_that_were_replaced(tmp_path):
    project = str(tmp_path)
    held = [
        image("01", project, 1),
        image("02", project, 2, ["p-notebook:me"]),
        image("03", project, 1, ["<none>:<none>"]),
    ]
    assert names(replace(NOTHING, images=held)) == [
        ("image", "01", "replaced by a newer one"),
        ("image", "03", "replaced by a newer one"),
    ]


def test_the_newest_image_stays_when_a_project_of_the_same_name_holds_the_tag(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    held = [image("01", str(tmp_path), 1), image("02", str(tmp_path), 2), image("03", str(other), 3, ["p:me"])]
    assert names(replace(NOTHING, images=held)) == [("image", "01", "replaced by a newer one")]


def test_an_image_that_a_container_uses_stays_whatever_its_project():
    used = image("aa", "/gone", 1, ["p:me"])
    unused = image("bb", "/gone", 2)
    held = replace(NOTHING, containers=[container("a", "running")], images=[used, unused])
    assert names(held) == [("image", "bb", "project is gone")]


def test_networks_and_volumes_of_workbenches_that_are_gone():
    marks = {NAME: "a", PROJECT: "/p"}
    held = replace(
        NOTHING,
        containers=[container("b", "running", network="workbench-b", volume="workbench-b-home")],
        networks=[{"Id": f"n-{name}", "Name": f"workbench-{name}", "Labels": {**marks, NAME: name}} for name in "ab"],
        volumes=[{"Name": f"workbench-{name}-home", "Labels": {**marks, NAME: name}} for name in "ab"],
        sizes={"workbench-a-home": 5},
    )
    assert names(held) == [
        ("network", "workbench-a", "no workbench uses it"),
        ("volume", "workbench-a-home", "its workbench is gone"),
    ]
    assert leftovers(held)[1].size == 5


def test_an_images_size_is_what_removing_it_gives_back():
    usage = {
        "Images": [{"Id": "sha256:aa", "Size": 100, "SharedSize": 70}, {"Id": "bb", "Size": 50, "SharedSize": -1}],
        "Containers": [{"Id": "c", "SizeRw": 3}, {"Id": "d"}],
        "Volumes": [{"Name": "v", "UsageData": {"Size": 9}}, {"Name": "w", "UsageData": {"Size": -1}}, {"Name": "x"}],
    }
    assert sizes(usage) == {"aa": 30, "bb": 50, "c": 3, "d": 0, "v": 9}


def test_of_a_projects_own_images_only_those_that_lost_their_name(tmp_path):
    def built(id, tags=()):
        labels = {INPUTS: "{}", PROJECT: f"{tmp_path}/docker/dev"}
        return {"Id": f"sha256:{id}", "Labels": labels, "Created": 1, "RepoTags": list(tags)}

    theirs = {"Id": "sha256:04", "Labels": {PROJECT: str(tmp_path)}, "Created": 1, "RepoTags": []}
    held = replace(
        NOTHING,
        images=[built("01"), built("02", ["p-dev:me"]), built("03", ["<none>:<none>"]), theirs],
        containers=[container("a", "running", "sha256:03")],
    )
    assert names(held) == [("image", "01", "replaced by a newer one")]


def test_each_machine_takes_its_own_only(tmp_path):
    """A dock's engine has workbenches of other machines beside its own users'."""
    mine, theirs = f"0123abcd:{tmp_path}", "4567cdef:/gone"
    held = replace(
        NOTHING,
        containers=[
            container("here", "exited"),
            container("mine", "exited", project=mine),
            container("theirs", "exited", project=theirs),
        ],
        images=[image("01", "0123abcd:/gone", 1), image("02", mine, 1, ["p:me"]), image("03", theirs, 1)],
    )
    assert [name for _, name, _ in names(held)] == ["workbench-here"]
    assert [name for _, name, _ in names(replace(held, machine="0123abcd"))] == ["workbench-mine", "01"]
