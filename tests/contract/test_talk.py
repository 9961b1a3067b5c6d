"""A conversation with a command inside, held against each engine there is."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

import pytest

from tests.contract.benches import DELIVERY, Bench
from workbench.engines.base import Channel, Engine
from workbench.errors import EngineError
from workbench.model import Running

PATIENCE = 60.0
NOBODY = "workbench-nobody-0000"


@contextmanager
def talking(bench: Bench, *argv: str, running: Running | None = None) -> Iterator[Channel]:
    running = running or bench.engine.start(bench.run(), DELIVERY)
    with closing(bench.engine.talk(running.id, argv)) as channel:
        yield channel


def received(channel: Channel, size: int) -> bytes:
    """As many bytes as that, or fewer when the output ends before."""
    found, until = bytearray(), time.monotonic() + PATIENCE
    while len(found) < size and time.monotonic() < until:
        piece = channel.receive(1.0)
        if piece == b"":
            break
        assert len(piece or b"") <= 64 * 1024
        found += piece or b""
    return bytes(found)


def ends(channel: Channel) -> bool:
    """Whether the output comes to an end."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if channel.receive(1.0) == b"":
            return True
    return False


def test_what_is_said_is_answered(bench: Bench) -> None:
    with talking(bench, "cat") as channel:
        for word in (b"one\n", b"two\n", b"\x00\xff no text\n"):
            channel.send(word)
            assert received(channel, len(word)) == word


def test_a_megabyte_there_and_back_is_the_same(bench: Bench) -> None:
    sent = bytes(range(256)) * 4096
    with talking(bench, "cat") as channel:
        writer = Thread(target=channel.send, args=(sent,))
        writer.start()
        assert received(channel, len(sent)) == sent
        writer.join(PATIENCE)


def test_silence_is_none_and_not_the_end(bench: Bench) -> None:
    with talking(bench, "cat") as channel:
        assert channel.receive(0.2) is None
        assert channel.receive(0) is None
        channel.send(b"later")
        assert received(channel, 5) == b"later"


def test_the_end_of_the_output_is_empty(bench: Bench) -> None:
    with talking(bench, "sh", "-c", "echo last words") as channel:
        assert received(channel, 1000) == b"last words\n"
        assert channel.receive(1.0) == b""


def test_standard_error_is_thrown_away(bench: Bench) -> None:
    with talking(bench, "sh", "-c", "echo noise >&2; echo word; echo noise >&2; cat") as channel:
        assert received(channel, 5) == b"word\n"
        assert channel.receive(0.5) is None


def test_a_flood_of_errors_does_not_hold_up_who_waits(bench: Bench) -> None:
    with talking(bench, "sh", "-c", "yes >&2 & cat; kill $!") as channel:
        assert channel.receive(0.5) is None


def test_the_command_runs_in_the_environment_of_the_workbench(bench: Bench) -> None:
    with talking(bench, "sh", "-c", 'printf %s "$GREETING"') as channel:
        assert received(channel, 1000) == b"hello"


def test_closing_ends_the_command(bench: Bench, engine: Engine, tmp_path: Path) -> None:
    running = engine.start(bench.run(), DELIVERY)
    mark = str(tmp_path / "mark") if engine.name in ("fake", "local") else "/run/workbench/mark"
    with talking(bench, "sh", "-c", f"echo here; cat; echo over > '{mark}'", running=running) as channel:
        assert received(channel, 5) == b"here\n"
        assert engine.exec(running.id, ("cat", mark)).code != 0
    until = time.monotonic() + PATIENCE
    while engine.exec(running.id, ("cat", mark)).out != "over\n":
        assert time.monotonic() < until, "the command still runs"
        time.sleep(0.1)
    assert channel.receive(0.1) == b""
    with pytest.raises(EngineError):
        channel.send(b"x")


def test_closing_wakes_who_waits(bench: Bench) -> None:
    with talking(bench, "cat") as channel:
        heard: list[bytes | None] = []
        waiting = Thread(target=lambda: heard.append(channel.receive(PATIENCE)))
        waiting.start()
        channel.send(b"first")
        waiting.join(PATIENCE)
        waiting = Thread(target=lambda: heard.append(channel.receive(PATIENCE * 2)))
        waiting.start()
        channel.close()
        waiting.join(PATIENCE)
        assert heard == [b"first", b""]


def test_what_nobody_receives_stays_with_the_command(bench: Bench) -> None:
    """A gigabyte that is on its way takes no memory: the command is held up after the first buffers."""
    script = (
        "import os, sys\nfor n in range(1 << 14): os.write(1, bytes(1 << 16)); open(sys.argv[1], 'w').write(str(n))"
    )
    running = bench.engine.start(bench.run(), DELIVERY)
    count = str(bench.folder / "count") if bench.engine.name in ("fake", "local") else "/run/workbench/count"
    with talking(bench, "python3", "-c", script, count, running=running) as channel:
        assert channel.receive(PATIENCE)
        written = still(lambda: bench.engine.exec(running.id, ("cat", count)).out)
        assert 0 < int(written) < 1 << 10


def still(look: Callable[[], str]) -> str:
    """What is seen once it no longer changes."""
    until, before = time.monotonic() + PATIENCE, None
    while time.monotonic() < until:
        now = look()
        if now and now == before:
            return now
        before = now
        time.sleep(1.0)
    raise AssertionError("it went on and on")


def test_a_command_that_does_not_read_is_an_error(bench: Bench) -> None:
    with talking(bench, "sh", "-c", "exec 0</dev/null; echo ready; sleep 100") as channel:
        assert received(channel, 6) == b"ready\n"
        with pytest.raises(EngineError) as caught:
            for _ in range(1000):
                channel.send(bytes(1 << 16))
        assert caught.value.hint


def test_a_command_that_is_not_there_ends_at_once(bench: Bench) -> None:
    try:
        with talking(bench, "no-such-command") as channel:
            assert ends(channel)
    except EngineError as error:
        assert error.hint


def test_stopping_the_workbench_ends_the_conversation(bench: Bench, engine: Engine) -> None:
    running = engine.start(bench.run(), DELIVERY)
    with talking(bench, "cat", running=running) as channel:
        channel.send(b"hello")
        assert received(channel, 5) == b"hello"
        engine.stop(running.id)
        assert ends(channel)


def test_a_crash_ends_the_conversation(bench: Bench, engine: Engine) -> None:
    running = engine.start(bench.run(), DELIVERY)
    with talking(bench, "cat", running=running) as channel:
        channel.send(b"hello")
        assert received(channel, 5) == b"hello"
        bench.crash(running)
        assert ends(channel)


def test_there_is_no_talking_to_what_does_not_run(bench: Bench, engine: Engine) -> None:
    running = engine.start(bench.run(), DELIVERY)
    engine.stop(running.id)
    for id in (running.id, NOBODY):
        with pytest.raises(EngineError) as caught:
            engine.talk(id, ("cat",))
        assert caught.value.hint
