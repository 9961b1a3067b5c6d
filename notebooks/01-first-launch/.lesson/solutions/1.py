import sys
from importlib.metadata import version
from pathlib import Path

import tabulate

where = tabulate.__file__
ours = Path(where).is_relative_to(sys.prefix)
release = version("tabulate")
