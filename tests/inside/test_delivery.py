"""What only the server may know: taken once, kept private, never shown."""

import json
import stat
import traceback
from pathlib import Path

import pytest

from workbench.inside import delivery
from workbench.inside.place import read_place

TOKEN = "secret-secret-secret"


def test_it_is_taken_away_and_the_token_is_kept(tmp_path: Path) -> None:
    (tmp_path / "delivery.json").write_text(json.dumps({"token": TOKEN, "env": {"A": "b"}}))
    found = delivery.wait_for(tmp_path)
    assert (found.token, found.env, found.files) == (TOKEN, {"A": "b"}, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["token"]
    assert TOKEN not in repr(found)


def test_files_are_private_and_programs_are_pointed_to_them(tmp_path: Path) -> None:
    files = {"ca.pem": "cert", "pip.conf": "[global]", "netrc": "machine", "uv.toml": "offline = true"}
    variables = delivery.apply(delivery.Delivery(TOKEN, {"HTTPS_PROXY": "http://proxy"}, files), tmp_path)
    assert variables["HTTPS_PROXY"] == "http://proxy"
    for name, pointers in delivery.POINTERS.items():
        assert {variables[pointer] for pointer in pointers} == {str(tmp_path / name)}
        assert (tmp_path / name).read_text() == files[name]
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert TOKEN not in "".join(variables.values())


@pytest.mark.parametrize("text", ["", "[]", '{"token": "short"}', '{"env": {}}', f'{{"token": "{TOKEN}", "env": 3}}'])
def test_something_else_is_refused_without_quoting_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "delivery.json").write_text(text)
    with pytest.raises(delivery.NoDeliveryError) as refused:
        delivery.wait_for(tmp_path)
    shown = "".join(traceback.format_exception(refused.value))
    assert TOKEN not in shown


def test_a_file_of_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(delivery.NoDeliveryError):
        delivery.apply(delivery.Delivery(TOKEN, {}, {"../x": ""}), tmp_path)


def test_waiting_has_an_end(tmp_path: Path) -> None:
    with pytest.raises(delivery.NoDeliveryError, match="run-notebook"):
        delivery.wait_for(tmp_path, patience=0.02)


PLACE = {"WORKBENCH_NAME": "demo", "WORKBENCH_ROOT": "/p", "WORKBENCH_RUN": "/r"}


def test_a_place_is_read_from_the_environment(tmp_path: Path) -> None:
    options = '["--debug"]'
    place = read_place(
        {**PLACE, "WORKBENCH_ENV": str(tmp_path), "WORKBENCH_OPTIONS": options, "WORKBENCH_INSTALL": "1"}
    )
    assert (place.name, place.env, place.options, place.install, place.port) == (
        "demo",
        tmp_path,
        ("--debug",),
        True,
        8888,
    )
    assert read_place({**PLACE, "WORKBENCH_ENV": "/no/such/folder"}).python is None
    told = {"WORKBENCH_DEVICE": "gpu", "WORKBENCH_GPUS": "0,GPU-8f1a-22"}
    assert (place.device, place.gpus, place.devices) == ("cpu", "", ("cpu",))
    assert (read_place({**PLACE, **told}).device, read_place({**PLACE, **told}).devices) == ("gpu", ("cpu", "gpu"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("WORKBENCH_ROOT", ""), ("WORKBENCH_PORT", "x"), ("WORKBENCH_OPTIONS", "{"), ("WORKBENCH_OPTIONS", "[1]")),
        *(("WORKBENCH_DEVICE", "tpu"), ("WORKBENCH_DEVICE", "gpu"), ("WORKBENCH_GPUS", "0;1"), ("WORKBENCH_GPUS", ",")),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        read_place({**PLACE, name: value})
