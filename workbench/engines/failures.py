"""An engine's words of refusal -> our errors. Pure: text in, error out."""

import re
from collections.abc import Callable

from workbench.engines.base import NameTaken, PortTaken
from workbench.errors import EngineError


class Absent(EngineError):
    """The engine does not know the thing that was asked for."""


class InUse(EngineError):
    """The thing is in a state that forbids what was asked, or something else still uses it."""


class Ambiguous(EngineError):
    """Two networks have the same name: they were made at the same moment."""


NETWORK = re.compile(
    r"no such host|dial tcp|i/o timeout|connection refused|network is unreachable|temporary failure|TLS handshake"
    r"|proxyconnect|x509|certificate|deadline exceeded|pinging container registry|connection reset|\bEOF\b",
    re.IGNORECASE,
)
LOGIN = re.compile(r"unauthorized|authentication required|denied|forbidden|no basic auth", re.IGNORECASE)
UNKNOWN = re.compile(
    r"manifest unknown|not found|does not exist|name unknown|did not resolve|unqualified-search", re.IGNORECASE
)
FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)

Maker = Callable[[str, str], EngineError]


def _port(text: str, title: str) -> EngineError:
    found = re.search(r"(?:127\.0\.0\.1|0\.0\.0\.0|\[?::1?\]?):(\d+)", text)
    port = f"Port {found[1]}" if found else "The port"
    return PortTaken(f"{port} on 127.0.0.1 is taken.", "Choose another one with `--port`.")


def _name(text: str, title: str) -> EngineError:
    return NameTaken(f"{title} has a container of that name already.", "See `workbench ps`.")


def _full(text: str, title: str) -> EngineError:
    return EngineError(
        f"The disk of {title} is full.",
        f"`workbench prune` removes what Workbench no longer needs; `{title.lower()} system df` shows the rest.",
        detail=(text,),
    )


def _runtime(text: str, title: str) -> EngineError:
    return EngineError(
        f"{title} does not have the runtime that was asked for.",
        "For GPUs install the NVIDIA Container Toolkit, or start with `--cpu`.",
        detail=(text,),
    )


def _mount(text: str, title: str) -> EngineError:
    return EngineError(
        f"{title} does not see a folder that is to be mounted.",
        "It must exist where the engine runs; Docker Desktop lists what it shares under Resources > File sharing.",
        detail=(text,),
    )


def _pools(text: str, title: str) -> EngineError:
    return EngineError(
        f"{title} has no address range left for another network.",
        f"`workbench prune` and `{title.lower()} network prune` remove unused networks.",
        detail=(text,),
    )


def _init(text: str, title: str) -> EngineError:
    return EngineError(f"{title} lacks the program for `--init`.", "Install it: sudo apt install catatonit")


def _old(text: str, title: str) -> EngineError:
    return EngineError(f"{title} and this version of Workbench do not speak the same API: {text}", "Upgrade the older.")


def _image(text: str, title: str) -> EngineError:
    return Absent("The image is gone.", "Run the same command again: it is made anew.", detail=(text,))


RULES: tuple[tuple[str, Maker], ...] = (
    (r"port is already allocated|address already in use|port .*in use|ports are not available", _port),
    (r"container name .* is already in use|name .* is in use: container already exists", _name),
    (FULL.pattern, _full),
    (r"(unknown|invalid) runtime|runtime .*not found|could not select device driver|no such device", _runtime),
    (r"bind source path does not exist|statfs .*no such file|mounts denied|not shared from the host", _mount),
    (r"non-overlapping IPv4 address pool|address pools? .*(exhausted|subnetted)|no free private network", _pools),
    (r"container-init binary not found", _init),
    (r"client version .* is too (old|new)", _old),
    (r"no such image|image not known|unable to find image", _image),
    (r"is ambiguous", lambda text, title: Ambiguous(f"{title}: {text}", "Run the same command again.")),
    (
        r"has active endpoints|is being used|volume is in use|is using its referenced image",
        lambda text, title: InUse(f"{title}: {text}", "Stop what uses it."),
    ),
)


def refusal(status: int, text: str, title: str) -> EngineError:
    """The error for an HTTP status and the engine's message; `title` is the engine's name in sentences."""
    text = " ".join(text.split())
    for pattern, maker in RULES:
        if re.search(pattern, text, re.IGNORECASE):
            return maker(text, title)
    kind = {404: Absent, 409: InUse}.get(status, EngineError)
    return kind(f"{title} refused: {text or f'status {status}'}", "`workbench doctor` looks at the engine.")


def pull_refusal(text: str, image: str, title: str) -> EngineError:
    """Why an image could not be pulled: the disk, the network, a login, or there is none."""
    text = " ".join(text.split())
    if FULL.search(text):
        return _full(text, title)
    if NETWORK.search(text):
        why, hint = "its registry cannot be reached", "Check the network and proxy of the engine, or use `--offline`."
    elif LOGIN.search(text):
        why = "it does not exist, or needs a login"
        hint = f"Check the name, or log in: {title.lower()} login REGISTRY"
    elif UNKNOWN.search(text):
        why, hint = "it does not exist", "Check the name and the tag."
    else:
        why, hint = "the registry or the engine refused", "`workbench doctor` looks at the engine."
    return EngineError(f"The image {image} cannot be pulled: {why}.", hint, detail=(text,))
