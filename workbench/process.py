"""The one door to other processes. Argument lists only: nothing here or behind it is ever read by a shell."""

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import cancel
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    import socket


@dataclass(frozen=True, slots=True)
class Done:
    """A finished process: its exit code and what it wrote."""

    code: int
    out: str
    err: str


class ProgramMissing(WorkbenchError):
    """A program that is needed is not on PATH."""

    exit_code = 3


class TookTooLong(WorkbenchError):
    """A program did not finish in the time that it was given; it has been ended."""

    exit_code = 4


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment with `extra` over it."""
    return {**os.environ, **(extra or {})}


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    whole: bool = False,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    timeout: float | None = None,
) -> Done:
    """Run a program to its end. A non-zero exit code is a result, not an error; `timeout` in seconds.

    `whole`: `env` is all of its environment.
    """
    try:
        done = subprocess.run(
            list(argv),
            env=dict(env or {}) if whole else environment(env),
            cwd=cwd,
            input=stdin if stdin is not None else b"",
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise ProgramMissing(f"{argv[0]} is not installed, or not on PATH.", "Install it, or correct PATH.") from error
    except subprocess.TimeoutExpired as error:
        raise TookTooLong(f"{argv[0]} did not finish within {timeout:.0f} s.", "Run the same command again.") from error
    return Done(done.returncode, _text(done.stdout), _text(done.stderr))


def lines(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, whole: bool = False, cwd: Path | None = None
) -> Generator[str, None, int]:
    """Run a program and yield each line it writes (both streams) as it comes; the generator returns the exit code.

    Closing the generator ends the program: SIGTERM, and SIGKILL after five seconds. So does cancelling.
    """
    # A Ctrl-C of the user reaches us; we then end the child, so that it never dies half-way by itself.
    child = _begin(
        argv,
        env=dict(env or {}) if whole else environment(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    stdout = child.stdout
    if stdout is None:  # pragma: no cover - PIPE was asked for
        raise AssertionError("no pipe")
    if asked := cancel.asked():
        threading.Thread(target=_end_when, args=(child, asked), daemon=True).start()
    try:
        for raw in stdout:
            yield _text(raw).rstrip("\r\n")
        code = child.wait()
        cancel.check()
        return code
    finally:
        stdout.close()
        if child.poll() is None:
            end(child)


def _end_when(child: "subprocess.Popen[bytes]", asked: threading.Event) -> None:
    """A program may be silent for minutes: it is not its next line that ends it."""
    while child.poll() is None:
        if asked.wait(0.2):
            end(child)


def talk(argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> "socket.socket":
    """Start a program and return the other end of its standard input and output; its standard error is thrown away.

    The program is expected to end when its input does.
    """
    child, ours = _linked(argv, env=environment(env), cwd=cwd, stderr=subprocess.DEVNULL)
    # Reap it when it ends.
    threading.Thread(target=child.wait, daemon=True).start()
    return ours


def end(child: "subprocess.Popen[bytes]", patience: float = 5.0) -> None:
    """SIGTERM a child, SIGKILL it after `patience` seconds, and reap it."""
    child.terminate()
    try:
        child.wait(patience)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def detach(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path) -> int:
    """Start a process that outlives this one, in a session of its own, its output appended to `log` (0600).

    `env` is the whole environment. Returns the process id.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        child = subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    # Reap it should it end while we live: a zombie would look alive to whoever checks its id.
    threading.Thread(target=child.wait, daemon=True).start()
    return child.pid


def attach(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, after_signal: Callable[[], None] | None = None
) -> int:
    """Run a program on this terminal (it has our standard streams) and return its exit code.

    It decides what a signal means: Ctrl-C reaches it from the terminal, what ends this process is handed on. Where
    something was, `after_signal` is called when the program has ended.
    """
    child = _begin(argv, env=environment(env))
    with _signals_for(child) as handed_on:
        code = child.wait()
        if handed_on and after_signal:
            after_signal()
    return code if code >= 0 else 128 - code


@contextmanager
def _signals_for(child: "subprocess.Popen[bytes]") -> Iterator[list[int]]:
    """Leave signals to a child; those that were handed on. In the main thread only: others get none."""
    handed_on: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield handed_on
        return

    def hand_on(number: int, _: object) -> None:
        if number != signal.SIGINT:
            handed_on.append(number)
            child.send_signal(number)

    known = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {each: signal.signal(each, hand_on) for each in known}
    try:
        yield handed_on
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


class Conversation:
    """A program whose standard input and output are one link to us; its errors go to a log."""

    def __init__(
        self, child: "subprocess.Popen[bytes]", link: "socket.socket", far: "subprocess.Popen[bytes] | None" = None
    ) -> None:
        self._child, self._link, self._far = child, link, far

    def send(self, data: bytes) -> bool:
        """Write all of it; False when the program has ended."""
        try:
            self._link.sendall(data)
        except OSError:
            return False
        return True

    def receive(self, timeout: float) -> bytes | None:
        """What has come within `timeout` seconds: None for nothing, empty when the program has ended."""
        try:
            self._link.settimeout(timeout)
            return self._link.recv(4096)
        except TimeoutError:
            return None
        except OSError:
            return b""

    def code(self) -> int:
        """Wait for its end: its exit code, below zero for a signal."""
        return self._child.wait()

    def end(self) -> None:
        """End the program."""
        self._link.close()
        end(self._child)
        if self._far:
            # Its input has ended.
            try:
                self._far.wait(1.0)
            except subprocess.TimeoutExpired:
                end(self._far)


def converse(argv: Sequence[str], *, log: Path) -> Conversation:
    """Start a program to converse with; what it says on standard error is appended to `log` (0600)."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return Conversation(*_linked(argv, stderr=descriptor))
    finally:
        os.close(descriptor)


def join(
    near: Callable[[int, int], Sequence[str]], far: Sequence[str], *, env: Mapping[str, str], log: Path
) -> Conversation:
    """Start two programs, each of which reads what the other one writes, and converse with the near one.

    `near` makes its command from the open files that it finds the other one's output and input at. It converses by its
    standard streams, its errors among them; those of the far one are appended to `log` (0600).
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        other = _begin(far, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=descriptor, start_new_session=True)
    finally:
        os.close(descriptor)
    if other.stdin is None or other.stdout is None:  # pragma: no cover - PIPE was asked for
        raise AssertionError("no pipe")
    with other.stdin as writes, other.stdout as reads:
        ends = (reads.fileno(), writes.fileno())
        try:
            child, link = _linked(near(*ends), env=dict(env), stderr=subprocess.STDOUT, pass_fds=ends)
        except BaseException:
            end(other)
            raise
    return Conversation(child, link, other)


class Feed:
    """A program that is fed on its standard input, piece by piece."""

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        # Not pipes: nobody reads while it is fed.
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        self._child = _begin(
            argv,
            env=environment(env),
            stdin=subprocess.PIPE,
            stdout=self._out,
            stderr=self._err,
            start_new_session=True,
        )

    def write(self, data: bytes) -> bool:
        """Write all of it; False when the program reads no more."""
        try:
            if self._child.stdin:
                self._child.stdin.write(data)
        except BrokenPipeError:
            return False
        return True

    def finish(self) -> Done:
        """End its input, wait for its end."""
        with suppress(BrokenPipeError):
            if self._child.stdin:
                self._child.stdin.close()
        code = self._child.wait()
        words = []
        for stream in (self._out, self._err):
            stream.seek(0)
            words.append(_text(stream.read()))
        return Done(code, *words)

    def close(self) -> None:
        """End it if it still runs: what it was fed is then incomplete."""
        if self._child.poll() is None:
            end(self._child)
        with suppress(BrokenPipeError):
            if self._child.stdin:
                self._child.stdin.close()
        self._out.close()
        self._err.close()


def _begin(argv: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
    """Start a program, as `subprocess.Popen` does."""
    try:
        return subprocess.Popen(list(argv), **options)
    except FileNotFoundError as error:
        raise ProgramMissing(f"{argv[0]} is not installed, or not on PATH.", "Install it, or correct PATH.") from error


def _linked(argv: Sequence[str], **options: Any) -> "tuple[subprocess.Popen[bytes], socket.socket]":
    """Start a program in a session of its own; our end of its standard input and output."""
    import socket

    ours, theirs = socket.socketpair()
    try:
        streams = {"stdin": theirs.fileno(), "stdout": theirs.fileno()}
        return _begin(argv, **streams, start_new_session=True, **options), ours
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
