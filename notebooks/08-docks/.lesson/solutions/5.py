copied = {".gitignore", "pyproject.toml", "runs/monday.csv", "src/tide.py", "tide.ipynb"}
named = "there"
versions = 2
