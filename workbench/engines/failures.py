"""An engine's words of refusal -> our errors. Pure: text in, error out."""

import re
from collections.abc import Callable, Sequence

from workbench.engines.base import NameTaken, NoGpu, PortTaken
from workbench.errors import EngineError
from workbench.plan.device import GENERATE, REGISTER, WITHOUT


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

DEVICE = re.compile(r"error: (The (?:CPU|GPU) environment) ")

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
    return NoGpu(
        f"{title} does not have the runtime that was asked for, such as the NVIDIA Container Toolkit's for GPUs.",
        f"{REGISTER}; `{WITHOUT}` starts without a GPU.",
        detail=(text,),
    )


def _specification(text: str, title: str) -> EngineError:
    return NoGpu(
        f"{title} finds no CDI specification of a device that was asked for.",
        f"For GPUs: {GENERATE}; `{WITHOUT}` starts without a GPU.",
        detail=(text,),
    )


def _driver(text: str, title: str) -> EngineError:
    return NoGpu(
        "The NVIDIA Container Toolkit could not put the GPU into the container.",
        f"See whether driver and toolkit work: nvidia-smi && nvidia-ctk --version; `{WITHOUT}` starts without a GPU.",
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
    return EngineError(
        f"{title} and this version of Workbench do not speak the same API: {text}", "Upgrade the older of the two."
    )


def _gone(text: str, title: str) -> EngineError:
    return Absent(f"{title}: {text}", "See `workbench ps`.")


def _image(text: str, title: str) -> EngineError:
    return Absent("The image is gone.", "Run the same command again: it is made anew.", detail=(text,))


RULES: tuple[tuple[str, Maker], ...] = (
    (r"port is already allocated|address already in use|port .*in use|ports are not available", _port),
    (r"container name .* is already in use|name .* in use\b.*container already exists", _name),
    (FULL.pattern, _full),
    (r"unresolvable CDI device|CDI device injection failed|device driver .?\"cdi", _specification),
    # A specification that was written for an older driver names files that are gone.
    (r"nvidia-container|\bnvml\b|/dev/nvidia|\blib\w*nvidia", _driver),
    (r"(unknown|invalid) runtime|runtime .*not found|could not select device driver|no such device", _runtime),
    (r"bind source path does not exist|statfs .*no such file|mounts denied|not shared from the host", _mount),
    (r"non-overlapping IPv4 address pool|address pools? .*(exhausted|subnetted)|no free private network", _pools),
    (r"container-init binary not found", _init),
    (r"client version .* is too (old|new)", _old),
    (r"no such image|image not known|unable to find image", _image),
    (r"no such container|does not exist in database", _gone),
    (r"is ambiguous", lambda text, title: Ambiguous(f"{title}: {text}", "Run the same command again.")),
    (
        r"has active endpoints|is being used|volume is in use|is using its referenced image",
        lambda text, title: InUse(f"{title}: {text}", "Stop what uses it, then run the same command again."),
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


def unmet(words: Sequence[str]) -> EngineError | None:
    """The error for the words of `inside/overlays.py`; None when it is not the environment of a device that failed."""
    end, match = next(
        ((number, found) for number, line in enumerate(words) if (found := DEVICE.match(line))), (0, None)
    )
    if match is None:
        return None
    begin = max((number + 1 for number in range(end) if words[number].startswith(f"{match[1]}: ")), default=0)
    hint = next((line.removeprefix("hint: ") for line in words[end:] if line.startswith("hint: ")), "")
    return EngineError(words[end].removeprefix("error: "), hint, detail=words[begin:end])


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


def push_refusal(text: str, image: str, title: str) -> EngineError:
    """Why an image could not be pushed: the network, a login, or it is not here."""
    text = " ".join(text.split())
    registry = image.partition("/")[0]
    if re.search(r"does not exist locally|no such image|image not known|tag does not exist", text, re.IGNORECASE):
        why, hint = "it is not here", "Build it first: build-image IMAGE"
    elif "server gave HTTP response to HTTPS client" in text:
        why, hint = "its registry speaks HTTP only", f"Tell {title} that {registry} is an insecure registry."
    elif NETWORK.search(text):
        why, hint = "its registry cannot be reached", "Check the name of the registry, network and proxy of the engine."
    elif LOGIN.search(text):
        why, hint = "the registry wants a login that may push", f"Log in: {title.lower()} login {registry}"
    else:
        why, hint = "the registry or the engine refused", "Check the name; `workbench doctor` looks at the engine."
    return EngineError(f"The image {image} cannot be pushed: {why}.", hint, detail=(text,))
