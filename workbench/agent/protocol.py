"""What of the inside's words the agent acts on. Pure: bytes in; requests, refusals or the end of the stream out.

Nothing is believed: whoever shares the container with the relay can write into its stream.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from workbench.inside import wire
from workbench.inside.wire import LIFE, PAUSE, RATE, SILENCE, VERBS, VERSION, Message, refusal

REMEMBERED = 4096
"""Ids of requests that are remembered, so that none is carried out twice."""
LINES = 2 * RATE
"""Lines a second, of whatever kind, beyond which a stream is no relay's."""


class Flooded(Exception):
    """More lines than any relay sends: the stream is to be closed."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that may be carried out."""

    id: str
    verb: str
    arguments: Mapping[str, Any]


class Guard:
    """Judges each line that comes from inside. One for the whole life of an agent, whatever streams come and go."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # A burst is what a relay has sent while this end was held up for as long as a stream survives.
        self._lines = wire.Bucket(LINES, LINES * SILENCE, clock)
        self._requests = wire.Bucket(RATE, RATE, clock)
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._running = ""
        self._ended: float | None = None

    def begun(self, verb: str) -> None:
        """A life-cycle verb is being carried out from now on."""
        self._running = verb

    def ended(self) -> None:
        """It is over, however it went."""
        self._running, self._ended = "", self._clock()

    def take(self, line: bytes) -> Request | Message | None:
        """A request to carry out, else the refusal to send back; None for a beat. Raises Flooded."""
        if not self._lines.take():
            raise Flooded
        try:
            message = wire.decode(line)
        except wire.Malformed as error:
            return refusal(None, "malformed", f"The message cannot be read: {error}.")
        if message == wire.beat():
            return None
        if (id := wire.id_of(message)) is None:
            return refusal(None, "malformed", "The message is no request: it has no id.")
        refused = self._form(id, message) or self._moment(id, message["verb"])
        return refused or Request(id, message["verb"], message["args"])

    def _form(self, id: str, message: Message) -> Message | None:
        """Why a message is no request that anybody may make."""
        if set(message) != {"v", "id", "verb", "args"}:
            return refusal(id, "malformed", "A request has exactly the keys v, id, verb and args.")
        version, verb, arguments = message["v"], message["verb"], message["args"]
        if type(version) is not int or version != VERSION:
            hint = "Both ends must be of one version of Workbench: run `run-notebook --rebuild`."
            return refusal(id, "version", f"The agent speaks version {VERSION}.", hint)
        if not isinstance(verb, str) or verb not in VERBS:
            return refusal(id, "unknown_verb", f"The verbs are {', '.join(VERBS)}.")
        if not isinstance(arguments, dict) or not _fits(arguments, VERBS[verb]):
            return refusal(id, "bad_arguments", f"The arguments of {verb} are {_told(VERBS[verb])}.")
        return None

    def _moment(self, id: str, verb: str) -> Message | None:
        """Why a request is not carried out now."""
        if id in self._seen:
            return refusal(id, "replayed", "There was a request with this id before.")
        self._remember(id)
        if not self._requests.take():
            return refusal(id, "too_many", f"There may be {RATE} requests a second.", "Try again in a second.")
        if verb == "cancel" and not self._running:
            return refusal(id, "nothing_to_cancel", "Nothing is being done that could be cancelled.")
        if verb not in LIFE:
            return None
        if self._running:
            return refusal(id, "busy", f"Another action is under way: {self._running}.", "Wait for it, or cancel it.")
        if (left := self._pause()) > 0:
            return refusal(id, "too_soon", f"The last action has just ended; try again in {ceil(left)} s.")
        return None

    def _remember(self, id: str) -> None:
        self._seen[id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def _pause(self) -> float:
        return 0.0 if self._ended is None else self._ended + PAUSE - self._clock()


def _fits(arguments: Message, wanted: Mapping[str, Any]) -> bool:
    """Whether these are all the arguments, each with a value that it may have; no value passes for one like it."""
    return set(arguments) == set(wanted) and all(
        type(value) in (int, str) and value in wanted[name] for name, value in arguments.items()
    )


def _told(wanted: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {_values(values)}" for name, values in wanted.items()) or "{}"


def _values(values: Any) -> str:
    return f"{values[0]} to {values[-1]}" if isinstance(values, range) else " or ".join(values)
