"""Reader of files of `NAME=VALUE` lines, as `docker run --env-file` and most tools write them. Pure."""

import re
from collections.abc import Mapping

_LINE = re.compile(
    r"(?:export\s+)?(?P<name>[^\s=]+)(?:\s*=\s*(?:'(?P<literal>[^']*)'|\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<bare>[^'\"].*?)?)"
    r"(?:\s+\#.*)?)?"
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def parse(content: str, file: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of a file.

    Blank lines and lines that begin with `#` say nothing; so does what follows ` #`. In double quotes a backslash
    escapes, in single quotes nothing does. A name alone takes its value from `environ`.
    Raises ValueError with file and line.
    """
    found: dict[str, str] = {}
    for number, raw in enumerate(content.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"{file}:{number}: expected NAME=VALUE (a quote may be open)")
        if "=" in line:
            found[match["name"]] = _value(match)
        elif match["name"] in environ:
            found[match["name"]] = environ[match["name"]]
        else:
            raise ValueError(f"{file}:{number}: {match['name']} has no value here and is not set in your environment")
    return found


def _value(match: re.Match[str]) -> str:
    if match["quoted"] is not None:
        return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), match["quoted"])
    return match["literal"] or match["bare"] or ""
