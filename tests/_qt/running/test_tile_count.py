"""Which tile is at work, or how many are done."""

from napari_nstm._qt.running.tile_count import TileCount


def test_one_after_another():
    count = TileCount(16)
    assert (count.in_words(), count.started) == ("Tile 1 of 16", False)
    count.done = 4
    assert (count.in_words(), count.started) == ("Tile 5 of 16", True)
    count.failed = 1  # the next one is at work all the same
    assert count.in_words() == "Tile 6 of 16"
    count.done = 15
    assert count.in_words() == "", "all have ended: they are blended"


def test_the_time_that_is_left_is_not_guessed_from_the_first_steps():
    count = TileCount(4)
    assert [count.time_is_known(step, 400) for step in (1, 40, 51, 60)] == [False, False, True, True]
    resumed = TileCount(4, done=2)
    assert [resumed.time_is_known(step, 400) for step in (201, 240, 251)] == [False, False, True]
    assert TileCount().time_is_known(1, 400)


def test_at_once_and_without_tiles():
    assert TileCount(16, at_once=True, done=5).in_words() == "5 of 16 tiles done"
    assert TileCount().in_words() == ""
