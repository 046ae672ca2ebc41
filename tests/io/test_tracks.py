"""Tables of points and tracks: by the names of columns, with units, or one sentence that says what is wrong."""

from __future__ import annotations

import csv
import errno

import numpy as np
import pytest
from tests.io.conftest import DRIFT_PX, TIMES_MS

from napari_nstm.core.errors import InputError
from napari_nstm.core.warp import Canvas, MotionLattice
from napari_nstm.io.store import StoreWriter
from napari_nstm.io.tracks import read_points, write_tracks

PIXEL_UM = 0.25
DRIFT_UM = np.multiply(DRIFT_PX, PIXEL_UM)


@pytest.fixture
def table(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "points.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


@pytest.fixture
def volume(tmp_path, record):
    shape = (4, 10, 12)
    canvas = Canvas(np.zeros((2, *shape), np.float32), (0.0,) * 3, (1.0,) * 3, 1)
    motion = MotionLattice(np.zeros((3, 3, 2, 3, 4), np.float32), (-1.0,) * 3, (4.0,) * 3)
    record = record.changed({"shape": shape, "pixel_size_um": (0.5, 0.25, 0.2)})
    return StoreWriter.create(tmp_path / "volume.zarr", record).finish("finished", canvas, motion, {})


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


# -- a result follows points --------------------------------------------------


def test_a_result_follows_points_from_the_first_frame_to_its_moments(finished):
    found = finished.trajectories([[2.0, 4.0], [1.0, 3.0]])
    share = (np.asarray(TIMES_MS) - 10) / 35
    for start, where in zip([[2.0, 4.0], [1.0, 3.0]], found.positions_um, strict=True):
        np.testing.assert_allclose(where, start + share[:, None] * DRIFT_UM, atol=1e-4)
    assert found.times_ms.tolist() == list(TIMES_MS)
    assert found.pixel_size_um == (PIXEL_UM, PIXEL_UM)


def test_a_track_agrees_with_the_displacement_that_the_result_tells(finished):
    where = np.array([[8.0], [16.0]], np.float32)
    found = finished.trajectories(where.T * PIXEL_UM, at_ms=20.0, times_ms=[12.0, 20.0, 40.0])
    for index, time in enumerate((12.0, 20.0, 40.0)):
        moved = finished.displacement_at(time, 20.0, where)[:, 0]
        np.testing.assert_allclose(found.positions_um[0, index], where[:, 0] * PIXEL_UM + moved, atol=1e-4)


def test_moments_of_a_job_in_another_order_are_put_in_order(finished):
    from napari_nstm.io.result import StoredResult

    turned = StoredResult(finished.path, finished.record.changed({"times_ms": (45.0, 10.0, 20.0)}))
    assert turned.trajectories([[2.0, 4.0]]).times_ms.tolist() == [10, 20, 45]


# -- points -------------------------------------------------------------------


def test_columns_are_found_by_their_names(table, finished):
    points, times = read_points(table("x_um,who,y_um\n4.0,a,2.5\n\n3,b,1e0\n"), finished)
    assert points.tolist() == [[2.5, 4.0], [1.0, 3.0]]
    assert times is None
    points, times = read_points(table(" y_um , x_um,time_ms\r\n2.5, 4, 45\r\n", "utf-8-sig"), finished)
    assert (points.tolist(), times.tolist()) == ([[2.5, 4.0]], [45.0])


def test_points_of_a_volume_have_planes(table, volume):
    points, times = read_points(table("time_ms,z_um,y_um,x_um\n10,1,2,1.5\n"), volume)
    assert (points.tolist(), times.tolist()) == ([[1.0, 2.0, 1.5]], [10.0])
    points, times = read_points(table("index,axis-0,axis-1,axis-2,axis-3\n0,1,3,4,5\n"), volume)
    assert (points.tolist(), times.tolist()) == ([[1.5, 1.0, 1.0]], [20.0])
    with pytest.raises(InputError, match=r"which has the columns y_um, x_um; takes .* z_um, y_um, x_um, and"):
        read_points(table("y_um,x_um\n2,1.5\n"), volume)


def test_points_that_napari_saved_are_pixels_and_moments(table, finished):
    points, times = read_points(table("index,axis-0,axis-1\n0.0,8.0,16.0\n1.0,4,2\n"), finished)
    assert points.tolist() == [[2.0, 4.0], [1.0, 0.5]]
    assert times is None
    points, times = read_points(table("index,axis-0,axis-1,axis-2\n0,0,8,16\n1,1.5,4,2\n"), finished)
    assert points.tolist() == [[2.0, 4.0], [1.0, 0.5]]
    assert times.tolist() == [10.0, 32.5]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "which has the columns nothing"),
        ("a,b\n1,2\n", "which has the columns a, b; takes a table with the columns y_um, x_um"),
        ("y_um;x_um\n1;2\n", "which has the columns y_um;x_um; takes"),
        ("y_um,x_um\n", "which holds no points"),
        ("y_um,x_um\n1,2\n1,far\n", "which has y_um = 1, x_um = far at point 1; takes numbers"),
        ("y_um,x_um\n1\n", "which has y_um = 1, x_um = nothing at point 0"),
        ("y_um,x_um\nnan,2\n", "which has y_um = nan, x_um = 2 at point 0"),
        ("y_um,x_um,x_um\n1,2,3\n", "which has the column x_um twice"),
        ("axis-0,axis-1,axis-2\n3,1,1\n", "which has a point at moment 3; takes moments from 0 to 2"),
        ("axis-0,axis-1,axis-2,axis-3\n3,1,1,1\n", "which has the columns axis-0"),
    ],
)
def test_bad_tables_are_one_sentence(table, finished, text, says):
    with pytest.raises(InputError) as error:
        read_points(table(text), finished)
    assert error.value.field == "points"
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_table_is_one_sentence(tmp_path, finished):
    (tmp_path / "image.tif").write_bytes(b"II*\x00\xff\xfe\x00\x81")
    for name, says in {"image.tif": "no table", "no.csv": "does not exist", "": "cannot be read"}.items():
        with pytest.raises(InputError, match=says):
            read_points(tmp_path / name, finished)


# -- tracks -------------------------------------------------------------------


def test_tracks_are_written_with_units(tmp_path, finished):
    # The second leaves at the left before the last moment.
    found = finished.trajectories([[2.0, 4.0], [2.0, 0.5]])
    path = write_tracks(found, tmp_path / "tracks.csv")
    rows = rows_of(path)
    assert list(rows[0]) == ["track", "time_ms", "y_um", "x_um", "displacement_um", "speed_um_per_s"]
    assert [(row["track"], row["time_ms"]) for row in rows] == [
        ("0", "10"), ("0", "20"), ("0", "45"), ("1", "10"), ("1", "20"),
    ]  # fmt: skip
    last = {name: float(text) for name, text in rows[2].items()}
    length = np.hypot(*DRIFT_UM)
    assert (last["y_um"], last["x_um"]) == pytest.approx((2 + DRIFT_UM[0], 4 + DRIFT_UM[1]), abs=1e-4)
    assert last["displacement_um"] == pytest.approx(length, abs=1e-4)
    assert last["speed_um_per_s"] == pytest.approx(length / 0.035, rel=1e-3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["result.zarr", "tracks.csv"]


def test_a_table_of_tracks_can_be_followed_again(tmp_path, finished):
    found = finished.trajectories([[2.0, 4.0]])
    points, times = read_points(write_tracks(found, tmp_path / "tracks.csv"), finished)
    again = finished.trajectories(points, times)
    for where in again.positions_um:
        np.testing.assert_allclose(where, found.positions_um[0], atol=1e-4)


def test_volumes_have_planes_and_single_moments_no_speed(tmp_path, volume):
    found = volume.trajectories([[0.5, 1.0, 1.0]], times_ms=[20.0])
    text = write_tracks(found, tmp_path / "t.csv").read_text()
    assert text == "track,time_ms,z_um,y_um,x_um,displacement_um,speed_um_per_s\n0,20,0.5,1,1,0,\n"


def test_an_existing_file_is_replaced_only_when_asked(tmp_path, finished, monkeypatch):
    found = finished.trajectories([[2.0, 4.0]])
    path = tmp_path / "tracks.csv"
    path.write_text("precious")
    with pytest.raises(InputError, match="exists already; takes a path that does not exist yet, or --overwrite"):
        write_tracks(found, path)
    with pytest.raises(InputError, match=r"takes a file ending in \.csv"):
        write_tracks(found, tmp_path / "tracks.xlsx")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("napari_nstm.io._atomic.replace", full)
        with pytest.raises(InputError, match="cannot be written"):
            write_tracks(found, path, overwrite=True)
    assert path.read_text() == "precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["result.zarr", "tracks.csv"]
    assert write_tracks(found, path, overwrite=True).read_text().startswith("track,")


def test_tables_of_a_region_are_in_the_whole_field(tmp_path, table, region):
    found = region.trajectories([[2.0, 4.0]])
    path = write_tracks(found, tmp_path / "tracks.csv")
    first, last = rows_of(path)[0], rows_of(path)[-1]
    assert (float(first["y_um"]), float(first["x_um"])) == pytest.approx((2 + 2, 4 + 5), abs=1e-4)
    assert float(last["x_um"]) == pytest.approx(4 + 5 + DRIFT_UM[1], abs=1e-4)
    assert float(last["displacement_um"]) == pytest.approx(np.hypot(*DRIFT_UM), abs=1e-4)
    points, _ = read_points(path, region)
    np.testing.assert_allclose(points[0], [2.0, 4.0], atol=1e-4)
    # Those that napari saves are pixels of the result.
    points, _ = read_points(table("index,axis-0,axis-1\n0,8,16\n"), region)
    np.testing.assert_allclose(points, [[2.0, 4.0]])
