"""Lanterns along a street."""

import slugify
import tabulate


def street(name: str, lanterns: int) -> str:
    return tabulate.tabulate([(slugify.slugify(name), lanterns)])
