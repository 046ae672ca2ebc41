from __future__ import annotations

import numpy as np
import pytest

from napari_nstm.core.presentation import ChannelPresentation, present


def test_each_channel_is_scaled_shifted_and_freed_of_its_mean_as_its_record_says():
    scene = np.random.default_rng(0).normal(size=(3, 5, 6)).astype(np.float32)
    shown = present(
        scene,
        (ChannelPresentation(), ChannelPresentation(scale=2.0, offset=-1.0), ChannelPresentation(3.0, 7.0, True)),
    )
    assert shown.dtype == np.float32
    np.testing.assert_array_equal(shown[0], scene[0])
    np.testing.assert_allclose(shown[1], 2 * scene[1] - 1, rtol=1e-6)
    np.testing.assert_allclose(shown[2], 3 * (scene[2] - scene[2].mean()), atol=1e-5)


def test_what_was_given_is_left_as_it_was():
    scene = np.ones((1, 4, 4), np.float32)
    present(scene, (ChannelPresentation(scale=5.0, zero_mean=True),))
    assert (scene == 1).all()


def test_a_channel_too_many_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        present(np.ones((2, 4, 4), np.float32), (ChannelPresentation(),))
