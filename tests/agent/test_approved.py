"""What a launch was approved with: kept whole, and only lists of packages are ever taken from disk again."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.agent.ground import FILES, SECRET, Ground
from workbench import approved
from workbench.model import Device
from workbench.state import State


def test_what_is_kept_comes_back_whole(ground: Ground) -> None:
    kept, found = approved.read(ground.state), ground.survey()
    assert kept is not None
    assert kept.project == found.project
    assert replace(kept.settings, origins={}) == replace(found.settings, origins={})
    assert {name: str(origin) for name, origin in kept.settings.origins.items()} == {
        name: str(origin) for name, origin in found.settings.origins.items()
    }
    assert (kept.device, kept.cwd) == (Device("auto"), str(ground.folder))
    assert list(kept.flags["env"]) == list(found.request.flags["env"])  # type: ignore[call-overload]


def test_only_this_user_may_read_it(ground: Ground) -> None:
    path = ground.state.folder / "approved.json"
    assert SECRET in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{}", '{"project": 1}', "[]", '{"project": {"root": "/x"'])
def test_what_cannot_be_read_is_not_known(text: str, tmp_path: Path) -> None:
    (tmp_path / approved.FILE).write_text(text)
    assert approved.read(State(tmp_path)) is None


def test_package_lists_are_those_on_disk_and_nothing_else_is(ground: Ground) -> None:
    for name in (*FILES, "uv.lock", ".python-version", "binder/requirements.txt", "more.txt"):
        path = ground.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text({"requirements.txt": "-r more.txt\n-r deep/apt.txt\n"}.get(name, f"# new {name}"))
    (ground.root / "deep").mkdir()
    (ground.root / "deep/apt.txt").write_text("evil")
    kept = approved.read(ground.state)
    assert kept is not None
    now = approved.with_present_packages(kept)
    found = {file.name: file.content.decode() for file in now.project.dependencies}
    assert found.pop("apt.txt") == FILES["apt.txt"]
    assert found.pop("postBuild") == FILES["postBuild"]
    assert set(found) == {"uv.lock", "requirements.txt", "pyproject.toml", "binder/requirements.txt", "more.txt"}
    assert all(text.startswith(("# new", "-r more")) for text in found.values())
    assert replace(now, project=kept.project) == kept
    assert replace(now.project, dependencies=kept.project.dependencies) == kept.project


def test_a_chosen_device_counts_until_the_configuration_asks_for_another(ground: Ground) -> None:
    kept = approved.read(ground.state)
    assert kept is not None
    kept = replace(kept, device=Device("gpu"))
    assert approved.chosen(kept, kept.settings) == Device("gpu")
    assert approved.chosen(kept, replace(kept.settings, device=Device("cpu"))) is None
    once = replace(kept, flags={"device": "cpu"}, settings=replace(kept.settings, device=Device("cpu")))
    assert approved.chosen(once, kept.settings) == Device("gpu")
    assert approved.chosen(replace(once, device=Device("cpu")), kept.settings) is None
