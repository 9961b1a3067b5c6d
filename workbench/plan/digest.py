"""Identities of plans: what they are made of, and what has changed between two."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def digest(value: object) -> str:
    """First 16 hexadecimal digits of the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value)).hexdigest()[:16]


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no spaces; mappings of any kind are objects, tuples are lists, values their fields."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain).encode()


def plain_fields(value: "DataclassInstance | Mapping[str, object]") -> dict[str, Any]:
    """A value's fields as plain data, as they come back from JSON."""
    found: dict[str, Any] = json.loads(canonical(value))
    return found


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
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"not plain data: {value!r}")
