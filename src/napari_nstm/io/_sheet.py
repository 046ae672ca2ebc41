"""The fixed parts of a picture: panels in a row, titles above, a key below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_nstm.io._footer import Footer, Key
from napari_nstm.io._layout import COMFORTABLE_PX, layout
from napari_nstm.io.arrows import Arrows, draw_arrows
from napari_nstm.io.colors import BACKGROUND, FAINT
from napari_nstm.io.text import draw_text, font

Interpolation = Literal["bicubic", "nearest"]
_RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "nearest": Image.Resampling.NEAREST}


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
    width_px
        Width of the whole picture; None: as the images give it. Images are resampled to fit, or with `nearest`
        enlarged by a whole factor.
    """

    def __init__(
        self,
        image_shape: tuple[int, int],
        titles: Sequence[str],
        key: Key,
        interpolation: Interpolation = "bicubic",
        comfortable_px: int = COMFORTABLE_PX,
        width_px: int | None = None,
    ) -> None:
        self.key, self.interpolation = key, interpolation
        n_panels = len(titles)
        if width_px is None:
            found = layout(image_shape, n_panels, key, comfortable_px=comfortable_px)
        else:
            found = layout(image_shape, n_panels, key, width_px=width_px, whole=interpolation == "nearest")
        height, width = self._panel_shape = found.panel_shape
        self.factor = found.factor
        em = found.em
        self._em, self._font, self._small = em, font(em), font(round(0.82 * em))
        row = n_panels * width + (n_panels - 1) * em
        footer = Footer(key, self.factor, em, width)
        n_lines = max(title.count("\n") + 1 if title else 0 for title in titles)
        top = em + round((0, 1.5, 2.7)[n_lines] * em)
        start = (found.width - row) // 2
        lefts = [start + i * (width + em) for i in range(n_panels)]
        self._corners = [(left, top) for left in lefts]
        # Sizes are even, because H.264 stores colours in blocks of 2 x 2 pixels.
        full_height = top + height + footer.height
        self.size = (found.width, full_height + full_height % 2)
        self.base = Image.new("RGB", self.size, BACKGROUND)
        for left, title in zip(lefts, titles, strict=True):
            self._draw_title(title, left, top, n_lines)
        ends = (start, start + row) if row >= footer.least_width else (em, found.width - em)
        self._stamp_end = footer.draw(self.base, ends, top + height + round(1.9 * em))

    def panel(self, image: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Turn an image, (y, x) or (y, x, 3), into grey levels or colours (row, column, 3), resampled."""
        if image.ndim == 3:
            return np.concatenate([self.panel(color)[..., :1] for color in np.moveaxis(image, -1, 0)], axis=-1)
        size = self._panel_shape[::-1]
        # Pillow counts positions from the corner of a pixel: each image pixel stays centred on its square. Where
        # pixels become fewer it averages over them.
        resized = Image.fromarray(np.asarray(image, np.float32)).resize(size, _RESAMPLING[self.interpolation])
        low, high = self.key.limits
        grey = np.clip((np.asarray(resized) - low) * (255 / (high - low)), 0, 255)
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
                draw_arrows(shown, 1, self._enlarged(some))
            picture.paste(Image.fromarray(shown), corner)
        if stamp and self.key.stamp:
            # The number ends where the unit begins, so that nothing jumps while digits change.
            number, _, unit = stamp.partition(" ")
            draw = ImageDraw.Draw(picture)
            draw_text(draw, self._stamp_end, number, self._font, anchor="rs")
            draw_text(draw, (self._stamp_end[0] + round(0.3 * self._em), self._stamp_end[1]), unit, self._font)
        return picture

    def _enlarged(self, arrows: Arrows) -> Arrows:
        """Return arrows in pixels of the panel, whose factor need not be whole."""
        tails = (arrows.tails + 0.5) * self.factor - 0.5
        return Arrows(tails, arrows.displacement * self.factor, arrows.colors, arrows.spacing * self.factor)

    def _draw_title(self, title: str, left: int, top: int, n_lines: int) -> None:
        draw = ImageDraw.Draw(self.base)
        first, _, second = title.partition("\n")
        draw_text(draw, (left, top - round((0.55 if n_lines < 2 else 1.75) * self._em)), first, self._font)
        draw_text(draw, (left, top - round(0.55 * self._em)), second, self._small, FAINT)
