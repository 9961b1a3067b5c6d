import json
from importlib.metadata import distribution

told = json.loads(distribution("tideline").read_text("direct_url.json"))
editable = told["dir_info"]["editable"]
folder = told["url"].removeprefix("file://")
