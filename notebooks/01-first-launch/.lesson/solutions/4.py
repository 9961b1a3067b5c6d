survives = {
    "a file that a notebook wrote into the project folder": True,
    "a package from requirements.txt": True,
    "a package that you installed in a cell with !pip install": False,
    "the variables of this notebook": False,
}
