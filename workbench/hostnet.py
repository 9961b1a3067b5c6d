"""How this machine reaches the outside: proxies, certificates, package indexes and the credentials for them.

Only what a container needs to reach the same places: indexes by http(s), never folders of this machine. Of a
netrc file only the entries of the configured indexes are taken, into their addresses: the rest of it (mail, code
hosting) is nothing that a project's code should see.
"""

import ipaddress
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from workbench.errors import ConfigError
from workbench.model import Network

if TYPE_CHECKING:
    from netrc import netrc

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")
SYSTEM_BUNDLES = (
    "ssl/certs/ca-certificates.crt",
    "pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "pki/tls/certs/ca-bundle.crt",
    "ssl/ca-bundle.pem",
    "ssl/cert.pem",
)
PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "cert")


def survey(environ: Mapping[str, str], home: Path, *, etc: Path = Path("/etc")) -> Network:
    """This machine's network settings; `etc` holds those of the whole system. Reads files, connects to nothing.

    Raises ConfigError for a broken pip.conf or uv.toml.
    """
    pip = read_pip(pip_files(environ, home, etc))
    uv_toml = _first_file(uv_files(environ, home, etc))
    env = proxies(environ) | indexes(environ, pip, uv_configured=uv_toml is not None and _names_index(uv_toml))
    credentials = _netrc(environ, home)
    env = {name: _with_credentials(value, credentials) if "INDEX" in name else value for name, value in env.items()}
    bundles = [Path(environ[name]) for name in BUNDLE_VARIABLES if environ.get(name)]
    bundles += [Path(pip["cert"])] if "cert" in pip else []
    bundle = _first_file([*bundles, *(etc / name for name in SYSTEM_BUNDLES)])
    files = {"ca.pem": bundle, "uv.toml": uv_toml}
    return Network(env=env, files={name: str(path) for name, path in files.items() if path}, uv=_uv(env, bundle))


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Proxy variables in both spellings: some tools read only one of them. Where both are set, each is kept."""
    found: dict[str, str] = {}
    for name in PROXIES:
        upper, lower = environ.get(name), environ.get(name.lower())
        if upper or lower:
            found |= {name: upper or lower or "", name.lower(): lower or upper or ""}
    return found


def indexes(environ: Mapping[str, str], pip: Mapping[str, str], *, uv_configured: bool = False) -> dict[str, str]:
    """Index settings for pip and for uv, each from its own variables, else from the other's.

    `pip` holds the settings of pip's files; with `uv_configured`, uv has an index in a file of its own, which pip's
    settings must not override.
    """
    pip_default = _web(environ.get("PIP_INDEX_URL") or pip.get("index-url", ""))
    pip_extra = _web(environ.get("PIP_EXTRA_INDEX_URL") or pip.get("extra-index-url", ""))
    uv_default = _web(environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL", ""))
    uv_extra = _web(environ.get("UV_INDEX") or environ.get("UV_EXTRA_INDEX_URL", ""))
    trusted = environ.get("PIP_TRUSTED_HOST") or pip.get("trusted-host", "")
    from_pip = not uv_configured
    found = {
        "PIP_INDEX_URL": pip_default or _unnamed(uv_default),
        "PIP_EXTRA_INDEX_URL": pip_extra or _unnamed(uv_extra),
        "UV_DEFAULT_INDEX": uv_default or (pip_default if from_pip else ""),
        "UV_INDEX": uv_extra or (pip_extra if from_pip else ""),
        "PIP_TRUSTED_HOST": trusted,
        "UV_INSECURE_HOST": environ.get("UV_INSECURE_HOST") or trusted,
    }
    # Credentials of uv's named indexes.
    named = {name: value for name, value in environ.items() if re.fullmatch(r"UV_INDEX_\w+_(USERNAME|PASSWORD)", name)}
    return {name: value for name, value in found.items() if value} | named


def _uv(env: Mapping[str, str], bundle: Path | None) -> dict[str, str]:
    """What uv lacks on this machine: pip's indexes and certificates. Of its own it trusts none of the system's."""
    own = bundle is not None and not str(bundle).endswith(SYSTEM_BUNDLES)
    certificates = {"SSL_CERT_FILE": str(bundle)} if own else {"UV_SYSTEM_CERTS": "1"}
    return {name: value for name, value in env.items() if name.startswith("UV_")} | certificates


def notices(network: Network) -> tuple[str, ...]:
    """Sentences about proxies on this machine itself, which a container cannot reach by that name."""
    found = {
        f"{name} points to {host}, which inside a container is the container itself: "
        "the proxy must listen on an address that containers reach."
        for name in PROXIES
        if (host := _loopback(network.env.get(name, ""))) and name != "NO_PROXY"
    }
    return tuple(sorted(found))


def pip_files(environ: Mapping[str, str], home: Path, etc: Path) -> list[Path]:
    """pip's configuration files in the order in which pip reads them, later ones over earlier ones."""
    if environ.get("PIP_CONFIG_FILE") == os.devnull:
        return []
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    site = environ.get("XDG_CONFIG_DIRS") or str(etc / "xdg")
    found = [Path(folder, "pip", "pip.conf") for folder in reversed(site.split(os.pathsep))]
    found += [etc / "pip.conf", home / ".pip" / "pip.conf", config / "pip" / "pip.conf"]
    if sys.platform == "darwin":
        found.append(home / "Library" / "Application Support" / "pip" / "pip.conf")
    if prefix := environ.get("VIRTUAL_ENV"):
        found.append(Path(prefix, "pip.conf"))
    if explicit := environ.get("PIP_CONFIG_FILE"):
        found.append(Path(explicit))
    return found


def uv_files(environ: Mapping[str, str], home: Path, etc: Path) -> list[Path]:
    """Places of `uv.toml`, the one that uv would prefer first."""
    explicit = environ.get("UV_CONFIG_FILE")
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    return [*([Path(explicit)] if explicit else []), config / "uv" / "uv.toml", etc / "uv" / "uv.toml"]


def read_pip(files: Iterable[Path]) -> dict[str, str]:
    """The settings of PIP_KEYS in pip's files; `[install]` goes before `[global]`, a later file before an earlier."""
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    from configparser import Error, RawConfigParser

    for file in (file for file in files if file.is_file()):
        parser = RawConfigParser()
        try:
            parser.read(file, "utf-8")
        except (Error, OSError, UnicodeDecodeError) as error:
            cause = str(error).splitlines()[0]
            raise ConfigError(
                f"{file} cannot be read: {cause}", "Correct it; `pip config debug` shows the rest."
            ) from error
        for section in sections.keys() & set(parser.sections()):
            for key, value in parser.items(section):
                sections[section][key.lstrip("-").replace("_", "-")] = " ".join(value.split())
    merged = sections["global"] | sections["install"]
    return {key: merged[key] for key in PIP_KEYS if merged.get(key)}


def _web(urls: str) -> str:
    """Those of a list of index addresses that are on the net; uv's may carry a name: `name=https://…`."""
    return " ".join(url for url in urls.split() if re.match(r"([\w.-]+=)?https?://", url, re.IGNORECASE))


def _unnamed(urls: str) -> str:
    return " ".join(re.sub(r"^[\w.-]+=(?=https?://)", "", url, flags=re.IGNORECASE) for url in urls.split())


def _loopback(proxy: str) -> str:
    """The host of a proxy address when that is this machine itself, else nothing."""
    try:
        host = urlsplit(proxy if "://" in proxy else f"http://{proxy}").hostname or ""
    except ValueError:
        return ""
    if host == "localhost" or host.endswith(".localhost"):
        return host
    try:
        return host if ipaddress.ip_address(host).is_loopback else ""
    except ValueError:  # a name
        return ""


def _first_file(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if path.is_file() and os.access(path, os.R_OK)), None)


def _names_index(uv_toml: Path) -> bool:
    try:
        table = tomllib.loads(uv_toml.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{uv_toml} is not valid TOML: {error}.", "Correct it: uv will not start either.") from error
    return bool({"index", "index-url", "extra-index-url"} & table.keys())


def _netrc(environ: Mapping[str, str], home: Path) -> "netrc | None":
    path = Path(environ.get("NETRC") or home / ".netrc")
    if not (path.is_file() and os.access(path, os.R_OK)):
        return None
    from netrc import NetrcParseError, netrc

    try:
        return netrc(path)
    except (NetrcParseError, UnicodeDecodeError):
        # pip passes over a broken one as well; an index that needs it will say so itself.
        return None


def _with_credentials(urls: str, credentials: "netrc | None") -> str:
    """Index addresses with the user and password that a netrc file has for their hosts."""
    return " ".join(_login(url, credentials) for url in urls.split()) if credentials else urls


def _login(url: str, credentials: "netrc") -> str:
    name, equals, address = url.partition("=") if re.match(r"[\w.-]+=https?://", url) else ("", "", url)
    parts = urlsplit(address)
    entry = credentials.hosts.get(parts.hostname or "")
    if entry is None or "@" in parts.netloc or not parts.scheme:
        return url
    login = f"{quote(entry[0], safe='')}:{quote(entry[2] or '', safe='')}@{parts.netloc}"
    return name + equals + urlunsplit(parts._replace(netloc=login))
