from __future__ import annotations

from napari_nstm.io.pace import frame_order, remaining_text


def test_there_and_back_shows_both_ends_once():
    assert frame_order(4, "once") == [0, 1, 2, 3]
    assert frame_order(4, "boomerang") == [0, 1, 2, 3, 2, 1]
    assert frame_order(2, "boomerang") == [0, 1]
    assert frame_order(1, "boomerang") == [0]


def test_what_remains_is_said_no_more_exactly_than_it_is_known():
    assert remaining_text(0.4) == "A few seconds to go."
    assert remaining_text(33.0) == "About 35 s to go."
    assert remaining_text(89.0) == "About 90 s to go."
    assert remaining_text(400.0) == "About 7 min to go."
