"""Bytes of an engine -> lines and frames, however they are cut."""

import io
import struct

import pytest

from workbench.engines.dialect import DOCKER
from workbench.engines.report import listed
from workbench.engines.streams import frames, lines
from workbench.labels import NAME, PLAN, PORT


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_lines_are_the_same_wherever_the_pieces_end(size):
    text = "grüß\r\nzwei\n\nohne Ende".encode()
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert list(lines(pieces)) == ["grüß", "zwei", "", "ohne Ende"]


def test_bytes_that_are_no_text_are_shown_as_such():
    assert list(lines([b"\xff\n"])) == ["\ufffd"]


def test_frames_of_both_outputs_and_a_stream_that_breaks_off():
    whole = [struct.pack(">BxxxL", kind, len(text)) + text for kind, text in ((1, b"out"), (2, b"err"), (1, b""))]
    assert list(frames(io.BytesIO(b"".join(whole) + b"\x01\x00"))) == [(1, b"out"), (2, b"err"), (1, b"")]


@pytest.mark.parametrize(
    ("state", "status", "health", "started", "code"),
    [
        ("running", "Up 3 minutes (healthy)", "healthy", 820.0, None),
        ("running", "Up About an hour (unhealthy)", "unhealthy", -2600.0, None),
        ("running", "Up Less than a second (health: starting)", "starting", 999.0, None),
        ("running", "Up 2 seconds", "", 998.0, None),
        ("exited", "Exited (137) 3 minutes ago", "", None, 137),
        ("created", "Created", "", None, None),
    ],
)
def test_a_list_entry_tells_health_start_and_exit_code(state, status, health, started, code):
    marks = {NAME: "x", PLAN: "1", PORT: "20001"}
    entry = {"Id": "1", "Names": ["/w"], "State": state, "Status": status, "Labels": marks, "Image": "localhost/x:me"}
    found = listed(entry, DOCKER, now=1000.0)
    assert (found.health, found.started, found.exit_code, found.port) == (health, started, code, 20001)
    assert found.image == "x:me"
