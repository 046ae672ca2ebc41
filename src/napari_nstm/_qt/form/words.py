"""Problems in plain words."""

import re
from collections.abc import Mapping

from napari_nstm.core.errors import InputError

_WORDS = (
    (re.compile(r"\bgreater than or equal to (\S+)"), r"a number from \1 up"),
    (re.compile(r"\bless than or equal to (\S+)"), r"a number up to \1"),
    (re.compile(r"^greater than (\S+)$"), r"a number over \1"),
    (re.compile(r"^a mapping of keys to values$"), "name: value, or several with commas between"),
    (re.compile(r"^less than ([\d.e+-]+)$"), r"a number under \1"),
)


def sentence(error: InputError) -> str:
    """Say in one sentence what was given and what is needed."""
    takes = error.takes
    for pattern, words in _WORDS:
        takes = pattern.sub(words, takes)
    if error.got == "nothing":
        return "A value is needed here." if takes.startswith("a value") else f"Needed: {takes}."
    return f"Got {error.got}; needs {takes}."


def with_labels(text: str, labels: Mapping[str, str]) -> str:
    """Write labels in place of the names of settings (`na_objective`) in a text."""
    # A name of one word ("source") may be a word of the sentence as well.
    names = sorted((name for name in labels if "_" in name), key=len, reverse=True)
    if not names:
        return text
    return re.sub(rf"\b({'|'.join(map(re.escape, names))})\b", lambda match: f"“{labels[match[1]]}”", text)
