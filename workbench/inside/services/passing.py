"""What passes between a browser and a service: all but what is Jupyter's own, and what is of one connection. Pure."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote_plus, urlsplit

Header = tuple[str, str]

OF_A_CONNECTION = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        *("proxy-authenticate", "proxy-authorization"),
    }
)
"""RFC 9110, 7.6.1: for the next hop only."""
NOT_ASKED = frozenset({"content-length", "expect", "forwarded", "host", "x-proxycontextpath", "x-xsrftoken"})
"""Of a request also these stay here: said anew, dealt with here, or Jupyter's."""
NOT_ANSWERED = frozenset({"clear-site-data", "service-worker-allowed"})
"""Of an answer also these: they would reach beyond the service's own part of this address."""
JUPYTERS = re.compile(r"_xsrf|username-.*|jupyterhub-.*")
"""Names of Jupyter's cookies; also those of other servers here, as browsers do not keep ports apart."""
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def asked(headers: Iterable[Header], token: str, login: str) -> Iterator[Header]:
    """A request's headers for the service. `login` is the name of the cookie by which Jupyter knows a browser."""
    headers = list(headers)
    mine = NOT_ASKED | _of_this_connection(headers)
    for name, value in headers:
        key = name.lower()
        if key in mine or key.startswith("x-forwarded-") or (key != "cookie" and token and token in value):
            continue
        if key == "cookie":
            value = "; ".join(_others(value, login))
        if value:
            yield name, value


def query(text: str, token: str) -> str:
    """A query without Jupyter's token; everything else as it was written."""
    parts = text.split("&")
    return "&".join(part for part in parts if not _is_token(*part.partition("=")[::2], token))


def answered(headers: Iterable[Header], login: str, prefix: str, places: Iterable[str]) -> Iterator[Header]:
    """A service's headers for the browser.

    `prefix` is the path, with a slash at its end, below which the service has its cookies and leads to; `places` are
    the hosts by which it may know itself.
    """
    headers = list(headers)
    mine = NOT_ANSWERED | _of_this_connection(headers)
    for name, value in headers:
        key, value = name.lower(), CONTROL.sub(" ", value)
        if key in mine:
            continue
        if key == "set-cookie":
            if kept := cookie(value, login, prefix):
                yield name, kept
        else:
            yield name, location(value, prefix, places) if key == "location" else value


def cookie(line: str, login: str, prefix: str) -> str | None:
    """A cookie that a service sets, for its own paths alone; None for one of a name that is not its."""
    pair, *attributes = line.split(";")
    name, sign, _ = pair.partition("=")
    # Without a name a browser sends the value only, and that may look like any other cookie.
    if not sign or not name.strip() or _is_jupyters(name.strip(), login):
        return None
    kept, path = [pair], "/"
    for attribute in attributes:
        key, _, value = attribute.partition("=")
        match key.strip().lower():
            case "path":
                path = value.strip()
            case "domain":
                pass
            case _:
                kept.append(attribute)
    return ";".join([*kept, f" Path={below(path if path.startswith('/') else '/', prefix)}"])


def location(value: str, prefix: str, places: Iterable[str]) -> str:
    """Where a service leads to: below `prefix`, where it means itself."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return value
    if parts.netloc and parts.scheme in ("", "http", "https") and parts.netloc.lower() in places:
        value = parts._replace(scheme="", netloc="", path=parts.path or "/").geturl()
    elif parts.scheme or parts.netloc:
        return value
    return below(value, prefix) if value.startswith("/") else value


def below(path: str, prefix: str) -> str:
    """A path below `prefix`, unless it is already: a service that knows of the prefix says it itself."""
    return path if f"{path}/".startswith(prefix) else prefix + path.lstrip("/")


def _of_this_connection(headers: Iterable[Header]) -> frozenset[str]:
    named = (value for name, value in headers if name.lower() == "connection")
    return OF_A_CONNECTION | {each.strip().lower() for value in named for each in value.split(",")}


def _others(cookies: str, login: str) -> Iterator[str]:
    for each in cookies.split(";"):
        if each.strip() and not _is_jupyters(each.partition("=")[0].strip(), login):
            yield each.strip()


def _is_jupyters(name: str, login: str) -> bool:
    return name == login or JUPYTERS.fullmatch(name) is not None


def _is_token(key: str, value: str, token: str) -> bool:
    return unquote_plus(key) == "token" and unquote_plus(value) == token
