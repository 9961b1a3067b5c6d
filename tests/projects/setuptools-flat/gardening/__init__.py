"""A garden with a data file in the package."""

from importlib.resources import files

import humanize


def beds() -> str:
    return humanize.intcomma(int(files(__name__).joinpath("beds.txt").read_text()))
