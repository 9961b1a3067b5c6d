"""The relay as the process that it is: we are its agent on one side and its clients on the other."""

import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Event, Lock, Thread
from uuid import uuid4

import psutil
import pytest

from workbench.inside import relay, wire
from workbench.plan.relay import relay_command

PATIENCE = 60.0
STATUS = wire.event("status", status={"name": "one"})


class Side:
    """One side of a conversation with the relay: sends bytes, and reads messages."""

    def __init__(self, reads: int, send: Callable[[bytes], object]) -> None:
        self.reads, self.send = reads, send
        self._lines = wire.Lines()
        self._found: list[wire.Message] = []
        self.ended = False

    def say(self, message: wire.Message) -> None:
        self.send(wire.encode(message))

    def hears(self, patience: float = PATIENCE) -> wire.Message | None:
        """The next message that is no beat; None at the end of the stream, or when there was none in that time."""
        until = time.monotonic() + patience
        while not self.ended and not self._found:
            if select.select([self.reads], [], [], 0.05)[0]:
                self._read()
            elif time.monotonic() > until:
                break
        return self._found.pop(0) if self._found else None

    def _read(self) -> None:
        data = b""
        with suppress(ConnectionResetError):
            data = os.read(self.reads, 1 << 16)
        self.ended = not data
        self._found += [each for line in self._lines.feed(data) if (each := wire.decode(line)) != wire.beat()]

    def code(self) -> str | None:
        """The code of the refusal that comes next."""
        heard = self.hears()
        return heard["error"]["code"] if heard else None


class Running:
    """A relay, and we its agent, which beats unless it is a silent one."""

    def __init__(self, run: Path, *, silent: bool = False) -> None:
        self.run = run
        self._over = Event()
        self._writing = Lock()
        env = {**os.environ, "WORKBENCH_RUN": str(run)}
        self.process = subprocess.Popen(
            relay_command("local"), env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self.process.stdin and self.process.stdout
        self.agent = Side(self.process.stdout.fileno(), self._send)
        # It listens before its first word.
        assert select.select([self.process.stdout], [], [], PATIENCE)[0]
        if not silent:
            Thread(target=self._beat, daemon=True).start()

    def _send(self, data: bytes) -> None:
        with self._writing:
            assert self.process.stdin and self.process.stdin.write(data) == len(data)

    def _beat(self) -> None:
        while not self._over.wait(wire.BEAT):
            with suppress(OSError, ValueError):
                self._send(wire.encode(wire.beat()))

    @contextmanager
    def client(self) -> Iterator[Side]:
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(relay.address(self.run)))
            link.settimeout(PATIENCE)
            yield Side(link.fileno(), link.sendall)

    def end(self) -> int:
        """Close its standard input, and wait."""
        assert self.process.stdin and self.process.stdout
        self._over.set()
        with self._writing:
            self.process.stdin.close()
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return code


@contextmanager
def relaying(run: Path, *, silent: bool = False) -> Iterator[Running]:
    running = Running(run, silent=silent)
    try:
        yield running
    finally:
        running._over.set()
        running.process.kill()
        running.process.wait()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with relaying(tmp_path) as found:
        yield found


def answer(running: Running) -> None:
    """As the agent, answer the request that comes next with its own verb."""
    asked = running.agent.hears()
    assert asked
    running.agent.say(wire.reply(asked["id"], {"verb": asked["verb"]}))


def test_an_answer_goes_to_the_one_who_asked(running):
    with running.client() as one, running.client() as two:
        one.say(wire.request("1", "hello"))
        two.say(wire.request("2", "logs", {"tail": 5}))
        asked = [running.agent.hears(), running.agent.hears()]
        assert sorted(asked, key=lambda each: each["id"]) == [
            wire.request("1", "hello"),
            wire.request("2", "logs", {"tail": 5}),
        ]
        running.agent.say(wire.reply("2", {"lines": ["é"]}))
        running.agent.say(wire.refusal("1", "busy", "Later."))
        assert two.hears() == wire.reply("2", {"lines": ["é"]})
        assert one.hears() == wire.refusal("1", "busy", "Later.")
        assert one.hears(0.3) is None and two.hears(0.3) is None


def test_an_answer_is_given_once(running):
    with running.client() as one, running.client() as other:
        one.say(wire.request("1", "hello"))
        answer(running)
        assert one.hears() == wire.reply("1", {"verb": "hello"})
        running.agent.say(wire.reply("1", {"again": True}))
        running.agent.say(wire.reply("nobody's", {}))
        running.agent.say(STATUS)
        assert one.hears() == STATUS
        assert other.hears() == STATUS


def test_news_goes_to_all_and_the_last_to_those_who_come_later(running):
    action = wire.event("action", action={"verb": "rebuild"}, last=None)
    with running.client() as early:
        old = wire.event("status", status={"name": "old"})
        for news in (old, STATUS, action):
            running.agent.say(news)
            assert early.hears() == news
        with running.client() as late:
            assert [late.hears(), late.hears()] == [STATUS, action]


def test_both_sides_hear_a_beat(running):
    beat = wire.encode(wire.beat())
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(PATIENCE)
        link.connect(str(relay.address(running.run)))
        assert link.recv(100).startswith(beat)
    assert os.read(running.agent.reads, 100).startswith(beat)


def test_who_may_connect_is_us_alone(running):
    assert relay.address(running.run).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "raw",
    [
        b"\n",
        b"restart\n",
        b"[]\n",
        b"null\n",
        b"\xff\xfe\n",
        b"\x00" * 50 + b"\n",
        b'{"v":1,"v":1,"id":"a","verb":"hello","args":{}}\n',
        b'{"v":NaN,"id":"a","verb":"hello","args":{}}\n',
        b'{"a":' * 20 + b"1" + b"}" * 20 + b"\n",
        b'{"v":1,"verb":"hello","args":{}}\n',
        b'{"v":1,"id":"../a","verb":"hello","args":{}}\n',
        b'{"v":1,"id":7,"verb":"hello","args":{}}\n',
        b'{"event":"status","status":{}}\n',
    ],
)
def test_what_is_no_message_is_refused_and_goes_no_further(running, raw):
    with running.client() as client, running.client() as other:
        client.send(raw)
        assert client.code() == "malformed"
        client.say(wire.request("next", "hello"))
        assert running.agent.hears() == wire.request("next", "hello")
        assert other.hears(0.2) is None


def test_a_line_that_is_too_long_ends_its_connection_only(running):
    with running.client() as client, running.client() as other:
        with suppress(OSError):
            client.send(b"x" * (4 * wire.LINE))
        assert client.code() == "malformed"
        assert client.hears() is None and client.ended
        other.say(wire.request("1", "hello"))
        answer(running)
        assert other.hears() == wire.reply("1", {"verb": "hello"})


def test_an_id_that_is_under_way_is_refused(running):
    with running.client() as one, running.client() as two:
        one.say(wire.request("1", "hello"))
        asked = running.agent.hears()
        two.say(wire.request("1", "stop"))
        assert two.code() == "replayed"
        running.agent.say(wire.reply(asked["id"], {}))
        assert one.hears() == wire.reply("1", {})
        assert running.agent.hears(0.3) is None


@contextmanager
def answering(running: Running) -> Iterator[list[wire.Message]]:
    """An agent that answers everything; the requests that it was asked."""
    asked: list[wire.Message] = []
    over = Event()

    def serve() -> None:
        while not over.is_set():
            if message := running.agent.hears(0.1):
                asked.append(message)
                running.agent.say(wire.reply(message["id"], {"verb": message["verb"]}))

    thread = Thread(target=serve)
    thread.start()
    try:
        yield asked
    finally:
        over.set()
        thread.join()


def test_a_flood_is_shed_before_the_agent_and_passes(running):
    began = time.monotonic()
    with running.client() as client, answering(running) as asked:
        client.send(b"".join(wire.encode(wire.request(f"n{number}", "status")) for number in range(2000)))
        heard = [client.hears() for _ in range(2000)]
        assert len({each["id"] for each in heard}) == 2000
        refused = {each["error"]["code"] for each in heard if not each["ok"]}
        assert refused == {"too_many"}
        assert wire.RATE <= len(asked) <= wire.RATE * (time.monotonic() - began + 1)
        until = time.monotonic() + PATIENCE
        while not ok(client):
            assert time.monotonic() < until, "the flood has not passed"
            time.sleep(0.05)


def ok(client: Side) -> bool:
    client.say(wire.request(uuid4().hex, "hello"))
    heard = client.hears()
    return bool(heard and heard["ok"])


def test_a_client_that_never_reads_is_dropped_and_takes_no_memory(running):
    with running.client() as deaf, running.client() as client:
        # As long as it can be: each is told to all.
        news = wire.event("action", action={"text": "x" * (wire.LINE - 100)}, last=None)
        for _ in range(200):
            running.agent.say(news)
            assert client.hears() == news
        assert memory(running) < 20 << 20
        heard = 0
        while deaf.hears():
            heard += 1
        assert deaf.ended and heard < 100
        client.say(wire.request("1", "hello"))
        answer(running)
        assert client.hears() == wire.reply("1", {"verb": "hello"})


def test_an_agent_that_does_not_read_is_told_of_and_takes_no_memory(running):
    padding = " " * (wire.LINE - 100)
    with running.client() as client:
        until = time.monotonic() + PATIENCE
        code = None
        for number in count():
            line = wire.encode(wire.request(f"n{number}", "hello"))
            client.send(line.replace(b"{", b"{" + padding.encode(), 1))
            if select.select([client.reads], [], [], 0.06)[0] and (heard := client.hears(0)):
                code = heard["error"]["code"]
                if code == "no_agent":
                    break
            assert time.monotonic() < until, code
        assert memory(running) < 20 << 20


def memory(running: Running) -> int:
    return int(psutil.Process(running.process.pid).memory_info().rss)


def test_two_hundred_connections_leave_room_for_those_that_are_there(running):
    with running.client() as client, ExitStack() as crowd:
        many = [crowd.enter_context(running.client()) for _ in range(200)]
        for each in many:
            with suppress(OSError):
                each.say(wire.request(uuid4().hex, "hello"))
        client.say(wire.beat())
        turned_away = [each for each in many if each.hears(0.05) is None and each.ended]
        assert len(turned_away) >= 200 - relay.CLIENTS
        with answering(running):
            until = time.monotonic() + PATIENCE
            while not ok(client):
                assert time.monotonic() < until
    with answering(running):
        until = time.monotonic() + PATIENCE
        while not served(running):
            assert time.monotonic() < until


def served(running: Running) -> bool:
    with suppress(OSError), running.client() as client:
        return ok(client)
    return False


def test_clients_that_come_and_go_leave_nothing(running):
    process = psutil.Process(running.process.pid)
    with running.client() as client, answering(running):
        assert client.hears(0.1) is None
        before = process.num_fds()
        for _ in range(300):
            # One that comes before the others are seen to have gone may be one too many, and is turned away.
            with running.client() as brief, suppress(BrokenPipeError, ConnectionResetError):
                brief.send(b'{"half a line')
        until = time.monotonic() + PATIENCE
        while process.num_fds() > before:
            assert time.monotonic() < until, process.num_fds()
            time.sleep(0.05)


def test_it_ends_with_its_input_and_takes_its_socket_away(running):
    with running.client() as client:
        assert running.end() == 0
        assert client.hears() is None and client.ended
    assert list(running.run.iterdir()) == []


def test_it_ends_when_the_agent_no_longer_reads(running):
    running.process.stdout.close()
    assert running.process.wait(PATIENCE) == 0
    assert list(running.run.iterdir()) == []


def test_silence_of_the_agent_ends_it(tmp_path):
    with relaying(tmp_path, silent=True) as running, running.client() as client:
        until = time.monotonic() + wire.SILENCE + PATIENCE
        while not client.ended and time.monotonic() < until:
            with suppress(OSError):
                client.say(wire.beat())
            client.hears(1.0)
        assert client.ended
        assert running.process.wait(PATIENCE) == 0


def test_silence_of_a_client_ends_its_connection(running):
    with running.client() as silent, running.client() as client:
        until = time.monotonic() + wire.SILENCE + PATIENCE
        while not silent.ended and time.monotonic() < until:
            client.say(wire.beat())
            silent.hears(1.0)
        assert silent.ended
        client.say(wire.request("1", "hello"))
        answer(running)
        assert client.hears() == wire.reply("1", {"verb": "hello"})


def test_a_second_one_takes_over_and_keeps_the_place(running):
    with relaying(running.run) as second:
        with second.client() as client:
            client.say(wire.request("1", "hello"))
            answer(second)
            assert client.hears() == wire.reply("1", {"verb": "hello"})
        assert running.end() == 0
        with second.client() as client:
            client.say(wire.request("2", "hello"))
            answer(second)
            assert client.hears() == wire.reply("2", {"verb": "hello"})
        assert second.end() == 0
    assert list(running.run.iterdir()) == []


def test_what_a_killed_one_left_is_taken_over(running):
    running.process.kill()
    running.process.wait()
    assert relay.address(running.run).exists()
    with relaying(running.run) as second, second.client() as client:
        client.say(wire.request("1", "hello"))
        answer(second)
        assert client.hears() == wire.reply("1", {"verb": "hello"})


def test_a_long_path_has_a_short_socket_of_its_own(tmp_path):
    one, two = (tmp_path / name / ("long " * 20) for name in ("one", "two"))
    one.mkdir(parents=True)
    assert len(os.fsencode(relay.address(one))) <= relay.PATH
    assert relay.address(one) == relay.address(one) != relay.address(two)
    with relaying(one) as running:
        assert relay.address(one).parent.stat().st_mode & 0o777 == 0o700
        with running.client() as client:
            client.say(wire.request("1", "hello"))
            answer(running)
            assert client.hears() == wire.reply("1", {"verb": "hello"})
        assert running.end() == 0
    assert not relay.address(one).exists()


def test_a_folder_that_others_can_change_is_not_used(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(PermissionError), relay.listening(tmp_path / "socket"):
        raise AssertionError("it listens")
