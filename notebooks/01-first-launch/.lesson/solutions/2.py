import os
from pathlib import Path

mine = Path("mine.txt")
mine.write_text(f"{os.getuid()}\n")
owner = mine.stat().st_uid
