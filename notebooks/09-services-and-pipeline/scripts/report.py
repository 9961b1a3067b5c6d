"""Writes docs/report.md: what the model was made from, and how good it is."""

import csv
import hashlib
import json
import os
from collections import Counter
from pathlib import Path

ROOT = Path(os.environ.get("APP_ROOT", "."))
REPORT = """\
# Shapes

| images | {count} |
|---|---|
| their digest | `{digest}` |
| accuracy on {train} images that were learned from | {accuracy[train]:.1%} |
| accuracy on {test} others | {accuracy[test]:.1%} |
"""


def main():
    index = ROOT / "images/index.csv"
    with index.open() as file:
        parts = Counter(row["split"] for row in csv.DictReader(file))
    metrics = json.loads((ROOT / "log/metrics.json").read_text())
    digest = hashlib.sha256(index.read_bytes()).hexdigest()[:16]
    text = REPORT.format(count=parts.total(), digest=digest, accuracy=metrics["accuracy"], **parts)
    (ROOT / "docs/report.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
