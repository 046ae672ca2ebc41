"""The errors a user may see: one sentence each, never a traceback.

None of them derives from `RuntimeError`: superqt's workers treat that class as
an abort and would lose the message.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError


class NstmError(Exception):
    """Base of every error that is meant for the user; its text is one line."""


class InputError(NstmError, ValueError):
    """Something the user gave cannot be used.

    Parameters
    ----------
    field
        Dotted name of the field, as it stands in the job file (`acquisition.na_objective`).
    got
        What was given, in words.
    takes
        What the field takes, in words.
    """

    def __init__(self, field: str, got: str, takes: str) -> None:
        self.field, self.got, self.takes = field, got, takes
        super().__init__(f"{field}: got {got}; takes {takes}")


class ChildError(NstmError):
    """The child process that runs a fit ended, or failed, without a result."""


class DeviceError(NstmError):
    """The device that fits failed, or ran out of memory."""


class StoreError(NstmError):
    """A result store cannot be read or written."""


class CancelledError(Exception):
    """What was being written is not wanted any more; not for the user's eyes, who knows."""


def in_one_sentence(error: BaseException) -> str:
    """Return what the user reads of any error: its own sentence, or, of a defect, its kind and text in one line."""
    if isinstance(error, NstmError):
        return str(error)
    return f"An unexpected {type(error).__name__}: {' '.join(str(error).split())[:300]}"


_TAKES = {
    "missing": "a value (it is required)",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}

_UNION_MARKS = ("int", "float", "str", "bool")


def _shorten(value: object, limit: int = 60) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _path(error: Any) -> tuple[str, ...]:
    """Return the names and indices that lead to a value, without pydantic's marks of a union's members."""
    parts = tuple(" ".join(str(part).split()) for part in error["loc"])  # a key may hold line breaks
    return tuple(part for part in parts if "[" not in part and part not in _UNION_MARKS)


def _takes(error: Any) -> str:
    known = _TAKES.get(error["type"])
    return known or str(error["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")


def input_error_from(error: ValidationError, prefix: str = "") -> InputError:
    """Turn the first problem pydantic found into one `InputError`.

    Parameters
    ----------
    error
        What pydantic raised.
    prefix
        Dotted path of the validated model inside the job (`acquisition`).
    """
    return input_errors_from(error, prefix)[0]


def input_errors_from(error: ValidationError, prefix: str = "") -> list[InputError]:
    """Turn every problem pydantic found into an `InputError`, one for each field at fault.

    Parameters
    ----------
    error, prefix
        As for `input_error_from`.
    """
    rest = list(error.errors(include_url=False))
    found = []
    while rest:
        # A value that may be of several types has an error for each: the one that lies deepest knows most.
        start = _path(rest[0])
        same = [e for e in rest if _path(e)[: len(start)] == start]
        rest = [e for e in rest if _path(e)[: len(start)] != start]
        depth = max(len(_path(e)) for e in same)
        found.append(_input_error([e for e in same if len(_path(e)) == depth], prefix))
    return found


def _input_error(same: list[Any], prefix: str) -> InputError:
    first = same[0]
    parts = [*([prefix] if prefix else []), *_path(first)]
    field = ".".join(parts) or "job"
    kind, context = first["type"], first.get("ctx", {})
    if kind == "value_error":
        inner = context.get("error")
        if isinstance(inner, InputError):
            own = field if parts and parts[-1] == inner.field else ".".join([*parts, inner.field])
            return InputError(own, inner.got, inner.takes)
    if kind == "extra_forbidden":
        return InputError(field, "an unknown key", "only the keys in the documentation")
    if kind == "missing":
        return InputError(field, "nothing", _TAKES[kind])
    return InputError(field, _shorten(first["input"]), ", or ".join(dict.fromkeys(_takes(e) for e in same)))
