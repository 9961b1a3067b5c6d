"""What is said in place of a service's page, in plain words. Pure."""

import html
import re
from collections.abc import Iterable

from workbench.inside.services.declared import WebService

Said = tuple[str, ...]
"""A title and sentences; what a person can type is in backquotes."""
STYLE = (
    ":root { color-scheme: light dark }"
    " body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 15vh auto; padding: 1rem }"
)


def unknown(name: str, services: Iterable[WebService]) -> Said:
    """There is no such service."""
    names = ", ".join(f"`{each.name}`" for each in services)
    return (
        "There is no such service",
        f"No web interface is declared for `{name}`." if name else "The address needs the name of a service.",
        f"There are: {names}.",
    )


def down(service: WebService) -> Said:
    """It does not answer."""
    return (
        f"{service.title} does not answer",
        f"The service `{service.name}` cannot be reached at `{service.place}`: it has stopped, or is still starting.",
        f"`workbench services logs {service.name}` shows what it says.",
    )


def foreign() -> Said:
    """Another site's page asks, with this browser's login."""
    return (
        "Refused",
        "This request comes from a page of another site.",
        "Open the service from JupyterLab, or type its address.",
    )


def as_text(said: Said) -> str:
    """For programs."""
    return "\n".join(said) + "\n"


def as_page(said: Said) -> str:
    """For people."""
    title, *sentences = (re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(each)) for each in said)
    body = "".join(f"<p>{each}</p>" for each in sentences)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1>{body}\n"
    )
