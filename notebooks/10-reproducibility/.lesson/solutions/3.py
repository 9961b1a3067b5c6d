now = shelf.resolve("1.0")
moved = now != first
still = shelf.pull(first)
