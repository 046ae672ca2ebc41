from __future__ import annotations

import numpy as np
import pytest

from napari_nstm.io.text import format_length, format_value, round_length, time_texts


def test_numbers_in_words():
    assert [round_length(x) for x in (0.07, 1.0, 1.9, 49.9, 50.0)] == pytest.approx([0.05, 1.0, 1.0, 20.0, 50.0])
    assert [format_length(x) for x in (0.05, 0.5, 20.0, 2000.0)] == ["50 nm", "500 nm", "20 µm", "2 mm"]
    assert [format_value(x, 0.45) for x in (-0.0549, 0.4451, -0.001)] == ["-0.05", "0.45", "0.00"]
    assert format_value(1234.0, 1234.0) == "1234"
    assert format_value(2e-6, 2e-6) == "2.00e-06"


def test_time_stamps_have_one_unit_and_tell_moments_apart():
    assert time_texts([0.0, 12.5, 25.0]) == ["0.0 ms", "12.5 ms", "25.0 ms"]
    assert time_texts([0.0, 20.0, 40.0]) == ["0 ms", "20 ms", "40 ms"]
    assert time_texts([0.0, 0.4]) == ["0 µs", "400 µs"]
    assert time_texts([0.0, 1.0, 2.0, 3.0]) == ["0 ms", "1 ms", "2 ms", "3 ms"]
    assert time_texts([0.0, 30_000.0])[1] == "30 s"
    assert time_texts([5.0]) == ["5 ms"]
    stamps = time_texts(list(np.linspace(0, 75, 95)))
    assert len(set(stamps)) == 95
