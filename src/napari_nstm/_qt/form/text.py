"""Between the text of a line and the value it stands for; nothing here knows Qt.

Text that is no value stays text: validation then names it.
"""

import re
from decimal import Decimal
from typing import Any

import yaml

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_GOES_ON = re.compile(r"[\s,;]*(\.\.\.|…)$")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")


def plain(value: float) -> str:
    """Write a number as people do: no `.0`, no padded exponent, and nothing lost."""
    if isinstance(value, int) or (abs(value) < 1e15 and value == int(value)):
        return str(int(value))
    return re.sub(r"e([+-])0*", lambda match: "e" + match[1].replace("+", ""), repr(float(value)))


def shown(value: Any) -> str:
    """Write a value in one line, as `number`, `numbers` and `from_yaml` read it."""
    if value is None:
        return ""
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int | float):
        return plain(value)
    if isinstance(value, list | tuple) and all(isinstance(item, int | float | str) for item in value):
        # One number and a comma is a list of one.
        return ", ".join(map(shown, value)) + ("," if len(value) == 1 else "")
    return yaml_text(value)


def number(text: str) -> int | float | str | None:
    """Read one number; None from an empty text."""
    text = text.strip()
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        return text
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)


def numbers(text: str, n_frames: int | None = None, scalar: bool = False) -> Any:
    """Read numbers between commas or spaces, in brackets or not; None from an empty text.

    Parameters
    ----------
    text
        Such as "90, 270, 0, 180".
    n_frames
        How many numbers "0, 25, ..." stands for: it goes on in the last step. None: such text stays text.
    scalar
        Whether one number alone is no list.
    """
    inner = text.strip().removeprefix("[").removesuffix("]").strip()
    if not inner:
        return None
    if goes_on(inner):
        return _continued(_GOES_ON.sub("", inner), n_frames) or text.strip()
    values = [number(item) for item in _items(inner)]
    if scalar and len(values) == 1 and not inner.endswith((",", ";")):
        return values[0]
    return values


def goes_on(text: str) -> bool:
    """Whether a list ends in "..."."""
    return _GOES_ON.search(text.strip().removesuffix("]")) is not None


def has_decimal_comma(text: str) -> bool:
    """Whether a text is one number with a comma where the point should be."""
    return _DECIMAL_COMMA.fullmatch(text) is not None


def from_yaml(text: str) -> Any:
    """Read a value in YAML; braces around `name: value, name: value` may be left out. None from an empty text."""
    if not text.strip():
        return None
    for candidate in (text, "{" + text + "}") if ":" in text else (text,):
        try:
            return yaml.safe_load(candidate)
        except yaml.YAMLError:
            continue
    return text


def yaml_text(value: Any) -> str:
    """Write a value as YAML in one line; the braces of a mapping are left out."""
    if not value and isinstance(value, dict):
        return ""
    line = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf"))
    line = line.removesuffix("\n").removesuffix("\n...")
    return line[1:-1] if isinstance(value, dict) else line


def _items(text: str) -> list[str]:
    return [item for item in re.split(r"[\s,;]+", text) if item]


def _continued(text: str, n_frames: int | None) -> list[int | float] | None:
    items = _items(text)
    if n_frames is None or len(items) < 2 or not all(_NUMBER.fullmatch(item) for item in items):
        return None
    # Decimal: steps of 0.1 stay steps of 0.1.
    exact = [Decimal(item) for item in items]
    step = exact[-1] - exact[-2]
    exact += [exact[-1] + step * k for k in range(1, n_frames - len(exact) + 1)]
    return [int(value) if value == value.to_integral_value() else float(value) for value in exact]
