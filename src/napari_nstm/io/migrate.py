"""Records of older stores, brought to what this version reads: one small step from each format to the next.

Nothing on the disk changes by reading; whoever writes a store again writes the newest format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Content = dict[str, Any]


def migrated(content: Mapping[str, Any], newest: int) -> Content:
    """Return the record of a store in the newest format.

    Parameters
    ----------
    content
        What was read, with its number `format`.
    newest
        The format that is wanted; a record that has it already, or a higher one, is returned as it is.
    """
    found = dict(content)
    while found["format"] < newest:
        step = _STEPS.get(found["format"])
        if step is None:
            return found  # no such format ever was: the record's own checks say what is wrong
        found = {**step(found), "format": found["format"] + 1}
    return found


def _to_2(content: Content) -> Content:
    """Format 2 tells the history of a store; format 1 knows when it began, and with what it was last written."""
    about = {"device": content.get("device", ""), "versions": content.get("versions", {})}
    began = {"what": "began", "at": content.get("created", ""), "step": 0, **about}
    return {**content, "history": [began]}


_STEPS: dict[int, Callable[[Content], Content]] = {1: _to_2}
