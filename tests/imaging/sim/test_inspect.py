"""Drawings of a SIM stack: every image at its place, every ring upon a peak, and rings that move the stripes."""

import numpy as np
import pytest

from napari_nstm.core.data import Mark, RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim.choices import EstimatedPattern, LinePattern, VectorPattern
from napari_nstm.imaging.sim.inspect import contact_sheet, moved, spectrum, support_circles
from napari_nstm.imaging.sim.settings import Sim3dSettings, SimSettings

PIXEL_UM, SIZE = 0.065, 96
KY, KX = (2.1, -1.9, 0.3), (1.0, 1.4, 2.3)


def settings(model=SimSettings, **changes):
    values = {
        "pixel_size_um": PIXEL_UM,
        "wavelength_um": 0.515,
        "excitation_wavelength_um": 0.488,
        "na_objective": 1.28,
        "refractive_index": 1.33,
        "timing": {"kind": "even", "interval_ms": 25},
        "pattern": VectorPattern(ky_per_um=KY, kx_per_um=KX),
    }
    return model(**{**values, **changes})


def images(phases=5, planes=1, size=SIZE, shift=0.0):
    """Stripes on random specks, (plane, orientation, phase, y, x); each image a level of its own: 100 + its index."""
    rng = np.random.default_rng(0)
    y, x = np.meshgrid(*(PIXEL_UM * np.arange(size),) * 2, indexing="ij")
    specks = rng.random((size, size)) > 0.9
    made = np.empty((planes, 3, phases, size, size), np.float32)
    for (_, orientation, phase), image in zip(np.ndindex(made.shape[:3]), made.reshape(-1, size, size), strict=True):
        angle = 2 * np.pi * (KY[orientation] * y + (KX[orientation] + shift) * x + phase / phases)
        image[:] = 50 * specks * (1 + 0.8 * np.cos(angle) + 0.5 * np.cos(2 * angle))
    return made


def raw(stack):
    return RawData(stack.reshape(-1, *stack.shape[-2:]))


# -- contact sheet ------------------------------------------------------------


def thumbnail(drawing, mark):
    """The part of the sheet that begins at a mark."""
    top, left = (round(p) for p in mark.position)
    return drawing.images[0, top : top + 8, left : left + 8]


def test_every_image_stands_in_the_row_of_its_orientation_with_its_words():
    stack = np.zeros((15, 16, 16)) + np.reshape(np.arange(15) * 10, (15, 1, 1))
    drawing = contact_sheet(RawData(stack), settings())
    labels = [mark.label for mark in drawing.marks]
    assert labels[7] == "orientation 2, phase 3, image 8, 175 ms"
    assert len(labels) == len(set(labels)) == 15
    rows = [{mark.position[0] for mark in drawing.marks[5 * d : 5 * d + 5]} for d in range(3)]
    assert [len(tops) for tops in rows] == [1, 1, 1]
    assert rows[0].pop() < rows[1].pop() < rows[2].pop()
    for index, mark in enumerate(drawing.marks):
        np.testing.assert_array_equal(thumbnail(drawing, mark), 10 * index)
    assert drawing.note.startswith("15 images: 1 time x 1 plane x 3 orientations x 5 phases, 0 to 350 ms.")


def test_another_order_puts_other_images_there():
    stack = np.zeros((15, 16, 16)) + np.reshape(np.arange(15) * 10, (15, 1, 1))
    drawing = contact_sheet(RawData(stack), settings(image_order="time, plane, phase, orientation"))
    by_label = {mark.label.partition(", image")[0]: mark for mark in drawing.marks}
    mark = by_label["orientation 2, phase 3"]
    assert "image 8, 175 ms" in mark.label  # (phase 2) * 3 + (orientation 1)
    np.testing.assert_array_equal(thumbnail(drawing, mark), 70)
    assert "image 4" in by_label["orientation 1, phase 2"].label


def test_of_a_volume_the_middle_plane_and_of_a_series_its_first_times():
    stack = np.zeros((2 * 4 * 15, 16, 16)) + np.reshape(np.arange(120), (120, 1, 1))
    volume = settings(Sim3dSettings, plane_spacing_um=0.2, n_planes=4)
    drawing = contact_sheet(RawData(stack), volume)
    assert len(drawing.marks) == 30
    assert drawing.marks[0].label.startswith("time 1, orientation 1, phase 1, image 31,")  # plane 3 of 4
    assert drawing.marks[15].label.startswith("time 2, orientation 1, phase 1, image 91,")
    assert "120 images: 2 times x 4 planes" in drawing.note
    assert "plane 3" in drawing.note
    long = contact_sheet(RawData(np.zeros((15 * 20, 16, 16))), settings())
    assert len(long.marks) == 4 * 15
    assert "the first 4 times" in long.note


def test_of_large_images_the_part_with_most_change_is_shown_pixel_by_pixel():
    stack = np.zeros((15, 300, 200), np.float32)
    stack[:, 220:260, 120:150] = images()[0].reshape(15, SIZE, SIZE)[:, :40, :30]
    drawing = contact_sheet(RawData(stack), settings())
    assert drawing.images.shape[1] < 3 * 110
    assert "96 x 96 pixels of each image" in drawing.note
    for index, mark in enumerate(drawing.marks):
        top, left = (int(p) for p in mark.position)
        part = drawing.images[0, top : top + 96, left : left + 96]
        assert part.sum() == pytest.approx(float(stack[index].sum()), rel=1e-5), "all of the specks are in it"


def test_stacks_that_are_no_whole_acquisitions_are_refused_in_words():
    for draw in (contact_sheet, spectrum):
        with pytest.raises(InputError, match="a multiple of 15 images"):
            draw(RawData(np.zeros((14, 16, 16))), settings())


# -- spectrum -----------------------------------------------------------------


def value_at(drawing, panel, position):
    """The largest value of a panel within a sample of a position."""
    row, column = (round((p - o) / s) for p, o, s in zip(position, drawing.origin, drawing.step, strict=True))
    return drawing.images[panel, row - 1 : row + 2, column - 1 : column + 2].max()


@pytest.mark.parametrize(
    ("model", "more"), [(SimSettings, {}), (Sim3dSettings, {"plane_spacing_um": 0.2, "n_planes": 3})]
)
def test_rings_lie_upon_the_peaks_of_their_own_orientation(model, more):
    drawing = spectrum(raw(images(planes=more.get("n_planes", 1))), settings(model, **more))
    assert drawing.images.shape == (3, SIZE, SIZE)
    assert drawing.unit == "1/um"
    assert [mark.label for mark in drawing.marks if mark.panel == 0] == ["+1", "-1", "+2", "-2"]
    for mark in drawing.marks:
        order = int(mark.label)
        np.testing.assert_allclose(mark.position, (order * KY[mark.panel], order * KX[mark.panel]))
        here = value_at(drawing, mark.panel, mark.position)
        elsewhere = [value_at(drawing, other, mark.position) for other in range(3) if other != mark.panel]
        assert here > max(elsewhere) + 0.7, "five times the power, at least"
    brightest = [np.unravel_index(panel.argmax(), panel.shape) for panel in drawing.images]
    for panel, place in enumerate(brightest):
        found = [o + s * p for o, s, p in zip(drawing.origin, drawing.step, place, strict=True)]
        assert min(np.hypot(*(np.asarray(found) - (s * KY[panel], s * KX[panel]))) for s in (1, -1)) < 0.2


def test_without_stripes_there_are_no_rings_and_one_circle():
    drawing = spectrum(raw(images()), settings(pattern=EstimatedPattern()))
    assert drawing.marks == ()
    assert len(drawing.circles) == 1
    assert "not known yet" in drawing.note


def test_circles_are_the_objective_and_the_reach_of_its_stripes():
    objective, reach = support_circles(settings())
    assert objective.radius == pytest.approx(2 * 1.28 / 0.515)
    lengths = np.hypot(KY, KX)
    assert reach.radius == pytest.approx(2 * 1.28 / 0.515 + 2 * lengths.mean())
    assert f"{reach.radius:.2f} /um" in reach.label
    two = support_circles(settings(n_beams=2))
    assert two[1].radius == pytest.approx(2 * 1.28 / 0.515 + lengths.mean())


def test_marks_of_two_beams_are_those_of_order_1():
    drawing = spectrum(raw(images()), settings(n_beams=2))
    assert {mark.label for mark in drawing.marks} == {"+1", "-1"}


def test_rings_beyond_the_pixels_frequencies_are_left_out():
    drawing = spectrum(raw(images()), settings(pixel_size_um=0.15))
    assert {mark.label for mark in drawing.marks if mark.panel == 0} == {"+1", "-1"}


# -- rings that are moved -----------------------------------------------------


def test_a_ring_moves_the_vector_of_its_orientation_only():
    given = settings(phases_rad=(0.0,) * 15, modulation_1=0.8, modulation_2=0.5)
    for label, position in (("+1", (2.2, 1.1)), ("-1", (-2.2, -1.1)), ("+2", (4.4, 2.2)), ("-2", (-4.4, -2.2))):
        found = moved(given, Mark((0.0, 0.0), label, 0), position)
        assert found.pattern.ky_per_um == (2.2, *KY[1:])
        assert found.pattern.kx_per_um == (1.1, *KX[1:])
        # Phases and depths were those of other stripes.
        assert (found.phases_rad, found.modulation_1, found.modulation_2) == (None, None, None)
    assert given.pattern.ky_per_um == KY


def test_periods_and_directions_stay_periods_and_directions():
    given = settings(pattern=LinePattern(line_spacing_um=(0.42, 0.43, 0.44), angles_deg=(10, 70, 130)))
    found = moved(given, Mark((0.0, 0.0), "+1", 1), (0.0, 2.5)).pattern
    assert found.line_spacing_um == (0.42, 0.4, 0.44)
    assert found.angles_deg == (10, 0, 130)


def test_a_ring_cannot_be_moved_into_the_middle():
    with pytest.raises(InputError, match="a vector of length 0"):
        moved(settings(), Mark((0.0, 0.0), "+1", 0), (0.0, 0.0))
    lines = settings(pattern=LinePattern(line_spacing_um=(0.42, 0.43, 0.44), angles_deg=(10, 70, 130)))
    with pytest.raises(InputError, match="line_spacing_um"):
        moved(lines, Mark((0.0, 0.0), "+1", 0), (0.0, 0.0))


def test_nothing_moves_where_nothing_is_known():
    given = settings(pattern=EstimatedPattern())
    assert moved(given, Mark((0.0, 0.0), "+1", 0), (1.0, 1.0)) == given
    assert moved(settings(), Mark((0.0, 0.0), "+1", None), (1.0, 1.0)) == settings()
