"""The protocol's lines: what goes in comes out, and what is no message is not taken for one."""

import tracemalloc

import pytest

from workbench.inside import wire
from workbench.inside.wire import Bucket, Lines, Malformed


@pytest.mark.parametrize(
    "message",
    [
        wire.request("a-1", "logs", {"tail": 5}),
        wire.reply("a-1", {"lines": ["é", "\u2028", "line\nend", "\x00", "😀", "{[("]}),
        wire.refusal(None, "malformed", "It cannot be read."),
        wire.event("action", action=None, last=None),
        wire.beat(),
    ],
)
def test_a_message_is_one_line_and_the_same_again(message):
    line = wire.encode(message)
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert line.isascii()
    assert wire.decode(line) == message


def test_the_deepest_message_is_taken_and_the_next_is_not():
    def nested(levels: int) -> bytes:
        return b'{"a":' * levels + b"1" + b"}" * levels

    assert wire.decode(nested(wire.DEPTH))
    with pytest.raises(Malformed):
        wire.decode(nested(wire.DEPTH + 1))


def test_the_longest_line_is_taken_and_the_next_is_not():
    def long(size: int) -> bytes:
        return b'{"a":"' + b"x" * (size - 9) + b'"}\n'

    assert len(long(wire.LINE)) == wire.LINE
    wire.decode(long(wire.LINE))
    with pytest.raises(Malformed):
        wire.decode(long(wire.LINE + 1))
    assert list(Lines().feed(long(wire.LINE))) == [long(wire.LINE)]
    with pytest.raises(Malformed):
        list(Lines().feed(long(wire.LINE + 1)))


def test_lines_may_come_in_any_pieces():
    lines = [wire.encode(wire.request(f"n{number}", "hello")) for number in range(20)]
    stream = b"".join(lines)
    for size in (1, 2, 7, 64, len(stream)):
        splitter = Lines()
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert [line for piece in pieces for line in splitter.feed(piece)] == lines


def test_a_half_line_is_none_yet():
    splitter = Lines()
    assert list(splitter.feed(b'{"beat"')) == []
    assert list(splitter.feed(b"")) == []
    assert list(splitter.feed(b":1}\n{")) == [b'{"beat":1}\n']


def test_lines_before_one_that_is_too_long_are_still_taken():
    found = []
    with pytest.raises(Malformed):
        for line in Lines().feed(b"one\ntwo\n" + b"x" * wire.LINE):
            found.append(line)  # noqa: PERF402 - it stops half-way
    assert found == [b"one\n", b"two\n"]


def test_a_line_without_end_is_not_held():
    splitter, piece = Lines(), b"x" * 1024
    tracemalloc.start()
    try:
        with pytest.raises(Malformed):
            for _ in range(1 << 20):
                list(splitter.feed(piece))
        assert tracemalloc.get_traced_memory()[1] < 4 * wire.LINE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("message", "id"),
    [({"id": "a_B-9"}, "a_B-9"), ({"id": "a" * 64}, "a" * 64), ({}, None), ({"id": 1}, None), ({"id": "a b"}, None)],
)
def test_ids(message, id):
    assert wire.id_of(message) == id


def test_a_bucket_gives_its_burst_and_then_its_rate():
    now = [0.0]
    bucket = Bucket(10, 5, lambda: now[0])
    assert [bucket.take() for _ in range(7)] == [True] * 5 + [False] * 2
    now[0] = 0.25
    assert [bucket.take() for _ in range(4)] == [True, True, False, False]
    now[0] = 1000.0
    assert [bucket.take() for _ in range(6)] == [True] * 5 + [False]


def test_errors_say_nothing_of_what_was_said():
    with pytest.raises(Malformed) as caught:
        wire.decode(b'{"evil": evil}')
    assert "evil" not in str(caught.value)
