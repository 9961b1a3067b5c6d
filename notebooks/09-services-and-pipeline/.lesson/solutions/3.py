with Link("prep") as prep:
    head, body = prep.ask("batch", split="test", start=0, size=8)
shapes = [("disc", "square", "triangle")[number] for number in head["labels"]]
