"""A second channel takes its motion from another run."""

import numpy as np
import pytest
from tests.toy import moving_blobs, toy_problem

from napari_nstm.core.errors import InputError
from napari_nstm.core.events import Progress
from napari_nstm.core.grids import Channel, padded_grid
from napari_nstm.run.given_motion import read_motion
from napari_nstm.run.reconstruct import iter_resume, reconstruct


@pytest.fixture
def first(toy, job, frames, tmp_path):
    """A run whose motion is known."""
    return reconstruct({**job, "output": {**job["output"], "path": str(tmp_path / "first.zarr")}}, frames)


def has_begun(seen):
    return any(isinstance(event, Progress) for event in seen)


def second_job(job, first, **changes):
    return {**job, "fit": {**job["fit"], "motion_from": str(first.path)}, **changes}


def test_the_motion_of_a_second_channel_is_that_of_the_first(toy, job, first, frames):
    # Another sample, and so faint that it could not tell the motion itself.
    rng = np.random.default_rng(4)
    faint = 0.02 * frames + rng.normal(0, 0.05, frames.shape).astype(np.float32)
    result = reconstruct(second_job(job, first), faint.astype(np.float32))
    np.testing.assert_allclose(result.motion_um, first.motion_um, atol=0.02)
    assert np.abs(first.motion_um).max() > 1
    own = reconstruct(job, faint.astype(np.float32), overwrite=True)
    assert np.abs(own.motion_um - first.motion_um).max() > 0.3
    # The scene follows the given motion: averaged along it, the noise goes down and the blobs stay.
    truth = 0.02 * moving_blobs(48, 3.0)[0]
    assert (
        np.corrcoef(result.reconstruction[0, 0].ravel(), truth[0].ravel())[0, 1]
        > np.corrcoef(faint[0].ravel(), truth[0].ravel())[0, 1]
    )


def test_a_run_with_a_given_motion_is_resumed(toy, job, first, frames):
    seen = []
    long = {**job, "fit": {**job["fit"], "epochs": 3000}}
    stopped = reconstruct(
        second_job(long, first), frames, on_event=seen.append, should_stop=lambda: has_begun(seen), overwrite=True
    )
    assert stopped.status == "stopped"
    result = list(iter_resume(stopped.path))[-1].result
    assert result.status == "finished"
    np.testing.assert_allclose(result.motion_um, first.motion_um, atol=0.02)


def test_other_pixels_and_times_are_converted(first):
    given = read_motion(first.path)
    fine = padded_grid((96, 96), (0.5, 0.5), (Channel("value", "a.u."),), (4, 4), (8, 8), 1)
    lattice = given.on(fine, (1.0, 2.0))  # from the second frame to the third of four
    where = np.asarray([[20.0, 60.0], [40.0, 50.0]], np.float32)  # on the fine grid
    stored = first.open()
    for t, time_ms in ((-1.0, 1.0), (0.0, 1.5), (1.0, 2.0)):
        coarse = stored.motion().pull_back(where / 2, stored.record.normalized_time(time_ms))
        np.testing.assert_allclose(lattice.pull_back(where, t), 2 * coarse, atol=0.02)


@pytest.mark.parametrize(
    ("shape", "pixel_um", "got"),
    [((48, 60), 1.0, "a result of a field of 48 x 48 um"), ((8, 48, 48), 1.0, "a result of a field of 48 x 48 um")],
)
def test_another_field_is_refused(first, shape, pixel_um, got):
    n = len(shape)
    grid = padded_grid(shape, (pixel_um,) * n, (Channel("value", "a.u."),), (4,) * n, (8,) * n, 1)
    with pytest.raises(InputError, match=f"^fit.motion_from: got {got}; takes one of the same field"):
        read_motion(first.path).on(grid, (0.0, 3.0))


def test_no_such_result_is_one_sentence_before_anything_is_written(toy, job, frames, tmp_path):
    with pytest.raises(InputError, match=r"^fit.motion_from: got .*none.zarr, which does not exist; takes"):
        reconstruct({**job, "fit": {**job["fit"], "motion_from": str(tmp_path / "none.zarr")}}, frames)
    assert not (tmp_path / "result.zarr").exists()


def test_a_region_takes_its_part_of_a_motion_of_the_whole(first, frames):
    given = read_motion(first.path)
    grid = toy_problem(frames[:, 6:46, 12:44]).grid
    whole = given.on(toy_problem(frames).grid, (0.0, 3.0))
    part = given.on(grid, (0.0, 3.0), (6.0, 12.0), is_part=True)
    where = np.asarray([[4.0, 20.0], [9.0, 15.0]], np.float32)
    for t in (-1.0, 0.3, 1.0):
        shift = np.asarray([[6.0], [12.0]], np.float32)
        np.testing.assert_allclose(part.pull_back(where, t), whole.pull_back(where + shift, t), atol=1e-5)
    with pytest.raises(InputError, match=r"got a result of a field of 48 x 48 um; takes .*, 40 x 32 um from 6, 12 um$"):
        given.on(grid, (0.0, 3.0), (6.0, 12.0))
    with pytest.raises(InputError, match="takes one of the same field, 40 x 32 um from 20, 12 um"):
        given.on(grid, (0.0, 3.0), (20.0, 12.0), is_part=True)
