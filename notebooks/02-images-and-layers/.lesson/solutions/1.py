import json

[told] = json.loads(docker("image", "inspect", "tiny"))
layers = len(told["RootFS"]["Layers"])
command = told["Config"]["Cmd"]
