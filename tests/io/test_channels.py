from __future__ import annotations

import numpy as np
import pytest

from napari_nstm.io.channels import brightness, is_rgb, looked_at


@pytest.mark.parametrize(
    ("names", "indices"),
    [
        (("absorption", "phase"), (1,)),
        (("brightness",), (0,)),
        (("red", "green", "blue"), (0, 1, 2)),
        (("blue", "green", "red"), (2,)),
        (("red", "green"), (1,)),
    ],
)
def test_the_last_channel_is_looked_at_or_all_colours(names, indices):
    assert looked_at(names) == indices
    assert is_rgb(names) == (len(indices) == 3)
    scene = np.random.default_rng(0).random((len(names), 4, 5)).astype(np.float32)
    expected = sum(scene[index] for index in indices) / len(indices)
    np.testing.assert_allclose(brightness(scene, names), expected, rtol=1e-6)
