"""How the containers talk: a question and an answer over a unix socket in the shared folder `ipc`.

Both are one line of JSON; bytes may follow the line of an answer, which says how many. From a shell:
`python3 link.py prep prepare`. Without a verb: whether somebody listens.
"""

import json
import os
import socket
import sys
import threading
import time
from pathlib import Path

SOCKETS = Path(os.environ.get("APP_ROOT", "."), "ipc")
PATIENCE = 60
"""Seconds in which the other container must have started to listen."""


def serve(name, verbs):
    """Answer whoever asks: `verbs` maps a name to a function that returns a table and bytes."""
    path = SOCKETS / f"{name}.sock"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        # Whoever sees the folder may ask, also as another user.
        path.chmod(0o666)
        listener.listen()
        print(f"{name} listens at {path}")
        while True:
            link, _ = listener.accept()
            # One who keeps a link open keeps nobody waiting.
            threading.Thread(target=_talk, args=(link, verbs), daemon=True).start()


def _talk(link, verbs):
    with link, link.makefile("rb") as questions:
        for line in questions:
            head, body = _answer(verbs, json.loads(line))
            link.sendall(json.dumps({**head, "bytes": len(body)}).encode() + b"\n" + body)


def _answer(verbs, question):
    try:
        return verbs[question.pop("verb")](**question)
    except Exception as error:
        # The other side is to know, and the next question is to be answered.
        print(f"failed: {error!r}", file=sys.stderr)
        return {"error": repr(error)}, b""


class Link:
    """The near end of a link to another container."""

    def __init__(self, name):
        self._socket = _connected(SOCKETS / f"{name}.sock")
        self._answers = self._socket.makefile("rb")

    def ask(self, verb, **more):
        """The answer to a question: a table and bytes."""
        self._socket.sendall(json.dumps({"verb": verb, **more}).encode() + b"\n")
        head = json.loads(self._answers.readline())
        if "error" in head:
            raise RuntimeError(head["error"])
        return head, self._answers.read(head.pop("bytes"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._answers.close()
        self._socket.close()


def _connected(path):
    deadline = time.monotonic() + PATIENCE
    while True:
        link = socket.socket(socket.AF_UNIX)
        try:
            link.connect(str(path))
        except OSError:
            link.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return link


if __name__ == "__main__":
    with Link(sys.argv[1]) as link:
        for verb in sys.argv[2:]:
            print(json.dumps(link.ask(verb)[0]))
