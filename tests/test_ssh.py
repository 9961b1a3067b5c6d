"""Names of other machines: what ssh would take for an option or a command never reaches it."""

from pathlib import Path

import pytest

from workbench.errors import DockError
from workbench.ssh import Connection, Host, host


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gpubox", Host("gpubox")),
        ("ada@10.0.0.1", Host("ada@10.0.0.1")),
        ("ada.l@gpu-1.example:2222", Host("ada.l@gpu-1.example", 2222)),
        ("[2001:db8::1]:22", Host("2001:db8::1", 22)),
        ("ada@[::1]", Host("ada@::1")),
    ],
)
def test_names(text: str, expected: Host) -> None:
    assert host(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-oProxyCommand=touch x",
        "a b",
        "a;b",
        "$(a)",
        "a@-b",
        "-a@b",
        "a\nb",
        "a@b@c",
        "a:b",
        "a:123456",
        "ü",
        "a'b",
        "`a`",
    ],
)
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(DockError, match="is not the name of a machine"):
        host(text)


def test_the_machine_stands_after_all_options(tmp_path: Path) -> None:
    argv = Connection(Host("ada@box", 2222), tmp_path).argv("true")
    assert argv[-4:] == ("2222", "--", "ada@box", "true")
    assert not any("StrictHostKeyChecking" in word for word in argv)
