"""Which addresses a page may name, and how they read from where the page lies: a folder below the notebook."""

import re
from urllib.parse import urlsplit

SCHEMES = frozenset({"http", "https", "mailto"})
PICTURE = re.compile(r"[^?#]+\.(?:png|jpe?g|gif|webp|svg|bmp|avif)", re.IGNORECASE)
_IGNORED = re.compile(r"[\t\r\n]")
"""What browsers leave out of an address, wherever it stands."""
_REFUSED = re.compile(r"[\x00-\x1f\x7f\\]")


def link(address: str) -> str | None:
    """An address to go to: of the web, of this page, or beside the notebook; None for any other."""
    address = _IGNORED.sub("", address).strip(" ")
    if address.startswith("#"):
        return address
    scheme, colon, _ = re.split(r"[/?#]", address, maxsplit=1)[0].partition(":")
    if colon:
        return address if scheme.lower() in SCHEMES and not _REFUSED.search(address) else None
    return _beside(address)


def picture(address: str) -> str | None:
    """A picture that lies beside the notebook; None for anything else, so that a page loads nothing from afar."""
    address = _IGNORED.sub("", address).strip(" ")
    return _beside(address) if ":" not in address and PICTURE.fullmatch(address) else None


def host(address: str) -> str:
    """Whose an address is, empty for one that has no host."""
    try:
        return urlsplit(address.strip()).hostname or ""
    except ValueError:
        return ""


def _beside(address: str) -> str | None:
    if not address or address.startswith("/") or _REFUSED.search(address):
        return None
    return f"../{address}"
