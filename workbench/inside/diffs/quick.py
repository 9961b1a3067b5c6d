"""Imports of libraries without what costs much time and serves no one here."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

UNUSED = "rfc3987_syntax"
"""A check of jsonschema's, for a format that no notebook uses: it builds a grammar when it is imported (1.5 s)."""


@contextmanager
def quick_imports() -> Iterator[None]:
    """Within this, what is not needed cannot be imported; the libraries that look for it go on without."""
    if UNUSED in sys.modules:
        yield
        return
    sys.modules[UNUSED] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[UNUSED]
