"""Text in pictures: fonts, and numbers, lengths and times in words."""

from __future__ import annotations

import math
from functools import lru_cache

from PIL import ImageDraw, ImageFont

from napari_nstm.io.colors import INK

Font = ImageFont.FreeTypeFont
_MICRO = "µ"


@lru_cache(maxsize=16)
def font(size_px: int) -> Font:
    """Return Pillow's own font, which every system has."""
    found = ImageFont.load_default(size_px)
    if not isinstance(found, ImageFont.FreeTypeFont):
        raise ImportError("Pillow was built without FreeType; install Pillow from its wheels.")
    return found


def text_width(text: str, used: Font) -> float:
    """Return the width of text in pixels."""
    return float(used.getlength(text.replace(_MICRO, "u")))


def draw_text(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    used: Font,
    fill: tuple[int, int, int] = INK,
    anchor: str = "ls",
) -> None:
    """Draw text on a baseline; `anchor` is Pillow's, one of ls, ms and rs."""
    shift = {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]]
    x, y = round(at[0] - shift * text_width(text, used)), at[1]
    draw.text((x, y), text.replace(_MICRO, "u"), font=used, fill=fill, anchor="ls")
    for index, letter in enumerate(text):
        if letter == _MICRO:  # the font has none: give a u its stem
            before = x + text_width(text[:index], used)
            left, _, _, _ = used.getbbox("u", anchor="ls")
            stem = max(1, round(0.085 * used.size))
            start = round(before + left)
            draw.rectangle((start, y - 2, start + stem - 1, y + round(0.2 * used.size)), fill=fill)


def round_length(longest: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is not over `longest`."""
    power = 10.0 ** math.floor(math.log10(longest))
    return max(step * power for step in (1, 2, 5) if step * power <= longest * (1 + 1e-9))


def format_length(length_um: float) -> str:
    """Write a length with a fitting unit."""
    if length_um < 1:
        return f"{length_um * 1000:.4g} nm"
    return f"{length_um:.4g} µm" if length_um < 1000 else f"{length_um / 1000:.4g} mm"


def format_value(value: float, scale: float) -> str:
    """Write a value to three digits of `scale`, the largest among its peers."""
    if value == 0 or not math.isfinite(value) or not math.isfinite(scale) or scale <= 0:
        return f"{value:g}"
    if not 1e-3 <= scale < 1e5:
        return f"{value:.2e}"
    decimals = max(0, 2 - math.floor(math.log10(scale)) - 1)
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def time_texts(times_ms: list[float]) -> list[str]:
    """Write moments with one unit and as many decimals as tell them apart."""
    span = max(times_ms) - min(times_ms)
    largest = max(abs(t) for t in times_ms)
    unit, factor = ("s", 1e-3) if largest >= 10_000 else ("ms", 1.0) if largest >= 1 or largest == 0 else ("µs", 1e3)
    values = [t * factor + 0.0 for t in times_ms]
    step = span * factor / max(1, len(times_ms) - 1)
    decimals = 0 if step <= 0 else min(3, max(0, math.ceil(-math.log10(step) - 1e-9)))
    # One more digit where that makes them exact.
    if any(abs(v - round(v, decimals)) > 1e-6 * max(step, 1) for v in values) and all(
        abs(v - round(v, decimals + 1)) <= 1e-6 * max(step, 1) for v in values
    ):
        decimals += 1
    return [f"{value:.{decimals}f} {unit}" for value in values]
