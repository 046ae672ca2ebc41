"""What tiles of a SIM acquisition must have in common: brightness, and the smoothness that its noise asks for."""

from __future__ import annotations

import numpy as np

from napari_nstm.core.data import RawData
from napari_nstm.imaging.sim.prepare import prepared, smoothness
from napari_nstm.imaging.sim.settings import SimSettings


def for_tiles(raw: RawData, settings: SimSettings) -> SimSettings:
    """Give what is otherwise found in the frames; stripes, phases and depths were found before."""
    data = prepared(raw, settings)
    group = data.frames.acquisition * settings.n_orientations + data.frames.orientation
    brightness = np.ones(int(group.max()) + 1)
    brightness[group] = data.light.intensities
    return settings.model_copy(
        update={
            "brightness": tuple(float(b) for b in brightness),
            "scale_counts": data.scale,
            "smoothness": smoothness(data, settings),
        }
    )
