"""Draws small pictures of three shapes into images/raw, the same ones each time, and lists them in images/raw.csv."""

import csv
import math
import os
import random
import struct
import zlib
from pathlib import Path

IMAGES = Path(os.environ.get("APP_ROOT", "."), "images")
SIZE, OF_EACH, SEED = 32, 80, 20191229


def disc(x, y):
    return x * x + y * y < 1


def square(x, y):
    return abs(x) < 0.9 and abs(y) < 0.9


def triangle(x, y):
    return y > -0.9 and y < 0.9 - 2 * abs(x)


def png(rows):
    """The content of a PNG file: rows of (red, green, blue)."""
    raw = b"".join(b"\0" + bytes(value for pixel in row for value in pixel) for row in rows)
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    )


def picture(shape, chance):
    """A bright shape somewhere on a dark ground, turned by any angle, both noisy."""
    radius = chance.uniform(6, 11)
    left, top = (chance.uniform(1.3 * radius, SIZE - 1.3 * radius) for _ in range(2))
    angle = chance.uniform(0, 2 * math.pi)
    colour = [chance.randint(140, 230) for _ in range(3)]

    def pixel(x, y):
        right, up = (x - left) / radius, (top - y) / radius
        turned = right * math.cos(angle) - up * math.sin(angle), right * math.sin(angle) + up * math.cos(angle)
        inside = shape(*turned)
        return [value + chance.randint(-20, 20) for value in colour] if inside else [chance.randint(0, 60)] * 3

    return [[pixel(x, y) for x in range(SIZE)] for y in range(SIZE)]


def main():
    chance = random.Random(SEED)  # noqa: S311 - the same pictures each time
    (IMAGES / "raw").mkdir(parents=True, exist_ok=True)
    with (IMAGES / "raw.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["file", "label"])
        for number in range(OF_EACH):
            for shape in (disc, square, triangle):
                name = f"{shape.__name__}-{number:02}.png"
                (IMAGES / "raw" / name).write_bytes(png(picture(shape, chance)))
                rows.writerow([name, shape.__name__])
    print(f"{3 * OF_EACH} pictures drawn")


if __name__ == "__main__":
    main()
