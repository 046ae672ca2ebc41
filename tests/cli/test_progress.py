"""What a user sees of a run."""

import io

import pytest
from rich.console import Console

from napari_nstm.cli import progress
from napari_nstm.cli.progress import Reporter, describe_prepared, describe_progress, duration, size
from napari_nstm.core.events import Notice, PartDone, Prepared, Progress, Working


def at(step, level=1, remaining=12.34):
    return Progress("r", step, 300, level, 0.25, 1.234e-3, 5.0, remaining)


def test_progress_in_words():
    assert describe_progress(at(10)) == "1/2 size, detail 25 %, loss 1.234e-03, 12 s left"
    assert describe_progress(at(10, level=0, remaining=None)) == "full size, detail 25 %, loss 1.234e-03"
    assert describe_progress(at(300, level=0, remaining=0.0)) == "full size, detail 25 %, loss 1.234e-03"


def test_what_will_happen_in_words():
    known = Prepared("r", "4 frames.", "CPU, 2 cores", 83_000_000, 24_500_000_000, 4.2, 300)
    line = "CPU, 2 cores: 300 steps, needs about 83 MB of 24.5 GB free memory, about 4.2 s and the time to compile."
    assert describe_prepared(known) == ["4 frames.", line]
    unknown = Prepared("r", "4 frames.", "CPU", 83_000_000, None, None, 300)
    assert describe_prepared(unknown)[1] == "CPU: 300 steps, needs about 83 MB."
    tiled = Prepared("r", "4 frames.", "CPU", 83_000_000, 24_500_000_000, None, 1200, n_tiles=4)
    assert describe_prepared(tiled)[1] == "CPU: 1200 steps, needs about 83 MB for one tile of 24.5 GB free memory."


def test_tiles_are_said_as_they_end():
    out = io.StringIO()
    with Reporter(Console(file=out, force_terminal=False)) as reporter:
        reporter.show(PartDone("r", "tile 5 of 16", 5, 16, "t", "300 steps."))
        reporter.show(PartDone("r", "tile 9 of 16", 6, 16, "t", "300 steps."))
        reporter.show(PartDone("r", "tile 7 of 16", 6, 16, None, "The disk is full.", "failed"))
    assert out.getvalue().splitlines() == [
        "Tile 5 of 16 is done: 300 steps.",
        "Tile 9 of 16 is done (6 of 16 done): 300 steps.",
        "Tile 7 of 16 failed (6 of 16 done): The disk is full.",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.44, "9.4 s"), (59, "59 s"), (61, "1 min 01 s"), (4000, "1 h 06 min")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_sizes():
    assert (size(2_500_000), size(139_000_000_000)) == ("2 MB", "139.0 GB")


def test_a_log_gets_a_line_every_few_seconds_and_the_last_step(monkeypatch):
    clock = iter([0.0, 0.0, 1.0, 2.9, 3.1, 3.1, 3.2])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock, 3.3))
    out = io.StringIO()
    with Reporter(Console(file=out, force_terminal=False)) as reporter:
        for step in (10, 20, 30, 40, 300):
            reporter.show(at(step))
    steps = [line.split()[1] for line in out.getvalue().splitlines()]
    assert steps == ["10", "40", "300"]


def test_a_log_says_what_takes_time():
    out = io.StringIO()
    with Reporter(Console(file=out, force_terminal=False)) as reporter:
        reporter.show(Working("r", "Preparing"))
        reporter.show(Working("r", "Compiling for 64 x 64 pixels", compiling=True))
    assert out.getvalue() == "Compiling for 64 x 64 pixels ...\n"


def test_a_log_says_how_far_something_slow_is(monkeypatch):
    clock = iter([0.0, 0.0, 1.0, 3.1, 3.1, 3.2])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock, 3.3))
    out = io.StringIO()
    with Reporter(Console(file=out, force_terminal=False)) as reporter:
        for done, left in ((1, None), (20, 95.0), (40, 61.0), (300, 0.0)):
            reporter.show(Working("r", "FISTA-TV", done=done, total=300, remaining_s=left))
    assert out.getvalue().splitlines() == [
        "FISTA-TV: 1 of 300",
        "FISTA-TV: 40 of 300, 1 min 01 s left",
        "FISTA-TV: 300 of 300",
    ]


def test_a_terminal_gets_a_second_bar_for_something_slow():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, color_system=None, legacy_windows=False)
    with Reporter(console) as reporter:
        reporter.show(at(300, level=0))
        reporter.show(Working("r", "Writing the result"))
        reporter.show(Working("r", "FISTA-TV", done=40, total=200, remaining_s=61.0))
        reporter._bar.refresh()
        tasks = [(t.description, t.completed, t.total, t.fields["at"]) for t in reporter._bar.tasks]
    assert tasks == [("Fitting", 300, 300, ""), ("FISTA-TV", 40, 200, "1 min 01 s left")]
    assert "40/200 1 min 01 s left" in out.getvalue()


def test_a_terminal_gets_a_bar_and_notices_above_it():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, color_system=None, legacy_windows=False)
    with Reporter(console) as reporter:
        reporter.show(at(10))
        reporter.show(Notice("r", "6 saturated pixels [frame 2]."))
        reporter.show(Working("r", "Compiling for 128 x 128 pixels", compiling=True))
        reporter._bar.refresh()
        reporter.show(at(200))
    text = out.getvalue()
    assert "Note: 6 saturated pixels [frame 2]." in text
    assert "10/300 Compiling for 128 x 128 pixels ..." in text
    assert "200/300" in text
    assert "loss 1.234e-03" in text
    assert "Fitting" in text
