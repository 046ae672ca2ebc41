"""The fixed parts of a picture: panels in a row, titles above, a key below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_nstm.io.arrows import Arrows, draw_arrows
from napari_nstm.io.colors import BACKGROUND, FAINT, INK, LINE, color_wheel, speed_colors
from napari_nstm.io.text import draw_text, font, format_length, format_value, round_length, text_width

Interpolation = Literal["bicubic", "nearest"]
_RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "nearest": Image.Resampling.NEAREST}

COMFORTABLE_PX = 768
"""At this length of the longer side of an image, text beside it is readable."""


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
    """

    limits: tuple[float, float]
    quantity: str
    pixel_size_um: float
    motion: MotionKey | None = None
    stamp: str = ""
    stamp_note: str = ""
    in_colors: bool = False


class Sheet:
    """A picture to be filled.

    Parameters
    ----------
    image_shape
        (y, x) of the images, all alike.
    titles
        One per panel; a second line is set smaller; empty for none.
    key
        The footer.
    interpolation
        Between image pixels.
    comfortable_px
        Small images are enlarged by a whole factor, up to about this length of the longer side.
    """

    def __init__(
        self,
        image_shape: tuple[int, int],
        titles: Sequence[str],
        key: Key,
        interpolation: Interpolation = "bicubic",
        comfortable_px: int = COMFORTABLE_PX,
    ) -> None:
        self.key, self.interpolation = key, interpolation
        self.factor = enlargement(image_shape, len(titles), comfortable_px)
        height, width = (n * self.factor for n in image_shape)
        em = round(min(max(height / 42, len(titles) * width / 60, 15), 40))
        self._em, self._font, self._small = em, font(em), font(round(0.82 * em))
        row = len(titles) * width + (len(titles) - 1) * em
        footer = _Footer(key, self.factor, em, width)
        # Sizes are even, because H.264 stores colours in blocks of 2 x 2 pixels.
        full_width = _even(max(row, footer.least_width) + 2 * em)
        n_lines = max(title.count("\n") + 1 if title else 0 for title in titles)
        top = em + round((0, 1.5, 2.7)[n_lines] * em)
        start = (full_width - row) // 2
        lefts = [start + i * (width + em) for i in range(len(titles))]
        self._corners = [(left, top) for left in lefts]
        self.size = (full_width, _even(top + height + round(4.3 * em)))
        self.base = Image.new("RGB", self.size, BACKGROUND)
        for left, title in zip(lefts, titles, strict=True):
            self._draw_title(title, left, top, n_lines)
        ends = (start, start + row) if row >= footer.least_width else (em, full_width - em)
        self._stamp_end = footer.draw(self.base, ends, top + height + round(1.9 * em))

    def panel(self, image: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Turn an image, (y, x) or (y, x, 3), into grey levels or colours (row, column, 3), enlarged."""
        if image.ndim == 3:
            return np.concatenate([self.panel(color)[..., :1] for color in np.moveaxis(image, -1, 0)], axis=-1)
        size = (image.shape[1] * self.factor, image.shape[0] * self.factor)
        # Pillow counts positions from the corner of a pixel: each image pixel stays centred on its square.
        enlarged = Image.fromarray(np.asarray(image, np.float32)).resize(size, _RESAMPLING[self.interpolation])
        low, high = self.key.limits
        grey = np.clip((np.asarray(enlarged) - low) * (255 / (high - low)), 0, 255)
        levels = np.rint(np.nan_to_num(grey)).astype(np.uint8)
        return np.repeat(levels[..., None], 3, axis=-1)

    def compose(
        self, panels: Sequence[NDArray[np.uint8]], arrows: Sequence[Arrows | None], stamp: str = ""
    ) -> Image.Image:
        """Put panels, arrows over them (None: none), and a time stamp onto the sheet."""
        picture = self.base.copy()
        for panel, some, corner in zip(panels, arrows, self._corners, strict=True):
            shown = panel
            if some is not None:
                shown = panel.copy()
                draw_arrows(shown, self.factor, some)
            picture.paste(Image.fromarray(shown), corner)
        if stamp:
            # The number ends where the unit begins, so that nothing jumps while digits change.
            number, _, unit = stamp.partition(" ")
            draw = ImageDraw.Draw(picture)
            draw_text(draw, self._stamp_end, number, self._font, anchor="rs")
            draw_text(draw, (self._stamp_end[0] + round(0.3 * self._em), self._stamp_end[1]), unit, self._font)
        return picture

    def _draw_title(self, title: str, left: int, top: int, n_lines: int) -> None:
        draw = ImageDraw.Draw(self.base)
        first, _, second = title.partition("\n")
        draw_text(draw, (left, top - round((0.55 if n_lines < 2 else 1.75) * self._em)), first, self._font)
        draw_text(draw, (left, top - round(0.55 * self._em)), second, self._small, FAINT)


class _Footer:
    """The key, in blocks from left to right: time, grey levels, motion, scale bar; each has two lines."""

    def __init__(self, key: Key, factor: int, em: int, panel_px: int) -> None:
        self._key, self._em = key, em
        self._font, self._small = font(em), font(round(0.82 * em))
        scale = max(abs(limit) for limit in key.limits)
        self._limits = tuple(format_value(limit, scale) for limit in key.limits)
        bar_um = round_length(min(8.5 * em, 0.3 * panel_px) / factor * key.pixel_size_um)
        self._bar_px, self._bar_text = max(1, round(bar_um / key.pixel_size_um * factor)), format_length(bar_um)
        self._ramp_px, self._icon_px = 6 * em, round(2.2 * em)
        ramp = self._ramp_px + sum(self._width(text) for text in self._limits) + em
        blocks = [(max(ramp, self._width(key.quantity)), self._draw_ramp)]
        if key.stamp:
            stamp = math.ceil(text_width(key.stamp, self._font))
            blocks.insert(0, (max(stamp, self._width(key.stamp_note)), self._draw_stamp))
        if key.motion:
            text = max(self._width(line) for line in key.motion.lines)
            blocks.append((text + self._icon_px + em // 2, self._draw_motion))
        blocks.append((max(self._bar_px, self._width(self._bar_text)), self._draw_bar))
        self._blocks = blocks
        self._stamp_end = (0, 0)

    @property
    def least_width(self) -> int:
        return sum(width for width, _ in self._blocks) + (len(self._blocks) - 1) * round(1.6 * self._em)

    def draw(self, picture: Image.Image, ends: tuple[int, int], baseline: int) -> tuple[int, int]:
        """Draw blocks evenly between two ends; returns where the number of the time stamp ends."""
        gap = (ends[1] - ends[0] - sum(width for width, _ in self._blocks)) / (len(self._blocks) - 1)
        x = float(ends[0])
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


def enlargement(image_shape: tuple[int, int], n_panels: int, comfortable_px: int = COMFORTABLE_PX) -> int:
    """Return the whole factor by which images of this shape, in a row, are enlarged."""
    row = max(image_shape[0], image_shape[1], n_panels * image_shape[1] // 2)
    return max(1, comfortable_px // row)


def _even(n: int) -> int:
    return n + n % 2
