"""Nested content as nobody should write it: every place in it, and the same with one place changed or gone."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, settings

BOUNDED = settings(
    max_examples=60, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
GONE = object()


def places(value: Any, at: tuple[Any, ...] = ()):
    """Every place in nested mappings and lists."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from places(one, (*at, name))


def changed(content: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The content with another value at a place, or without it."""
    if not place:
        return None if value is GONE else value
    content = copy.deepcopy(content)
    inner = content
    for name in place[:-1]:
        inner = inner[name]
    if value is GONE:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return content
