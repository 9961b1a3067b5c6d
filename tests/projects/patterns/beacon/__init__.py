"""A light that tells ships where the rocks are."""

from tabulate import tabulate

COLOURS = {"north": "red", "south": "green"}


def signals() -> str:
    return tabulate(COLOURS.items(), tablefmt="plain")


def main() -> None:
    print(signals())
