"""Scenes before a camera: a tennis ball, a hand, a word; brightness and colours that are known at any position.

Positions are (y, x) in raw pixels of the field, y downwards, origin at the centre of pixel 0. Edges rise over
about a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from napari_nstm.core.errors import InputError
from napari_nstm.phantoms import _ball, _hand, _text
from napari_nstm.phantoms._boxes import check_shape
from napari_nstm.phantoms._lattice import Float
from napari_nstm.phantoms.fluorescence import FluorescentTarget


class Scene(FluorescentTarget, Protocol):
    """A picture of something on a dark ground: `density` is its brightness, for a colourless camera."""

    def colour(self, positions_px: Float) -> Float:
        """Return the part of the brightness that each channel of a colour camera sees.

        Parameters
        ----------
        positions_px
            (2, ...): y, x in raw pixels.

        Returns
        -------
        (3, ...) float32 in [0, 1]: red, green, blue. Beside the scene it is any colour.
        """
        ...


def ball(shape: tuple[int, ...], seed: int = 0) -> Scene:
    """Make a tennis ball in the middle of the field: yellow-green felt, uneven, with a white seam.

    Parameters
    ----------
    shape
        Field (y, x), raw pixels. The ball fills 16 % of it, less in an oblong one: a fifth of the shorter side
        stays free on every side.
    seed
        Another seed, another side of the ball.

    Raises
    ------
    InputError
        The field is not (y, x), or smaller than 32 pixels.
    """
    _check(shape)
    return _ball.draw(shape, np.random.default_rng(seed))


def hand(shape: tuple[int, ...], seed: int = 0) -> Scene:
    """Make the back of a hand that points up, its fingers spread, with nails, creases and a striped sleeve.

    Parameters
    ----------
    shape
        Field (y, x), raw pixels. The hand is as large as fits with a tenth of the field free on every side: it
        fills about a quarter of a field of 3 to 4.
    seed
        Another seed, other fingers; with some of them the thumb is on the left.

    Raises
    ------
    InputError
        The field is not (y, x), or smaller than 32 pixels.
    """
    _check(shape)
    return _hand.draw(shape, np.random.default_rng(seed))


def text(shape: tuple[int, ...], seed: int = 0) -> Scene:
    """Make the word NSTM in bold letters across the field, each with a brightness and a colour of its own.

    Parameters
    ----------
    shape
        Field (y, x), raw pixels. The word is three quarters as wide; in a tall field a fifth of the height stays
        free above and below.
    seed
        Another seed, other colours and shading.

    Raises
    ------
    InputError
        The field is not (y, x), or smaller than 32 pixels.
    """
    _check(shape)
    return _text.draw(shape, np.random.default_rng(seed))


@dataclass(frozen=True, eq=False)
class Channel:
    """What one channel of a colour camera sees of a scene.

    Parameters
    ----------
    scene
        Brightness and colours.
    index
        0 red, 1 green, 2 blue.
    """

    scene: Scene
    index: int

    def density(self, positions_px: Float) -> Float:
        """Return the scene's brightness in this channel at positions (2, ...), raw pixels."""
        return np.asarray(self.scene.density(positions_px) * self.scene.colour(positions_px)[self.index], np.float32)


def _check(shape: tuple[int, ...]) -> None:
    if len(shape) != 2:
        raise InputError("shape", f"{len(shape)} axes", "2 (y, x): a scene is flat")
    check_shape(shape)
