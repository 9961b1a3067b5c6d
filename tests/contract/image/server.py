"""A stand-in for Jupyter that starts in no time: waits for its delivery, answers `/api/status`, ends on SIGTERM."""

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any


def delivery() -> dict[str, Any]:
    path = Path(os.environ["WORKBENCH_RUN"], "delivery.json")
    while not path.exists():
        time.sleep(0.02)
    found = json.loads(path.read_text())
    path.unlink()
    return dict(found)


def on_sigterm(number: int, frame: object) -> None:
    print("SIGTERM: saved, kernels ended", flush=True)
    if not os.environ.get("STUBBORN"):
        sys.exit(0)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        allowed = self.headers.get("Authorization") == f"token {given['token']}"
        self.send_response((200 if self.path == "/api/status" else 404) if allowed else 403)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


signal.signal(signal.SIGTERM, on_sigterm)
print("starting", flush=True)
given = delivery()
print(f"took the delivery ({len(given['env'])} variables)", flush=True)
HTTPServer((os.environ["WORKBENCH_IP"], int(os.environ["WORKBENCH_PORT"])), Handler).serve_forever()
