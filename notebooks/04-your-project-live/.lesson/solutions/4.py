needed = {
    "a new cell in the notebook": "nothing",
    "a corrected function in src/tideline/levels.py": "reload",
    "a new package under dependencies in pyproject.toml": "launch",
    "a new line in a data file that a cell reads": "nothing",
}
