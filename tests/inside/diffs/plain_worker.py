"""The worker, with a conversion that takes no time and obeys notebooks: `HANG`, `WAIT <folder>`, `END`, `FAIL`.

The page of a notebook is its text. A conversion that waits has made `waiting` in the folder, and ends with a `go`.
"""

import os
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from workbench.inside.diffs import worker
from workbench.inside.diffs.convert import Converted
from workbench.inside.diffs.notebook import Unreadable

PAGE = '<!doctype html>\n<meta http-equiv="Content-Security-Policy" content="default-src \'none\'">\n'
IMAGE = "0123456789abcdef.png"


def convert(content: bytes, name: str) -> Converted:
    """A script, a page and an image with the text of the notebook."""
    text = content.decode()
    print("what a library prints is no answer")
    if not text.rstrip().endswith("}"):
        raise Unreadable("The file is not JSON.")
    if "HANG" in text:
        re.fullmatch("(a+)+", "a" * 64 + "b")  # holds Python's lock for longer than anyone waits
    if wait := re.search(r"WAIT (\S+)", text):
        Path(wait[1], "waiting").touch()
        while not Path(wait[1], "go").exists():
            time.sleep(0.02)
    if "END" in text:
        os._exit(3)
    if "FAIL" in text:
        raise ValueError("no\nsuch\nthing")
    return Converted(f"# %%\n{text}\n", f"{PAGE}{text}", {IMAGE: content})


if __name__ == "__main__":
    worker.main(convert)
