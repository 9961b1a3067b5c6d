"""Sizes of files as a table."""

import humanize
import tabulate


def table(sizes: dict[str, int]) -> str:
    return tabulate.tabulate([(name, humanize.naturalsize(size)) for name, size in sizes.items()])
