"""Writing GIF a picture at a time: Pillow itself keeps all of them until the end."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image

_N_COLORS, _N_ACCENTS = 256, 48
_SHOWN_ON = 1  # a picture stays where the next one leaves it uncovered
_VIVID = 60  # spread of red, green and blue from which a colour is an accent


def gif_rate(fps: float) -> float:
    """Return the nearest rate that a GIF can hold: its frames last whole hundredths of a second, two at least."""
    return 100 / max(2, round(100 / fps))


def gif_palette(pictures: Sequence[Image.Image], accents: NDArray[np.uint8] | None = None) -> Image.Image:
    """Choose one palette for a whole GIF, so that nothing flickers.

    Parameters
    ----------
    pictures
        Some pictures of the movie.
    accents
        (n, 3) colours that cover few pixels but matter; None: what is vivid in the pictures.
    """
    strip = np.concatenate([np.asarray(picture).reshape(-1, 3) for picture in pictures])
    if accents is None:
        accents = strip[np.ptp(strip.astype(np.int16), axis=-1) > _VIVID]
    colors = [_picked(strip, _N_COLORS - 2 * _N_ACCENTS)]
    if len(accents):
        vivid = _picked(accents, _N_ACCENTS)
        colors += [vivid, vivid // 2]  # arrows have dark rims
    found = Image.new("P", (1, 1))
    found.putpalette(np.concatenate(colors).astype(np.uint8).tobytes())
    return found


def write_gif(path: Path, pictures: Iterable[Image.Image], fps: float, palette: Image.Image | None) -> None:
    """Write RGB pictures that start over for ever; without a palette the first one's colours count."""
    before: NDArray[np.uint8] | None = None
    with path.open("wb") as stream:
        for picture in pictures:
            if palette is None:
                palette = gif_palette([picture])
            indexed = picture.quantize(palette=palette, dither=Image.Dither.NONE)
            now = np.asarray(indexed)
            if before is None:
                stream.write(_header(picture.size, palette))
            left, top, right, bottom = _changed(before, now)
            part = indexed.crop((left, top, right, bottom))
            frame = GifImagePlugin.getdata(part, (left, top), duration=round(1000 / fps), disposal=_SHOWN_ON)
            stream.write(b"".join(frame))
            frame.clear()  # Pillow keeps it until the garbage is collected
            before = now
        stream.write(b";")


def _header(size: tuple[int, int], palette: Image.Image) -> bytes:
    # GIF89a: screen of `size` with 256 colours of 8 bits for all frames; an extension says: for ever.
    colors = bytes(palette.getpalette() or []).ljust(3 * _N_COLORS, b"\0")[: 3 * _N_COLORS]
    return b"GIF89a" + struct.pack("<HHBBB", *size, 0xF7, 0, 0) + colors + b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"


def _changed(before: NDArray[np.uint8] | None, now: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Return the box (left, top, right, bottom) of what differs; of one pixel where nothing does."""
    if before is None:
        return 0, 0, now.shape[1], now.shape[0]
    differs = before != now
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not rows.size:
        return 0, 0, 1, 1
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _picked(pixels: NDArray[np.uint8], n: int) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels[None]).quantize(n, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return np.asarray(image.getpalette(), np.uint8).reshape(-1, 3)[:n]
