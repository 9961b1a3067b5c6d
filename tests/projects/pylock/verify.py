from importlib.metadata import version

import slugify

assert slugify.slugify("One Two") == "one-two"
assert version("python-slugify") == "8.0.4"
