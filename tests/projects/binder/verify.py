from importlib.metadata import version

import humanize

assert humanize.intcomma(1000) == "1,000"
assert version("humanize") == "4.12.3"
