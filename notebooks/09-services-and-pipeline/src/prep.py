"""Prepares the images, and hands them out in batches to whoever asks at the socket `prep`."""

import csv
import hashlib
import os
from pathlib import Path

import numpy as np
from link import serve
from PIL import Image

IMAGES = Path(os.environ.get("APP_ROOT", "."), "images")
SIDE = 16
LABELS = ("disc", "square", "triangle")


def prepare():
    """Each picture of images/raw.csv in grey, cut to what is on it, small: images/prepared, listed in index.csv."""
    (IMAGES / "prepared").mkdir(exist_ok=True)
    with (IMAGES / "raw.csv").open() as file:
        raw = list(csv.DictReader(file))
    index = []
    for number, row in enumerate(raw):
        target = IMAGES / "prepared" / row["file"]
        cut(Image.open(IMAGES / "raw" / row["file"])).save(target)
        digest = hashlib.sha256(target.read_bytes()).hexdigest()
        index.append({**row, "split": "train" if number % 4 else "test", "sha256": digest})
    with (IMAGES / "index.csv").open("w", newline="") as file:
        rows = csv.DictWriter(file, index[0], lineterminator="\n")
        rows.writeheader()
        rows.writerows(index)
    return {"prepared": len(index), "labels": LABELS}, b""


def cut(picture):
    """A picture in grey levels, the bright part of it, at SIDE x SIDE."""
    grey = picture.convert("L")
    return grey.crop(grey.point(lambda value: 255 * (value > 90)).getbbox()).resize((SIDE, SIDE), Image.Resampling.BOX)


def batch(split, start, size):
    """Some images of a part as float32, from -1 (dark) to 1 (the brightest of each), and their labels as numbers."""
    with (IMAGES / "index.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split][start : start + size]
    if not rows:
        return {"shape": [0, SIDE * SIDE], "labels": []}, b""
    pixels = np.stack([np.asarray(Image.open(IMAGES / "prepared" / row["file"]), "float32").ravel() for row in rows])
    pixels = 2 * pixels / pixels.max(axis=1, keepdims=True) - 1
    return {"shape": pixels.shape, "labels": [LABELS.index(row["label"]) for row in rows]}, pixels.tobytes()


if __name__ == "__main__":
    serve("prep", {"prepare": prepare, "batch": batch})
