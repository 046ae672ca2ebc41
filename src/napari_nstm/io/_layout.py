"""How large images and letters of a picture are."""

from __future__ import annotations

from dataclasses import dataclass

from napari_nstm.core.errors import InputError
from napari_nstm.io._footer import Footer, Key

COMFORTABLE_PX = 768
"""At this length of the longer side of an image, text beside it is readable."""

WIDEST_PX = 4096
"""What every decoder of H.264 takes."""

_SMALLEST_EM, _EM, _LARGEST_EM = 9, 15, 40
_MARGINS = 2  # of one em each, at the sides


@dataclass(frozen=True)
class Layout:
    """Sizes in picture pixels.

    Parameters
    ----------
    factor
        Picture pixels per image pixel.
    panel_shape
        (row, column) of an image.
    em
        Size of the letters.
    width
        Of the whole picture; even.
    """

    factor: float
    panel_shape: tuple[int, int]
    em: int
    width: int


def layout(
    image_shape: tuple[int, int],
    n_panels: int,
    key: Key,
    *,
    comfortable_px: int = COMFORTABLE_PX,
    width_px: int | None = None,
    whole: bool = False,
) -> Layout:
    """Lay out a picture.

    Parameters
    ----------
    image_shape
        (y, x) of the images, all alike.
    n_panels
        Images in a row.
    key
        The footer.
    comfortable_px
        Without a width: images are enlarged by a whole factor, up to about this length of the longer side.
    width_px
        Width of the picture; rounded up to an even number.
    whole
        Whether with a width too images are enlarged by a whole factor; margins take what is left.

    Raises
    ------
    InputError
        Field `size`: a width that the footer does not fit into, or that decoders do not take.
    """
    if width_px is not None:
        return _of_width(image_shape, n_panels, key, width_px, whole)
    factor = enlargement(image_shape, n_panels, comfortable_px)
    height, width = (n * factor for n in image_shape)
    em = _letters(height, n_panels * width)
    footer = Footer(key, factor, em, width)
    full = max(n_panels * width + (n_panels - 1) * em, footer.least_width) + _MARGINS * em
    return Layout(factor, (height, width), em, full + full % 2)


def enlargement(image_shape: tuple[int, int], n_panels: int, comfortable_px: int = COMFORTABLE_PX) -> int:
    """Return the whole factor by which images of this shape, in a row, are enlarged."""
    row = max(image_shape[0], image_shape[1], n_panels * image_shape[1] // 2)
    return max(1, comfortable_px // row)


def _of_width(image_shape: tuple[int, int], n_panels: int, key: Key, width_px: int, whole: bool) -> Layout:
    rows, columns = image_shape
    full = width_px + width_px % 2
    if not 0 < full <= WIDEST_PX:
        raise InputError("size", str(width_px), f"a width of at most {WIDEST_PX} pixels")
    width, em = _fitted(image_shape, n_panels, full)
    while width > 0:
        factor = width / columns
        needed = Footer(key, factor, em, width).least_width + _MARGINS * em
        if needed <= full:
            if whole and width >= columns:
                factor = width // columns
            return Layout(factor, (max(1, round(rows * factor)), round(columns * factor)), em, full)
        if em == _SMALLEST_EM:
            break
        em -= 1  # smaller letters leave more room; images grow a little
        width = _room(n_panels, full, em)
    least = Footer(key, 1.0, _SMALLEST_EM, columns).least_width + _MARGINS * _SMALLEST_EM
    raise InputError("size", str(width_px), f"a width of at least {least} pixels, or less of a key below")


def _fitted(image_shape: tuple[int, int], n_panels: int, full: int) -> tuple[int, int]:
    """Return the largest width of an image, and the letters that suit it."""
    em, width = _SMALLEST_EM, 0
    for em in range(_SMALLEST_EM, max(_LARGEST_EM, full // 50) + 1):
        width = _room(n_panels, full, em)
        # Letters grow, and images shrink, until the one suits the other.
        if em >= _letters(round(image_shape[0] * width / image_shape[1]), n_panels * width, full):
            break
    return width, em


def _room(n_panels: int, full: int, em: int) -> int:
    return (full - (n_panels - 1 + _MARGINS) * em) // n_panels


def _letters(height: int, row: int, full: int | None = None) -> int:
    """Return the size of letters that suits images of a height, and together this wide."""
    least, most = (_EM, _LARGEST_EM) if full is None else (_SMALLEST_EM, max(_LARGEST_EM, full // 50))
    return round(min(max(height / 42, row / 60, least), most))
