"""Run programs: shown, to their end or in the background, and ended when the run ends, whatever ends it."""

import ctypes
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from provision.ground import say
from provision.outside import clean

PR_SET_PDEATHSIG = 1


class Ended(KeyboardInterrupt):
    """Somebody asks this script, and only this script, to end (SIGTERM, SIGHUP)."""


class StepFailed(Exception):
    """A step of the set-up did not work; the text says why."""


def call(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
    """Show a command and run it with its output visible; a failure raises `StepFailed`."""
    words = [str(word) for word in argv]
    say("$ " + shlex.join(words))
    began = time.monotonic()
    code = subprocess.run(words, env=env, cwd=cwd, stdin=subprocess.DEVNULL, check=False).returncode
    if code:
        raise StepFailed(f"{words[0]} ended with exit code {code}")
    if (seconds := time.monotonic() - began) >= 1:
        say(f"  {seconds:.0f} s")


def ask(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> str:
    """Return what a command writes to standard output; a failure raises `StepFailed` with its words."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(words, env=env or clean(), stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise StepFailed(f"{words[0]} is not installed") from error
    if done.returncode:
        raise StepFailed(f"{shlex.join(words)}: {_text(done.stderr or done.stdout).strip()[-400:]}")
    return _text(done.stdout)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def try_to(argv: Sequence[str | Path]) -> bool:
    """Run a command whose failure is an answer, not an error (cleaning up what may not be there)."""
    try:
        ask(argv)
    except StepFailed:
        return False
    return True


@contextmanager
def background(
    argv: Sequence[str | Path], log: Path, ready: Callable[[], bool], *, env: Mapping[str, str], patience: float = 30
) -> Iterator[None]:
    """Keep a program running; go on when `ready()`, at most `patience` seconds later. Ended by its process id."""
    words = [str(word) for word in argv]
    say(f"$ {shlex.join(words)} &   # log: {log}")
    with log.open("wb") as output:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            # Podman's service looks for a Dockerfile in its own folder before it looks into what it was sent.
            cwd="/",
            # A Ctrl-C is for this script, which then ends its programs in order.
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
    try:
        _wait_until(ready, child, log, patience)
        yield
    finally:
        stop(child)


def stop(child: "subprocess.Popen[bytes]", patience: float = 30) -> None:
    """SIGTERM, SIGKILL after `patience` seconds, and reap."""
    child.terminate()
    try:
        child.wait(patience)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _wait_until(ready: Callable[[], bool], child: "subprocess.Popen[bytes]", log: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    while not ready():
        if child.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(errors="replace").strip().splitlines()[-8:]
            raise StepFailed("did not start:\n    " + "\n    ".join(words))
        time.sleep(0.1)


def end_with_parent() -> None:
    """Ask the kernel for a SIGTERM should this script be killed (it cannot clean up after a SIGKILL)."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == 1:
        os._exit(1)
