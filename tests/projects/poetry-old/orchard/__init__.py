"""Apples and pears."""

import humanize
import tabulate


def harvest(fruit: dict[str, int]) -> str:
    return tabulate.tabulate([(name, humanize.intcomma(count)) for name, count in fruit.items()])
