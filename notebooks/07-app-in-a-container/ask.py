"""Ask a web server as a browser does. Standard library only."""

import http.client
import time
from urllib.parse import urlsplit

PATIENCE = 4.0
"""Seconds in which an app that was just started should answer."""
NOBODY = "no answer"


def get(address: str, **headers: str) -> str:
    """The page at an address, what the server says instead of one, or `no answer`.

    The machine's proxy, if there is one, is not asked: these servers are nearby.
    """
    asked = urlsplit(address)
    end = time.monotonic() + PATIENCE
    while True:
        connection = http.client.HTTPConnection(asked.hostname or "", asked.port, timeout=PATIENCE)
        try:
            connection.request("GET", f"{asked.path}?{asked.query}" if asked.query else asked.path, headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException):
            if time.monotonic() > end:
                return NOBODY
            time.sleep(0.2)
        else:
            return text if answer.status == 200 else f"{answer.status} {answer.reason}"
        finally:
            connection.close()
