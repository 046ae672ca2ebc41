"""Panels beside each other, circles around their places, marks with words, in the viewer's own units."""

from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Layer

from napari_nstm._qt.layers.drawing import drawing_layers, lay_out
from napari_nstm.core.data import Circle, Drawing, Mark

STEP, ORIGIN = (0.5, 0.25), (-2.0, -1.5)


def drawing(n=3, circles=True, **changes):
    images = np.stack([np.full((9, 13), 10.0 * (k + 1), np.float32) for k in range(n)])
    images[:, 4, 6] = 100 + np.arange(n)  # at (0, 0)
    images[0, 0, 0] = 0  # what is between the panels, too
    made = Drawing(
        name="Spectrum",
        images=images,
        panels=tuple(f"panel {k}" for k in range(n)),
        origin=ORIGIN,
        step=STEP,
        unit="1/um",
        circles=(Circle((0.0, 0.0), 3.0, "reach 3 /um"),) if circles else (),
        marks=(Mark((1.0, 0.5), "+1", n // 2), Mark((0.0, 0.0), "middle")),
    )
    return replace(made, **changes)


def made(layout):
    layers = drawing_layers(layout, ("um", "um"))
    return {kind: Layer.create(data, attributes, kind) for data, attributes, kind in layers}


def pixel(image, position):
    """Value of an image layer at a place on the canvas."""
    index = [round((p - t) / s) for p, t, s in zip(position, image.translate, image.scale, strict=True)]
    return image.data[tuple(index)]


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("circles", [True, False])
def test_every_panel_stands_at_its_own_place(n, circles):
    layout = lay_out(drawing(n, circles))
    image = made(layout)["image"]
    for panel, shift in enumerate(layout.shifts):
        assert pixel(image, shift) == 100 + panel
        assert pixel(image, shift + np.array([1.0, 0.5])) == 10 * (panel + 1)
    # Nothing overlaps: all samples are there.
    assert sum((image.data == 10.0 * (k + 1)).sum() for k in range(n)) == n * (9 * 13 - 1) - 1


def test_rows_and_columns_suit_the_canvas():
    def columns(aspect):
        return len(set(lay_out(drawing(4, False, origin=(0.0, 0.0), step=(1.0, 0.7)), aspect).shifts[:, 1]))

    assert (columns(4.0), columns(1.0), columns(0.25)) == (4, 2, 1)


def test_circles_surround_the_middle_of_each_panel_and_are_named_once():
    layout = lay_out(drawing())
    shapes = made(layout)["shapes"]
    ellipses = [data for data, kind in zip(shapes.data, shapes.shape_type, strict=True) if kind == "ellipse"]
    assert len(ellipses) == 3
    for shift, box in zip(layout.shifts, ellipses, strict=True):
        np.testing.assert_allclose(box.min(axis=0), shift - 3)
        np.testing.assert_allclose(box.max(axis=0), shift + 3)
    words = list(shapes.text.values)
    assert words.count("reach 3 /µm") == 1
    assert {"panel 0", "panel 1", "panel 2"} <= set(words)


def test_circles_of_neighbours_do_not_touch():
    layout = lay_out(drawing())
    for first in range(3):
        for second in range(first):
            assert np.abs(layout.shifts[first] - layout.shifts[second]).max() > 6.0


def test_marks_stand_in_their_panel_or_in_all():
    layout = lay_out(drawing())
    points = made(layout)["points"]
    assert len(points.data) == 4
    np.testing.assert_allclose(points.data[0], layout.shifts[1] + (1.0, 0.5))
    np.testing.assert_allclose(points.data[1:], layout.shifts)
    assert list(points.text.values) == ["+1", "middle", "middle", "middle"]
    for (mark, panel), shown in zip(layout.marks, points.data, strict=True):
        assert layout.position(shown, panel) == pytest.approx(mark.position)


def test_marks_of_single_panels_are_rings_and_others_dots():
    ring = made(lay_out(drawing(marks=(Mark((1.0, 0.5), "+1", 1),))))["points"]
    dot = made(lay_out(drawing(marks=(Mark((1.0, 0.5), "+1"),))))["points"]
    assert ring.face_color[:, 3].max() == 0 < dot.face_color[:, 3].min()
    assert ring.border_width.min() > 0
    assert ring.size.min() > dot.size.max()


def test_layers_are_named_and_known_and_share_the_viewers_units():
    layers = made(lay_out(drawing()))
    assert [layer.name for layer in layers.values()] == [
        "Spectrum (1/µm)",
        "Spectrum (1/µm): circles",
        "Spectrum (1/µm): marks",
    ]
    for layer in layers.values():
        assert layer.metadata["napari_nstm"] == {"kind": "drawing", "drawing": "Spectrum", "unit": "1/µm"}
        assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]


def test_what_a_drawing_has_not_got_is_left_out():
    plain = drawing(1, False, panels=("",), marks=(), unit="pixel")
    layers = made(lay_out(plain))
    assert list(layers) == ["image"]
    assert layers["image"].name == "Spectrum"
    np.testing.assert_array_equal(layers["image"].data, plain.images[0])
    np.testing.assert_allclose(layers["image"].translate, ORIGIN)


def test_an_image_that_is_all_alike_can_be_shown():
    flat = drawing(1, images=np.zeros((1, 9, 13), np.float32))
    low, high = made(lay_out(flat))["image"].contrast_limits
    assert low < 0 < high


def test_long_words_are_broken_after_commas():
    marks = (Mark((0.0, 0.0), "orientation 1, phase 3, image 8, 175 ms"), Mark((0.0, 0.0), "short, word"))
    points = made(lay_out(drawing(1, marks=marks)))["points"]
    assert list(points.text.values) == ["orientation 1\nphase 3, image 8\n175 ms", "short, word"]
