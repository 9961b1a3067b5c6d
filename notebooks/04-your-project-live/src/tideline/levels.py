"""What a day's measurements say."""

DAY = [0.4, 1.9, 3.1, 2.2, 0.6, 1.7, 2.8, 1.5]


def describe(levels: list[float]) -> str:
    """Say a day's levels in a few words."""
    return f"{len(levels)} levels"


def highest(levels: list[float]) -> float:
    """The highest level."""
    return sorted(levels)[0]
