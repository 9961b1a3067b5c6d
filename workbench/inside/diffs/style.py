"""CSS that comes with outputs and markdown: colours, borders and sizes are kept, nothing that could load or cover."""

import re

from workbench.inside.diffs.words import words

PROPERTIES = words(
    "background background-color border border-bottom border-collapse border-color border-left border-radius "
    "border-right border-spacing border-style border-top border-width color display font-size font-style font-weight "
    "height max-height max-width min-height min-width opacity padding padding-bottom padding-left padding-right "
    "padding-top text-align text-decoration text-transform vertical-align white-space width"
)
FUNCTIONS = frozenset({"rgb", "rgba", "hsl", "hsla", "linear-gradient"})
_VALUE = re.compile(r"[\w #%.,()+-]+", re.ASCII)
_FUNCTION = re.compile(r"([\w-]*)\(")
_SELECTOR = re.compile(r"#([\w-]+)(?:\s+(table|thead|tbody|caption|tr|th|td))?", re.ASCII)


def declarations(text: str) -> str:
    """Those declarations of a `style` attribute that are kept, in one form."""
    kept = []
    for part in text.split(";"):
        name, _, value = part.partition(":")
        name, value = name.strip().lower(), " ".join(value.split())
        if name in PROPERTIES and _VALUE.fullmatch(value) and FUNCTIONS.issuperset(_FUNCTION.findall(value)):
            kept.append(f"{name}: {value}")
    return "; ".join(kept)


def rules(sheet: str) -> dict[tuple[str, str], str]:
    """Of a style sheet, the declarations for single elements, by their id, and for parts of one, by its id and a tag.

    It is what pandas writes for a styled table. Rules with other selectors could reach into other cells.
    """
    found: dict[tuple[str, str], str] = {}
    for block in sheet.split("}"):
        selectors, _, body = block.partition("{")
        if kept := declarations(body):
            for match in filter(None, (_SELECTOR.fullmatch(each.strip()) for each in selectors.split(","))):
                key = (match[1], match[2] or "")
                found[key] = f"{found[key]}; {kept}" if key in found else kept
    return found
