with Link("train") as train:
    train.ask("train", epochs=10, rate=0.05)


def accuracy(run):
    return float((run / "metrics/accuracy_test").read_text().splitlines()[-1].split()[1])


run = max(runs(), key=accuracy)
best = {"run": run.name, "rate": float((run / "params/rate").read_text()), "accuracy": accuracy(run)}
