import beacon


def test_signals():
    assert beacon.signals() == "north  red\nsouth  green"
