"""Identities of plans: what they are made of, and what has changed between two."""

import hashlib
import json
from collections.abc import Mapping


def digest(value: object) -> str:
    """First 16 hexadecimal digits of the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value)).hexdigest()[:16]


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no spaces; mappings of any kind are objects, tuples are lists."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain).encode()


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """What differs between the inputs of two builds, as a person says it: `requirements.txt changed`."""
    names = sorted(before.keys() | after.keys(), key=lambda name: (name.startswith("("), name))
    return tuple(
        f"{name} {_verb(before.get(name), after.get(name))}" for name in names if before.get(name) != after.get(name)
    )


def _verb(before: str | None, after: str | None) -> str:
    if before is None:
        return "is new"
    return "is gone" if after is None else "changed"


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"not plain data: {value!r}")
