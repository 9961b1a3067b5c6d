"""What comes from inside is believed only as far as the list of verbs goes."""

import json
import random

import pytest
from support.malice import MALFORMED, WRONG, line

from workbench.agent.protocol import LINES, REMEMBERED, Flooded, Guard, Request
from workbench.inside import wire


class Clock:
    """A clock that only goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(clock: Clock) -> Guard:
    return Guard(clock)


def code(answer: object) -> str:
    """The code of a refusal, which must be one that can be sent and read."""
    assert isinstance(answer, dict), answer
    assert wire.decode(wire.encode(answer)) == answer
    assert answer["ok"] is False and answer["error"]["message"]
    return str(answer["error"]["code"])


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("hello", {}),
        ("status", {}),
        ("stats", {}),
        ("logs", {"tail": 1}),
        ("logs", {"tail": wire.LINES}),
        ("restart", {}),
        ("stop", {}),
        ("set_device", {"device": "cpu"}),
        ("set_device", {"device": "gpu"}),
        ("rebuild", {}),
        ("service_logs", {"service": 0, "tail": 1}),
        ("service_logs", {"service": wire.SERVICES - 1, "tail": wire.LINES}),
        ("restart_service", {"service": 0}),
        ("restart_service", {"service": wire.SERVICES - 1}),
    ],
)
def test_each_verb_is_taken_with_its_arguments(guard, verb, arguments):
    assert guard.take(wire.encode(wire.request("id-1", verb, arguments))) == Request("id-1", verb, arguments)


def test_the_list_of_verbs_names_no_thing_of_the_host():
    """Whoever adds a verb or an argument reads here what none may take."""
    assert set(wire.VERBS) == {
        "hello", "status", "stats", "logs", "service_logs", "restart", "stop", "set_device", "rebuild",
        "restart_service", "cancel",
    }  # fmt: skip
    assert {name: values for verb in wire.VERBS.values() for name, values in verb.items()} == {
        "tail": range(1, wire.LINES + 1),
        "device": ("cpu", "gpu"),
        "service": range(wire.SERVICES),
    }
    assert set(wire.VERBS) > wire.LIFE


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_request_is_refused_without_an_id(guard, raw):
    answer = guard.take(raw)
    assert code(answer) == "malformed"
    assert answer["id"] is None


@pytest.mark.parametrize(("raw", "wanted"), WRONG.values(), ids=WRONG)
def test_what_nobody_may_ask_is_refused(guard, raw, wanted):
    answer = guard.take(raw)
    assert code(answer) == wanted
    assert answer["id"] == "a"


def test_a_refused_form_does_not_use_up_the_id(guard):
    guard.take(line(verb="run"))
    assert isinstance(guard.take(line()), Request)


def test_a_beat_is_no_request(guard):
    assert guard.take(wire.encode(wire.beat())) is None
    assert code(guard.take(wire.encode({**wire.beat(), "verb": "stop"}))) == "malformed"


def test_an_id_is_taken_once(guard, clock):
    assert isinstance(guard.take(line()), Request)
    assert code(guard.take(line())) == "replayed"
    assert code(guard.take(line(verb="restart"))) == "replayed"
    for number in range(REMEMBERED - 1):
        clock.now += 1
        assert isinstance(guard.take(line(id=f"n{number}")), Request)
    assert code(guard.take(line())) == "replayed"


def test_ids_are_not_remembered_without_end(guard, clock):
    for number in range(REMEMBERED + 1):
        clock.now += 1
        guard.take(line(id=f"n{number}"))
    assert isinstance(guard.take(line(id="n0")), Request)
    assert code(guard.take(line(id="n2"))) == "replayed"


def test_a_request_that_was_refused_for_its_moment_cannot_be_sent_again(guard):
    guard.begun("rebuild")
    assert code(guard.take(line(verb="stop"))) == "busy"
    guard.ended()
    assert code(guard.take(line(verb="stop"))) == "replayed"


def test_requests_have_a_rate(guard, clock):
    answers = [guard.take(line(id=f"n{number}")) for number in range(wire.RATE + 5)]
    assert [isinstance(answer, Request) for answer in answers] == [True] * wire.RATE + [False] * 5
    assert code(answers[-1]) == "too_many"
    clock.now += 0.5
    answers = [guard.take(line(id=f"m{number}")) for number in range(wire.RATE)]
    assert sum(isinstance(answer, Request) for answer in answers) == wire.RATE // 2


def test_over_a_minute_no_more_than_the_rate_comes_through(guard, clock):
    taken = 0
    for number in range(60 * 30):
        clock.now += 1 / 30
        taken += isinstance(guard.take(line(id=f"n{number}")), Request)
    assert taken <= 61 * wire.RATE


def test_a_flood_ends_the_stream(guard, clock):
    with pytest.raises(Flooded):
        for _ in range(int(LINES * wire.SILENCE) + 1):
            guard.take(b"x\n")
    with pytest.raises(Flooded):
        guard.take(line())
    clock.now += 1
    assert isinstance(guard.take(line()), Request)


def test_what_waited_for_as_long_as_a_stream_lives_is_no_flood(guard):
    for number in range(int(wire.RATE * wire.SILENCE)):
        guard.take(line(id=f"n{number}"))


ARGUMENTS: dict[str, dict[str, object]] = {"set_device": {"device": "cpu"}, "restart_service": {"service": 0}}


@pytest.mark.parametrize("verb", sorted(wire.LIFE))
def test_one_action_at_a_time_and_then_a_pause(guard, clock, verb):
    def ask(id: str) -> object:
        return guard.take(line(id=id, verb=verb, args=ARGUMENTS.get(verb, {})))

    assert isinstance(ask("one"), Request)
    guard.begun(verb)
    clock.now += 1000
    assert code(ask("two")) == "busy"
    assert isinstance(guard.take(line(id="meanwhile", verb="status")), Request)
    guard.ended()
    clock.now += wire.PAUSE - 0.5
    assert code(answer := ask("three")) == "too_soon"
    assert "1 s" in answer["error"]["message"]
    assert isinstance(guard.take(line(id="still", verb="status")), Request)
    clock.now += 0.5
    assert isinstance(ask("four"), Request)


def test_only_what_is_done_can_be_cancelled(guard):
    assert code(guard.take(line(id="one", verb="cancel"))) == "nothing_to_cancel"
    guard.begun("rebuild")
    assert isinstance(guard.take(line(id="two", verb="cancel")), Request)
    guard.ended()
    assert code(guard.take(line(id="three", verb="cancel"))) == "nothing_to_cancel"


def test_no_refusal_repeats_what_was_said(guard):
    """What comes from inside goes into logs and onto terminals of the host."""
    for raw in (line(verb="\x1b[31mevil"), line(verb="logs", args={"evil": 1}), b"\x1b[31mevil\n", line(evil=1)):
        assert "evil" not in json.dumps(guard.take(raw))


def mutated(random: random.Random, raw: bytes) -> bytes:
    """A line with some of its bytes lost, doubled, swapped or made up."""
    found = bytearray(raw)
    for _ in range(random.randint(1, 6)):
        at = random.randrange(len(found) + 1)
        match random.randrange(4):
            case 0:
                del found[at : at + random.randint(1, 8)]
            case 1:
                found[at:at] = found[at : at + random.randint(1, 8)]
            case 2:
                found[at:at] = bytes([random.choice(b'{}[]",:0159eE-+.\\u\x00\xff truefalsn')])
            case 3:
                found[at : at + 1] = random.randbytes(random.randint(0, 3))
    return bytes(found)


def test_ten_thousand_mutations_are_requests_of_the_list_or_refusals(guard, clock):
    chance = random.Random(5)  # noqa: S311 - the same each time
    seeds = [wire.encode(wire.request("a1", verb, {"tail": 5} if verb == "logs" else {})) for verb in wire.VERBS]
    seeds += [wire.encode(wire.request("b2", verb, arguments)) for verb, arguments in ARGUMENTS.items()]
    seeds.append(wire.encode(wire.beat()))
    codes = set()
    for number in range(10_000):
        clock.now += 60
        answer = guard.take(mutated(chance, chance.choice(seeds).replace(b"a1", str(number).encode())))
        if isinstance(answer, Request):
            wanted = wire.VERBS[answer.verb]
            assert set(answer.arguments) == set(wanted)
            assert all(value in wanted[name] for name, value in answer.arguments.items())
        elif answer is not None:
            codes.add(code(answer))
    assert codes >= {"malformed", "version", "unknown_verb", "bad_arguments"}
