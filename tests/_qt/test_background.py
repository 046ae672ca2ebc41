"""Work in a thread: in order, its end told in the window's thread, nothing lost, nothing after closing."""

import threading
import time

import pytest
from qtpy.QtCore import QTimer

from napari_nstm._qt.background import Background, wait_for
from napari_nstm.core.errors import StoreError


@pytest.fixture
def background(qapp):
    made = Background()
    yield made
    made.close(wait=True)


def test_work_runs_in_another_thread_and_ends_in_the_windows(background, qtbot):
    window, seen = threading.get_ident(), []
    background.submit(threading.get_ident, lambda worker: seen.extend([worker, threading.get_ident()]))
    qtbot.waitUntil(lambda: len(seen) == 2)
    assert seen[0] != window
    assert seen[1] == window


def test_one_after_another_in_the_order_of_asking(background, qtbot):
    began, ended = [], []

    def work(number):
        began.append(number)
        return number

    for number in range(20):
        background.submit(lambda number=number: work(number), ended.append)
    qtbot.waitUntil(lambda: len(ended) == 20)
    assert began == ended == list(range(20))


# napari's own workers lose the first of these.
@pytest.mark.parametrize("error", [RuntimeError("out of memory"), StoreError("The disk is full."), MemoryError()])
def test_what_work_raises_is_handed_over_as_it_is(background, qtbot, error):
    failed, done = [], []

    def work():
        raise error

    background.submit(work, done.append, failed.append)
    background.submit(lambda: "next", done.append)
    qtbot.waitUntil(lambda: bool(done))
    assert failed == [error]
    assert done == ["next"]


def test_an_error_that_nobody_takes_is_raised_in_the_window(background, qtbot):
    def work():
        raise ValueError("nobody expected this")

    with qtbot.capture_exceptions() as raised:
        background.submit(work)
        qtbot.waitUntil(lambda: bool(raised))
    assert [str(error) for _, error, _ in raised] == ["nobody expected this"]


def test_closing_drops_what_waits_and_delivers_nothing(qapp, qtbot):
    background = Background()
    go, begun, ran, delivered = threading.Event(), threading.Event(), [], []

    def work():
        begun.set()
        go.wait(5)
        ran.append("first")

    background.submit(work, delivered.append, delivered.append)
    background.submit(lambda: ran.append("second"), delivered.append)
    assert begun.wait(5)
    background.close()
    go.set()
    background.close(wait=True)  # closing twice does no harm
    qtbot.wait(50)
    assert ran == ["first"]
    assert delivered == []
    with pytest.raises(RuntimeError, match="after shutdown"):
        background.submit(lambda: None)


def test_what_ended_before_closing_is_not_delivered_after(qapp, qtbot):
    background, delivered, ended = Background(), [], threading.Event()
    background.submit(ended.set, delivered.append)
    assert ended.wait(5)
    background.close(wait=True)  # its end is on its way to the window
    qtbot.wait(50)
    assert delivered == []


def test_nothing_is_delivered_from_inside_submit(background, qtbot, monkeypatch):
    real = background._threads.submit

    def submit(work):
        future = real(work)
        future.result()  # work that ends at once
        return future

    monkeypatch.setattr(background._threads, "submit", submit)
    delivered = []
    background.submit(lambda: "ended", delivered.append)
    assert delivered == []
    qtbot.waitUntil(lambda: delivered == ["ended"])


def test_the_window_goes_on_while_work_is_at_work(background, qtbot):
    go, ended = threading.Event(), []
    background.submit(lambda: go.wait(5), ended.append)
    qtbot.wait(50)
    assert ended == []
    go.set()
    qtbot.waitUntil(lambda: ended == [True])


def test_who_must_wait_lets_the_window_go_on(qapp):
    turned, seen = [], []
    timer = QTimer()
    timer.timeout.connect(lambda: turned.append(1))
    timer.start(5)

    def work():
        seen.append(threading.current_thread())
        while len(turned) < 3:
            time.sleep(0.005)
        return 7

    assert wait_for(work) == 7
    assert seen != [threading.main_thread()]


def test_who_waits_hears_what_went_wrong(qapp):
    def work():
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        wait_for(work)


def test_in_another_thread_nobody_waits_for_the_window(qapp, background, qtbot):
    seen = []
    background.submit(lambda: wait_for(threading.current_thread), seen.append)
    qtbot.waitUntil(lambda: bool(seen))
    assert seen[0].name.startswith("napari-nstm_")
