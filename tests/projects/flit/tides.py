"""High and low water."""

import slugify

__version__ = "0.9"


def station(name: str) -> str:
    return slugify.slugify(name)
