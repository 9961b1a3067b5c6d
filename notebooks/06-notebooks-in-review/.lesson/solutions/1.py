from pathlib import Path

lines = Path("report/.diffs/harbour.py").read_text().splitlines()
cells = sum(line.startswith("# %%") for line in lines)
texts = sum(line.startswith("# %% [markdown]") for line in lines)
