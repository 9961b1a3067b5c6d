"""The season of a month on the northern half of the earth."""


def season(month: int) -> str:
    return ("winter", "spring", "summer", "autumn")[month % 12 // 3]
