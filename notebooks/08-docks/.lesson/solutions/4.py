known = far.layers("model", far.there)
missing = [each for each in far.layers("model") if each not in known]
sent = far.send("model", missing)
