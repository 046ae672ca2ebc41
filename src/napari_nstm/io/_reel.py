"""The pictures of a movie of a result, drawn one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_nstm.core.errors import CancelledError
from napari_nstm.io._footer import Key
from napari_nstm.io._layout import COMFORTABLE_PX, enlargement
from napari_nstm.io._sheet import Interpolation, Sheet
from napari_nstm.io._view import ArrowColor, Motion, Still, View
from napari_nstm.io.draw import contrast_limits
from napari_nstm.io.pace import speed_text
from napari_nstm.io.text import time_texts
from napari_nstm.io.titles import comparison_title

COMFORTABLE_GIF_PX = 512
"""A GIF's size grows with its pixels: it is kept smaller."""

_LIMIT_SAMPLES = 7
_N_ACCENTS = 200
_REMEMBERED = 64  # pictures that come a second time on the way back; a few dozen fit into memory


@dataclass(frozen=True)
class Look:
    """What a movie shows, and how; see `write_movie`.

    Parameters
    ----------
    view
        Channel and plane.
    comparison
        What stands on the left; None: nothing.
    arrows
        What their colours mean; None: there are none.
    width_px, comfortable_px, interpolation
        See `Sheet`.
    scale_bar, time_stamp, color_key
        What stands below.
    """

    view: View
    comparison: str | None = None
    arrows: ArrowColor | None = "direction"
    width_px: int | None = None
    comfortable_px: int = COMFORTABLE_PX
    interpolation: Interpolation = "bicubic"
    scale_bar: bool = True
    time_stamp: bool = True
    color_key: bool = True


class Reel:
    """Pictures at the moments of a movie.

    Parameters
    ----------
    look
        What they show.
    times
        Moments, in ms.
    slowdown
        Seconds on the screen per second of the acquisition; for the key.
    """

    def __init__(self, look: Look, times: list[float], slowdown: float) -> None:
        self.view, self._times = look.view, times
        self._still = None if look.comparison is None else self.view.comparison(look.comparison)
        picked = np.unique(np.linspace(0, len(times) - 1, _LIMIT_SAMPLES).round().astype(int))
        self.limits = contrast_limits([self.view.image(times[index]) for index in picked])
        titles = [""] if look.comparison is None else [comparison_title(look.comparison), "NSTM"]
        factor = _about(look, len(titles))
        self.motion = Motion(self.view, times, look.arrows, factor) if look.arrows else None
        self._stamps = time_texts(times)
        key = Key(
            limits=self.limits,
            quantity=self.view.quantity,
            pixel_size_um=self.view.result.pixel_size_um[-1],
            motion=self.motion.key if self.motion else None,
            stamp=max(self._stamps, key=len) if look.time_stamp else "",
            stamp_note=speed_text(slowdown) if len(times) > 1 else "",
            in_colors=self.view.in_colors,
            color_key=look.color_key,
            scale_bar=look.scale_bar,
        )
        self.sheet = Sheet(self.view.shape, titles, key, look.interpolation, look.comfortable_px, look.width_px)
        self._left = lru_cache(maxsize=2)(self._left_panel)  # it changes seldom

    @property
    def accents(self) -> NDArray[np.uint8]:
        """Colours (n, 3) of arrows and of their key: they cover few pixels, but matter."""
        if self.motion is None:
            return np.empty((0, 3), np.uint8)
        arrows = self.motion.colors.reshape(-1, 3)
        arrows = arrows[:: max(1, len(arrows) // _N_ACCENTS)]
        return np.concatenate([arrows, *([self.motion.key_colors] if self.sheet.key.color_key else [])])

    def picture(self, index: int) -> Image.Image:
        """Draw a moment."""
        time = self._times[index]
        panels, arrows = [self.sheet.panel(self.view.image(time))], [self.motion.at(index) if self.motion else None]
        if self._still is not None:
            panels, arrows = [self._left(self._still.nearest(time)), *panels], [None, *arrows]
        return self.sheet.compose(panels, arrows, self._stamps[index])

    def samples(self) -> list[Image.Image]:
        """Draw a few moments, by which colours can be chosen."""
        count = len(self._times)
        return [self.picture(index) for index in sorted({0, count // 2, count - 1})]

    def pictures(
        self,
        order: list[int],
        on_progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Iterator[Image.Image]:
        """Draw moments in an order; raises `CancelledError` when it is to stop."""
        remembered = lru_cache(maxsize=_REMEMBERED if len(order) > len(set(order)) else 0)(self.picture)
        for done, index in enumerate(order):
            if should_stop is not None and should_stop():
                raise CancelledError
            yield remembered(index)
            if on_progress is not None:
                on_progress(done + 1, len(order))

    def _left_panel(self, index: int) -> NDArray[np.uint8]:
        still: Still | None = self._still
        if still is None:
            raise IndexError(index)
        return self.sheet.panel(still.images[index])


def _about(look: Look, n_panels: int) -> float:
    """Return by how much an image is enlarged, about: for the distance of arrows, on which the key depends."""
    if look.width_px is None:
        return enlargement(look.view.shape, n_panels, look.comfortable_px)
    return max(look.width_px, 1) / (n_panels * look.view.shape[1])
