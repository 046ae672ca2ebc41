"""Pictures cross over in order, never many at a time, and neither side waits for one that is gone."""

import threading

import numpy as np
import pytest

from napari_nstm._qt.movies.frame_queue import FrameQueue
from napari_nstm.core.errors import CancelledError


def frame(value):
    return np.full((2, 2, 4), value, np.uint8)


def test_pictures_come_out_in_order_until_the_end():
    queue, found = FrameQueue(most=2), []
    assert not queue.begun
    thread = threading.Thread(target=lambda: found.extend(one[0, 0, 0] for one in queue.frames(lambda: False)))
    thread.start()
    for value in range(20):
        while queue.full:
            pass
        queue.put(frame(value))
    queue.close()
    thread.join(5)
    assert not thread.is_alive()
    assert found == list(range(20))
    assert queue.begun


def test_it_is_full_when_the_thread_is_behind():
    queue = FrameQueue(most=2)
    queue.put(frame(0))
    assert not queue.full
    queue.put(frame(1))
    assert queue.full
    next(queue.frames(lambda: False))
    assert not queue.full


@pytest.mark.parametrize("error", [None, ValueError("a fault")])
def test_a_thread_that_waits_hears_that_there_will_be_no_more(error):
    queue, raised = FrameQueue(), []

    def read():
        try:
            list(queue.frames(lambda: False))
        except Exception as found:  # noqa: BLE001 - it is what is looked for
            raised.append(found)

    thread = threading.Thread(target=read)
    thread.start()
    queue.abort(error)
    queue.close()  # which must not make a whole movie of it
    thread.join(5)
    assert not thread.is_alive()
    assert isinstance(raised[0], CancelledError) if error is None else raised == [error]


def test_the_thread_leaves_off_when_it_is_told_to():
    queue = FrameQueue()
    queue.put(frame(0))
    with pytest.raises(CancelledError):
        next(queue.frames(lambda: True))
