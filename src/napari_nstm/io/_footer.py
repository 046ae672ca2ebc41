"""The key below a picture: time, grey levels or colours, motion, scale bar."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from napari_nstm.io.colors import FAINT, INK, LINE, color_wheel, speed_colors
from napari_nstm.io.text import draw_text, font, format_length, format_value, round_length, text_width


@dataclass(frozen=True)
class MotionKey:
    """What explains arrows: two lines of text beside a colour wheel (directions) or a ramp (speeds)."""

    lines: tuple[str, str]
    directions: bool = True


@dataclass(frozen=True)
class Key:
    """What the footer of a picture says.

    Parameters
    ----------
    limits
        Values shown black and white.
    quantity
        What is shown, with its unit.
    pixel_size_um
        Of an image pixel along x.
    motion
        Key to the arrows, if there are any.
    stamp, stamp_note
        The longest time stamp that will be set, and the line under it; empty for none.
    in_colors
        Whether images hold red, green and blue; each is shown from black to full by the same limits.
    color_key, scale_bar
        Whether colours (of images and arrows) are explained, and lengths.
    """

    limits: tuple[float, float]
    quantity: str
    pixel_size_um: float
    motion: MotionKey | None = None
    stamp: str = ""
    stamp_note: str = ""
    in_colors: bool = False
    color_key: bool = True
    scale_bar: bool = True


class Footer:
    """The key, in blocks from left to right; each has two lines.

    Parameters
    ----------
    key
        What it says.
    factor
        Picture pixels per image pixel.
    em
        Size of the letters in picture pixels.
    panel_px
        Width of an image.
    """

    def __init__(self, key: Key, factor: float, em: int, panel_px: int) -> None:
        self._key, self._em = key, em
        self._font, self._small = font(em), font(round(0.82 * em))
        scale = max(abs(limit) for limit in key.limits)
        self._limits = tuple(format_value(limit, scale) for limit in key.limits)
        bar_um = round_length(min(8.5 * em, 0.3 * panel_px) / factor * key.pixel_size_um)
        self._bar_px, self._bar_text = max(1, round(bar_um / key.pixel_size_um * factor)), format_length(bar_um)
        self._ramp_px, self._icon_px = 6 * em, round(2.2 * em)
        blocks = []
        if key.stamp:
            stamp = math.ceil(text_width(key.stamp, self._font))
            blocks.append((max(stamp, self._width(key.stamp_note)), self._draw_stamp))
        if key.color_key:
            ramp = self._ramp_px + sum(self._width(text) for text in self._limits) + em
            blocks.append((max(ramp, self._width(key.quantity)), self._draw_ramp))
        if key.color_key and key.motion:
            text = max(self._width(line) for line in key.motion.lines)
            blocks.append((text + self._icon_px + em // 2, self._draw_motion))
        if key.scale_bar:
            blocks.append((max(self._bar_px, self._width(self._bar_text)), self._draw_bar))
        self._blocks = blocks
        self._stamp_end = (0, 0)

    @property
    def height(self) -> int:
        """Below the images; what is left where it says nothing is the margin."""
        return round(4.3 * self._em) if self._blocks else self._em

    @property
    def least_width(self) -> int:
        """Below it the blocks would touch."""
        return sum(width for width, _ in self._blocks) + max(len(self._blocks) - 1, 0) * round(1.6 * self._em)

    def draw(self, picture: Image.Image, ends: tuple[int, int], baseline: int) -> tuple[int, int]:
        """Draw blocks evenly between two ends; returns where the number of the time stamp ends."""
        spare = ends[1] - ends[0] - sum(width for width, _ in self._blocks)
        gap = spare / max(len(self._blocks) - 1, 1)
        # A scale bar alone stays where it is in company.
        x = float(ends[0]) + (spare if len(self._blocks) == 1 and self._key.scale_bar else 0)
        for width, block in self._blocks:
            block(picture, round(x), width, baseline)
            x += width + gap
        return self._stamp_end

    def _width(self, text: str) -> int:
        return math.ceil(text_width(text, self._small))

    def _second_line(self, baseline: int) -> int:
        return baseline + round(1.3 * self._em)

    def _draw_stamp(self, picture: Image.Image, x: int, width: int, baseline: int) -> None:
        number = self._key.stamp.partition(" ")[0]
        self._stamp_end = (x + math.ceil(text_width(number, self._font)), baseline)
        at = (x, self._second_line(baseline))
        draw_text(ImageDraw.Draw(picture), at, self._key.stamp_note, self._small, FAINT)

    def _draw_ramp(self, picture: Image.Image, x: int, width: int, baseline: int) -> None:
        draw, half, height = ImageDraw.Draw(picture), self._em // 2, round(0.62 * self._em)
        labels = [self._width(text) for text in self._limits]
        left = x + (width - self._ramp_px - sum(labels) - 2 * half) // 2 + labels[0] + half
        right = left + self._ramp_px
        ramp = np.linspace(0, 255, self._ramp_px).astype(np.uint8)[None, :, None]
        rows = np.arange(height)[:, None, None] * 3 // height
        lit = np.arange(3) == rows if self._key.in_colors else np.ones((height, 1, 3), bool)  # a stripe for each colour
        picture.paste(Image.fromarray(np.where(lit, ramp, np.uint8(0))), (left, baseline - height))
        draw.rectangle((left - 1, baseline - height - 1, right, baseline), outline=LINE)
        draw_text(draw, (left - half, baseline), self._limits[0], self._small, anchor="rs")
        draw_text(draw, (right + half, baseline), self._limits[1], self._small)
        middle = ((left + right) // 2, self._second_line(baseline))
        draw_text(draw, middle, self._key.quantity, self._small, FAINT, anchor="ms")

    def _draw_motion(self, picture: Image.Image, x: int, width: int, baseline: int) -> None:
        if self._key.motion is None:
            return
        draw, side = ImageDraw.Draw(picture), self._icon_px
        if self._key.motion.directions:
            wheel = Image.fromarray(color_wheel(side))
            picture.paste(wheel, (x, baseline - round(0.75 * self._em)), wheel)
        else:
            height = round(0.62 * self._em)
            ramp = np.broadcast_to(speed_colors(np.linspace(0, 1, side)), (height, side, 3))
            picture.paste(Image.fromarray(np.ascontiguousarray(ramp)), (x, baseline - height))
        first, second = self._key.motion.lines
        draw_text(draw, (x + side + self._em // 2, baseline), first, self._small)
        draw_text(draw, (x + side + self._em // 2, self._second_line(baseline)), second, self._small, FAINT)

    def _draw_bar(self, picture: Image.Image, x: int, width: int, baseline: int) -> None:
        draw, thick = ImageDraw.Draw(picture), max(3, round(0.22 * self._em))
        left, bottom = x + width - self._bar_px, baseline - round(0.16 * self._em)
        draw.rectangle((left, bottom - thick, left + self._bar_px - 1, bottom - 1), fill=INK)
        middle = (left + self._bar_px // 2, self._second_line(baseline))
        draw_text(draw, middle, self._bar_text, self._small, anchor="ms")
