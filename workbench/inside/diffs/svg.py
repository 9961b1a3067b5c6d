"""SVG without what runs or loads, and without names that differ from run to run."""

import re
from xml.etree.ElementTree import Element, ParseError, tostring

from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from workbench.inside.diffs.words import words

NAMESPACE = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_DRAWN = words("path rect circle ellipse line polyline polygon text image use")
_KEPT = _DRAWN | words(
    "svg g tspan textPath defs symbol clipPath mask pattern linearGradient radialGradient stop marker title desc style "
    "switch filter feBlend feColorMatrix feComponentTransfer feComposite feConvolveMatrix feDiffuseLighting "
    "feDisplacementMap feDistantLight feDropShadow feFlood feFuncA feFuncB feFuncG feFuncR feGaussianBlur feMerge "
    "feMergeNode feMorphology feOffset fePointLight feSpecularLighting feSpotLight feTile feTurbulence"
)
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+")
_OTHER_FILE = re.compile(r"url\(\s*['\"]?\s*(?!#)|@|\\|image\s*\(|image-set|src\s*\(", re.IGNORECASE)
"""In CSS and in attributes: what could name another file, or hide that it does."""
_REFERENCE = re.compile(r"#([\w:.-]+)")


def clean(text: str) -> str | None:
    """The drawing, None for what is not well-formed or draws nothing."""
    if "xmlns=" not in text:
        text = text.replace("<svg", f'<svg xmlns="{NAMESPACE}"', 1)
    try:
        root = _copy(fromstring(text.strip()))
        if root is None or root.tag != "svg" or not _draws(root):
            return None
        _rename(root)
    except (ParseError, ValueError, RecursionError):  # defusedxml's own errors are ValueErrors
        return None
    root.set("xmlns", NAMESPACE)
    return tostring(root, encoding="unicode") + "\n"


def _copy(element: Element) -> Element | None:
    name = element.tag.removeprefix(f"{{{NAMESPACE}}}") if isinstance(element.tag, str) else ""
    if name == "a":  # a link in a drawing: what it encloses stays
        name = "g"
    if name not in _KEPT or (name == "style" and _OTHER_FILE.search(element.text or "")):
        return None
    made = Element(name, dict(filter(None, (_attribute(name, *each) for each in element.items()))))
    made.text = element.text
    for child in element:
        if (copied := _copy(child)) is not None:
            copied.tail = child.tail
            made.append(copied)
    return made


def _attribute(element: str, name: str, value: str) -> tuple[str, str] | None:
    if name in ("href", _XLINK):
        local = value.startswith("#") or (element == "image" and _PICTURE.fullmatch(value))
        return ("href", value) if local else None
    if name.startswith("{") or name.lower().startswith("on") or _OTHER_FILE.search(value):
        return None
    return name, value


def _draws(root: Element) -> bool:
    """Whether there is anything besides definitions for other drawings."""
    return any(child.tag in _DRAWN or (child.tag not in ("defs", "symbol") and _draws(child)) for child in root)


def _rename(root: Element) -> None:
    """Give the elements names in their order: the libraries that draw make them up anew each time."""
    names: dict[str, str] = {}
    for element in root.iter():
        if name := element.get("id"):
            element.set("id", names.setdefault(name, f"i{len(names)}"))
    for element in root.iter():
        for key, value in element.items():
            if "#" in value:
                element.set(key, _REFERENCE.sub(lambda match: f"#{names.get(match[1], match[1])}", value))
        if element.tag == "style" and element.text:
            element.text = _REFERENCE.sub(lambda match: f"#{names.get(match[1], match[1])}", element.text)
