"""Levels of the tide in a harbour, as a page for people and as JSON for programs. Standard library only."""

import json
import math
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

HARBOUR = os.environ.get("HARBOUR", "Vlissingen")
HOST = os.environ.get("HOST", "127.0.0.1")
PORT = 8000
PAGE = """<!doctype html>
<title>{harbour}</title>
<style>body {{ font: 16px sans-serif; max-width: 30em; margin: 3em auto }} td {{ padding: 0 1em }}</style>
<h1>Tide at {harbour}</h1>
<form action="level">Hour <input name="hour" value="6" size="3"> <button>Ask</button></form>
<table>{rows}</table>
"""


def level(hour: float) -> float:
    """Metres above the mean at an hour of the day."""
    return round(2.1 * math.cos(2 * math.pi * hour / 12.42), 2)


class Handler(BaseHTTPRequestHandler):
    """Answers `/` and `/level?hour=6`."""

    def do_GET(self) -> None:
        """Answer one request."""
        asked = urlsplit(self.path)
        if asked.path == "/":
            rows = "".join(f"<tr><td>{hour}:00<td>{level(hour):+.2f} m" for hour in range(0, 24, 3))
            self.answer(200, "text/html", PAGE.format(harbour=HARBOUR, rows=rows))
        elif asked.path == "/level":
            try:
                hour = float(parse_qs(asked.query)["hour"][0])
            except (KeyError, ValueError):
                self.answer(400, "application/json", json.dumps({"error": "say ?hour=6"}))
                return
            self.answer(200, "application/json", json.dumps({"harbour": HARBOUR, "hour": hour, "level": level(hour)}))
        else:
            self.answer(404, "application/json", json.dumps({"error": f"there is no {asked.path}"}))

    def answer(self, status: int, kind: str, text: str) -> None:
        """Send a text."""
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    print(f"listening on {HOST}, port {PORT}", flush=True)
    ThreadingHTTPServer((HOST, PORT), Handler).serve_forever()
