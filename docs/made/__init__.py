"""The pages of `docs/reference` from the code, each text in the place of its mark in a page.

What has no words of its own in the code ends the build: `made.text.Missing`.
"""

import re
from collections.abc import Callable, Mapping

from made.api import python
from made.commands import commands
from made.protocol import addresses, limits, messages, refusals, state, verbs
from made.settings import settings

MARK = re.compile(r"<!-- generated: (\w+) -->")
WRITERS: Mapping[str, Callable[[], str]] = {
    each.__name__: each for each in (commands, settings, verbs, limits, messages, refusals, addresses, state, python)
}


def insert(text: str) -> str:
    """A page with its marks replaced."""
    return MARK.sub(lambda mark: WRITERS[mark[1]](), text)
