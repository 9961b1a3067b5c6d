from importlib.metadata import version

packages = [each["name"] for each in locked["package"] if each["name"] != "menu"]
installed = {name: version(name) for name in packages}
unasked = {name for name in packages if name not in ("python-slugify", "tabulate")}
