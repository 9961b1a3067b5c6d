"""Ships in a harbour."""

import tabulate

__version__ = "2.1"


def ships(names: list[str]) -> str:
    return tabulate.tabulate([[name] for name in names], headers=["ship"])
