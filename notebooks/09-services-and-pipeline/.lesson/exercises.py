"""Exercises of the lesson about services and a pipeline."""

import hashlib
import json
import subprocess
from pathlib import Path

from beside import Missing, get, runs

DOCS, INDEX = Path("/shared/docs"), Path("/shared/images/index.csv")
NEEDS = {"database": [], "tables": ["database"], "answers": ["database", "tables"], "page": ["answers"]}
LABELS = ("disc", "square", "triangle")
COUNT, SIDE = 8, 16


def exercise_1(names):
    """`Path("/shared/docs/hello.txt").write_text("…")` writes it; `get(f"{address}/hello.txt")` asks the service.

    `os.environ["REPORT_URL"]` is the variable's value.
    """
    file = DOCS / "hello.txt"
    if not file.is_file() or not file.read_text().strip():
        return "the volume `docs` has no file hello.txt yet, or an empty one: write text to /shared/docs/hello.txt."
    address = str(names["address"])
    if address != "http://report:8000":
        return f"`address` is {address[:60]!r}: take what the variable REPORT_URL says, from os.environ."
    try:
        page = get("http://report:8000/hello.txt")
    except Missing as missing:
        return f"{missing}. On your machine, `workbench services` shows whether `report` runs."
    if names["answer"] != page:
        return "`answer` is not what the service says: ask it for the page /hello.txt at `address`, by get(…)."
    return None


def exercise_2(names):
    """Begin with the one that needs nobody. Then look which of the others has all that it needs; and so on.

    A job that was waited for until it was done runs no more.
    """
    order = names["order"]
    if not isinstance(order, (list, tuple)) or sorted(map(str, order)) != sorted(NEEDS):
        return f"`order` should be a list that has each of the four names once: {', '.join(sorted(NEEDS))}."
    for place, name in enumerate(order):
        for other in NEEDS[name]:
            if other not in order[:place]:
                return f"in your order `{name}` starts before `{other}`, and its depends_on names that one."
    ended = names["ended"]
    if ended != "tables":
        return f"`ended` is {ended!r}: look for the one that another one waits for until it is done."
    return None


def exercise_3(names):
    """`prep.ask("batch", split="test", start=0, size=8)` answers with two things, as `prepare` did: a table and bytes.

    The table's `labels` are numbers: places in ("disc", "square", "triangle").
    """
    head, body = names["head"], names["body"]
    if not isinstance(head, dict) or "shape" not in head:
        return '`head` should be the table that comes with a batch: head, body = prep.ask("batch", …)'
    if list(head["shape"]) != [COUNT, SIDE * SIDE]:
        return f"the batch has {head['shape'][0]} images, and should have {COUNT}: size={COUNT}"
    if not isinstance(body, bytes) or len(body) != COUNT * SIDE * SIDE * 4:
        return "`body` should be the bytes that came after the table, all of them: it is the second part of the answer."
    wanted = [LABELS[number % 3] for number in range(0, 4 * COUNT, 4)]
    if [LABELS.index(each) for each in wanted] != list(head["labels"]):
        return 'these are not the first images that were set aside for testing: split="test", start=0'
    shapes = names["shapes"]
    if list(shapes) != wanted:
        return f"`shapes` is {str(shapes)[:30]} …: it should be a word for each number of head['labels'], in order."
    return None


def exercise_4(names):
    """`runs()` gives the folders. `params/rate` has a value; the last line of `metrics/accuracy_test` has three words.

    The second of these is the accuracy. `max(runs(), key=…)` finds the best one.
    """
    found = {run.name: run for run in runs()}
    rates = {_rate(run) for run in found.values()}
    if len(rates) < 2:
        return 'all runs so far have the same rate: ask `train` for one with another: train.ask("train", rate=…).'
    best = names["best"]
    if not isinstance(best, dict) or not {"run", "rate", "accuracy"} <= best.keys():
        return '`best` should be a dict with the keys "run", "rate" and "accuracy".'
    if best["run"] not in found:
        return f"mlflow kept no run with the name {str(best['run'])[:40]!r}: it is the name of the run's folder."
    run = found[best["run"]]
    if not _near(best["rate"], _rate(run)):
        return f"that run had the rate {_rate(run)}, and `best` says {best['rate']!r}: read its file params/rate."
    if not _near(best["accuracy"], _accuracy(run)):
        return (
            f"that run ended with the accuracy {_accuracy(run):.3f}, and `best` says {best['accuracy']!r}: "
            "read the last line of its file metrics/accuracy_test."
        )
    highest = max(map(_accuracy, found.values()))
    if _accuracy(run) < highest:
        return f"another run is better: it ended with the accuracy {highest:.3f} on images it had not learned from."
    return None


def exercise_5(names):
    """Write results.json with json.dumps({**best, "data": data}). Then `!git add .`, `!git commit --message "…"`.

    `!git tag first-model` gives the last commit a name. `!git tag --force first-model` moves it to a later one.
    """
    if not Path("results.json").is_file():
        return 'there is no file results.json yet: Path("results.json").write_text(json.dumps(…))'
    if "first-model" not in _git("tag").split():
        return "no commit has the name first-model yet: git commit, and then git tag first-model."
    files = _git("ls-tree", "-r", "--name-only", "first-model").splitlines()
    for wanted in ("results.json", "src/train.py", "src/prep.py"):
        if wanted not in files:
            return f"the commit first-model does not have {wanted}: git add . before the commit, then tag the new one."
    try:
        told = json.loads(_git("show", "first-model:results.json"))
        run, data = told["run"], told["data"]
    except (ValueError, TypeError, KeyError):
        return 'results.json in that commit should be a table in JSON, with the keys "run" and "data" at least.'
    if run not in {each.name for each in runs()}:
        return f"results.json in that commit names the run {str(run)[:40]!r}, and mlflow has kept none of that name."
    if data != hashlib.sha256(INDEX.read_bytes()).hexdigest():
        return "`data` in that commit is not the digest of the index of images as it is now: commit, and tag, anew."
    return None


def _rate(run):
    return float((run / "params/rate").read_text())


def _accuracy(run):
    return float((run / "metrics/accuracy_test").read_text().splitlines()[-1].split()[1])


def _near(said, value):
    try:
        return abs(float(said) - value) < 0.001
    except (TypeError, ValueError):
        return False


def _git(*words):
    """What git says of this folder; empty where it is no repository yet."""
    return subprocess.run(["git", *words], capture_output=True, text=True, check=False).stdout
