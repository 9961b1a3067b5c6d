"""What to show of an output that comes in several forms."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from workbench.inside.diffs import clean, images, markdown, text
from workbench.inside.diffs.fragment import Fragment, note, remembered
from workbench.inside.diffs.noise import quiet

INTERACTIVE = {
    "application/vnd.plotly": "plotly figure",
    "application/vnd.bokehjs": "bokeh figure",
    "application/vnd.holoviews": "HoloViews figure",
    "application/vnd.vega": "Vega chart",
    "application/vnd.jupyter.widget-view": "widget",
    "application/vnd.jupyter.es6-rich-output": "output",
    "application/javascript": "JavaScript output",
    "text/javascript": "JavaScript output",
}
"""How the MIME type of an interactive output begins -> what it is."""
PANEL = "application/vnd.workbench.panel+json"
"""The panel of a workbench: what it shows is true at this moment only."""
SIGNS = {
    "plotly": "plotly figure",
    "bokeh": "bokeh figure",
    "vegaembed": "Vega chart",
    "leaflet": "map",
    "tensorboard": "TensorBoard",
}
"""Words in the script of an output -> what it is."""
SHORT = 100
"""Characters of a text that can stand as the name of an output."""
FALLBACK = "text-repr-fallback"
"""Class, in scikit-learn's and xarray's HTML, of a text for pages without their style sheet."""


def html(data: Mapping[str, Any], folder: str) -> Fragment | None:
    """The best form that a page without scripts can show; None for what shows nothing anywhere.

    `data`: MIME type -> content. `folder` is how the page refers to the folder of its images.
    """
    if PANEL in data:
        return _panel(data[PANEL])
    if kind := next((kind for begin, kind in INTERACTIVE.items() for mime in data if mime.startswith(begin)), None):
        return _image(data, folder) or _placeholder(kind, data)
    if "text/html" in data and not (FALLBACK in data["text/html"] and "text/plain" in data):
        return _page(data, folder)
    if "text/markdown" in data:
        return markdown.html(quiet(data["text/markdown"]), folder)
    return _image(data, folder) or _text(data) or _unknown(data)


def _panel(content: object) -> Fragment:
    name = content.get("name") if isinstance(content, dict) else None
    return note(f"Workbench panel of {name}" if isinstance(name, str) and len(name) < SHORT else "Workbench panel")


def _page(data: Mapping[str, Any], folder: str) -> Fragment | None:
    page = clean.output(data["text/html"], folder)
    if page.active:
        begin = data["text/html"][:100_000].lower()
        kind = next((kind for sign, kind in SIGNS.items() if sign in begin), None)
        if kind or not page.visible:
            return _image(data, folder) or _placeholder(kind or "output", data)
    return page if page.visible else _image(data, folder)


def _image(data: Mapping[str, Any], folder: str) -> Fragment | None:
    plain = data.get("text/plain", "")
    label = quiet(plain) if len(plain) < SHORT else ""
    shown = [_drawn(mime, data[mime], label, folder) for mime in images.TYPES if mime in data]
    return next((each for each in shown if each.images), shown[0] if shown else None)


@remembered
def _drawn(mime: str, content: str, label: str, folder: str) -> Fragment:
    image = images.from_svg(content) if mime == images.SVG else images.from_base64(mime, content)
    if image is None:
        return note(f"{mime} that cannot be shown")
    return Fragment(f'<img src="{escape(folder)}/{image.name}" alt="{escape(label)}">', {image.name: image.content})


def _placeholder(kind: str, data: Mapping[str, Any]) -> Fragment:
    label = quiet(data.get("text/plain", "")) if kind == "widget" else ""
    shown = f" {label}" if label and len(label) < SHORT and "\n" not in label else ""
    return note(f"interactive {kind}{shown}: run the notebook to see it")


def _text(data: Mapping[str, Any]) -> Fragment | None:
    if "text/latex" in data:
        return Fragment(f'<pre class="math">\n{escape(data["text/latex"].strip().strip("$").strip())}\n</pre>')
    if "application/json" in data:
        return Fragment(text.html(json.dumps(data["application/json"], indent=2, ensure_ascii=False)))
    return Fragment(text.html(data["text/plain"])) if data.get("text/plain") else None


def _unknown(data: Mapping[str, Any]) -> Fragment | None:
    return note(f"output of type {', '.join(data)}: run the notebook to see it") if any(data.values()) else None
