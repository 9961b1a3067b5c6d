"""The clean environment that everything is started with: the way to the outside is kept, the rest is ours."""

import os

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

OUTSIDE = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS"),
    *("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS"),
)
"""Proxies, certificates and the package index: without them a machine in a company cannot install anything."""


def clean(**extra: str) -> dict[str, str]:
    """The environment for a program of the set-up, `extra` over it."""
    kept = {name: os.environ[name] for name in OUTSIDE if name in os.environ}
    terminal = {"TERM": os.environ.get("TERM", "dumb"), "LANG": "C.UTF-8"}
    home = os.environ.get("HOME", "/")
    return {"PATH": SYSTEM_PATH, "HOME": home, **terminal, **kept, **extra}
