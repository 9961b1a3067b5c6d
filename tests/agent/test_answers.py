"""The log in one message."""

import json

import pytest

from workbench.agent.answers import fitting
from workbench.inside import wire

LINE = wire.LINE


def sent(lines: list[str]) -> bytes:
    return wire.encode(wire.reply("x" * 64, {"lines": lines}))


@pytest.mark.parametrize("text", ["short", "x" * 1000, 'ä\x00"\\' * 300, "\U0001f600" * 200], ids=len)
@pytest.mark.parametrize("number", [0, 1, 500])
def test_the_last_lines_fit_into_one_message(text: str, number: int) -> None:
    lines = [f"{each} {text}" for each in range(number)]
    found = fitting(lines)
    assert len(sent(found)) <= LINE
    assert found == lines[len(lines) - len(found) :]
    if found != lines:
        assert len(sent(lines[-len(found) - 1 :])) > LINE - 1100


@pytest.mark.parametrize("character", ["x", "\x00", "\U0001f600"])
def test_a_line_that_is_longer_than_a_message_is_cut(character: str) -> None:
    (found,) = fitting(["before", character * LINE])
    assert found and set(found) == {character}
    assert len(sent([found])) <= LINE
    assert json.loads(sent([found]))["result"]["lines"] == [found]
