from pathlib import Path

Path("src/tideline/units.py").write_text('''"""Other units."""


def to_feet(metres: float) -> float:
    """Metres in feet."""
    return metres / 0.3048
''')

from tideline import units

to_feet = units.to_feet
