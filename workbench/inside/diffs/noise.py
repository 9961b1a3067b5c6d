"""What differs from run to run though nothing has changed, taken out of outputs."""

import re

_ADDRESS = re.compile(r"(?<=\bat )0x[0-9A-Fa-f]{6,16}\b|\b0x(?:[0-9a-f]{12}|0{2,7}[0-9A-F]{9,14})\b")
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b")
_PROCESS = re.compile(r"\bipykernel_\d+/")
_CELL = re.compile(r"<ipython-input-\d+-([0-9a-f]+)>")
_COUNT = re.compile(r"In ?\[\d+\]")
_PACE = re.compile(r" \[(?:\d+:)?\d\d:\d\d<[^]\n]*\]")
"""How long a progress bar of tqdm took, and how quick it was."""


def quiet(text: str) -> str:
    """The text of an output without memory addresses, random identifiers, process numbers and the pace of progress."""
    if "0x" in text:
        text = _ADDRESS.sub("0x…", text)
    if "ipy" in text:
        text = _CELL.sub(r"<ipython-input-\1>", _PROCESS.sub("ipykernel/", text))
    if "<" in text:
        text = _PACE.sub("", text)
    return _UUID.sub("uuid4-…", text)


def quiet_traceback(text: str) -> str:
    """The same for a traceback, which names cells by their counts."""
    return _COUNT.sub("In[…]", quiet(text))
