"""Work that cannot be interrupted, and a stop that does not wait for it."""

import threading
import time

import pytest

from napari_nstm.run.patience import Patience, StopAskedError


def test_what_is_done_comes_back_and_what_fails_is_raised():
    with Patience(lambda: False) as patience:
        assert patience.do(lambda: 3) == 3
        with pytest.raises(TimeoutError, match="of the work"):
            patience.do(lambda: (_ for _ in ()).throw(TimeoutError("of the work")))


def test_a_stop_comes_at_once_and_leaves_the_work_to_itself():
    done = threading.Event()

    def work():
        time.sleep(0.5)
        done.set()

    began = time.monotonic()
    with Patience(lambda: True) as patience, pytest.raises(StopAskedError):
        patience.do(work)
    assert time.monotonic() - began < 0.4
    assert done.wait(5)


def test_what_is_almost_done_may_end():
    with Patience(lambda: True) as patience:
        assert patience.do(lambda: time.sleep(0.2) or "done", linger_s=5) == "done"


def test_work_that_is_done_counts_although_a_stop_was_asked_for():
    with Patience(lambda: True) as patience:
        assert patience.do(lambda: "quick") == "quick"


def test_what_is_begun_goes_on_whatever_is_asked():
    with Patience(lambda: True) as patience:
        future = patience.begin(lambda: time.sleep(0.1) or "done")
        assert not future.done()
        assert future.result(5) == "done"


def test_whoever_asks_may_interrupt():
    def closing():
        raise KeyboardInterrupt

    began = time.monotonic()
    with Patience(closing) as patience, pytest.raises(KeyboardInterrupt):
        patience.do(lambda: time.sleep(0.5))
    assert time.monotonic() - began < 0.4
