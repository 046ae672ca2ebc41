"""Hints for whoever shows settings as a form; without any a form is good, with some it is better.

A hint says how a value is asked for, never what it may be: validation, job files and tables know none of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class Hint:
    """How a form asks for one setting: ``Annotated[float, Hint(group="advanced")]``.

    Parameters
    ----------
    group
        "advanced": what few need to change, in a group that is closed at first.
    when
        (name, value): shown, and given, only while the setting beside it has this value.
    array
        The setting is the path of an array: an image layer may be chosen in its place.
    per_frame
        A list with one number for each raw frame: "0, 25, ..." goes on to the last one.
    none_means
        What happens without a value, in a few words.
    choices
        Values to choose from where the type alone does not say them; others may be typed.
    labels
        What the choices (or the values of a `Literal`) are called, in their order.
    unit
        Unit, where the end of the name (`_um`) does not say it.
    order
        Settings stand in the order of the model; higher ones come later.
    """

    group: Literal["", "advanced"] = ""
    when: tuple[str, Any] | None = None
    array: bool = False
    per_frame: bool = False
    none_means: str = ""
    choices: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    unit: str = ""
    order: int = 0


_NONE = Hint()


def hint_of(info: FieldInfo) -> Hint:
    """Return the hint of a model's field; an empty one where there is none."""
    return next((item for item in info.metadata if isinstance(item, Hint)), _NONE)
