"""Bridges and their lengths."""

import tabulate


def lengths(bridges: dict[str, int]) -> str:
    return tabulate.tabulate(bridges.items())
