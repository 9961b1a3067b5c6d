"""Fits a softmax regression to the images that `prep` hands out, and logs to mlflow. Asked at the socket `train`."""

import json
import os
from pathlib import Path

import mlflow
import numpy as np
from link import Link, serve

LOG = Path(os.environ.get("APP_ROOT", "."), "log")
LABELS = ("disc", "square", "triangle")
SIZE = 16


def train(epochs=20, rate=0.05):
    """Fit, and write log/metrics.json and log/model.json; the numbers go to mlflow as well."""
    # A server where MLFLOW_TRACKING_URI says so, else files.
    mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI") or f"file://{LOG}/mlruns")
    mlflow.set_experiment("shapes")
    weights = None
    with Link("prep") as prep, mlflow.start_run(run_name="softmax") as run:
        mlflow.log_params({"epochs": epochs, "rate": rate, "batch": SIZE})
        for epoch in range(epochs):
            for pixels, labels in batches(prep, "train"):
                weights = np.zeros((pixels.shape[1], len(LABELS))) if weights is None else weights
                wrong = softmax(pixels @ weights) - np.eye(len(LABELS))[labels]
                weights -= rate * pixels.T @ wrong / len(labels)
            found = {part: accuracy(prep, part, weights) for part in ("train", "test")}
            mlflow.log_metrics({f"accuracy_{part}": value for part, value in found.items()}, step=epoch)
    metrics = {"epochs": epochs, "rate": rate, "accuracy": {part: round(value, 4) for part, value in found.items()}}
    (LOG / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    (LOG / "model.json").write_text(json.dumps({"labels": LABELS, "weights": weights.round(6).tolist()}) + "\n")
    print(f"{run.info.run_id}: {metrics['accuracy']}")
    return {**metrics, "run": run.info.run_id}, b""


def batches(prep, split):
    """The images of a part, some at a time."""
    start = 0
    while True:
        head, body = prep.ask("batch", split=split, start=start, size=SIZE)
        if not head["labels"]:
            return
        yield np.frombuffer(body, "float32").reshape(head["shape"]).astype(float), np.array(head["labels"])
        start += SIZE


def accuracy(prep, split, weights):
    """The share of a part that is told rightly."""
    right = [(pixels @ weights).argmax(axis=1) == labels for pixels, labels in batches(prep, split)]
    return float(np.concatenate(right).mean())


def softmax(scores):
    """Scores as probabilities, by rows."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


if __name__ == "__main__":
    serve("train", {"train": train})
