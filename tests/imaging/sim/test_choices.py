import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from napari_nstm.core.errors import input_error_from
from napari_nstm.imaging.sim.choices import (
    OTF_KINDS,
    PATTERN_KINDS,
    TIMING_KINDS,
    DelayTiming,
    EstimatedPattern,
    EvenTiming,
    FileOtf,
    LinePattern,
    Otf,
    Pattern,
    PsfOtf,
    TheoryOtf,
    Timing,
    VectorPattern,
)
from napari_nstm.imaging.sim.optics import given_vectors

MADE = [
    EstimatedPattern(line_spacing_um=0.42),
    VectorPattern(ky_per_um=(1.0,), kx_per_um=(2.0,)),
    LinePattern(line_spacing_um=(0.4,), angles_deg=(30,)),
    TheoryOtf(),
    PsfOtf(path="p.tif", pixel_size_um=0.1, plane_spacing_um=0.2, offset=100),
    FileOtf(path="o.npz:OTF", kr_step_per_um=0.1, kz_step_per_um=0.2),
    EvenTiming(interval_ms=25),
    DelayTiming(exposure_ms=5, phase_delay_ms=20),
]


@pytest.mark.parametrize("made", MADE, ids=lambda made: made.kind)
@pytest.mark.parametrize("unset", [False, True])
def test_a_kind_is_written_down_with_what_was_set_and_read_back_as_the_same(made, unset):
    """A job file holds only what was set: the kind that was left to its default must not get lost."""
    content = made.model_dump(mode="json", exclude_unset=unset)
    assert content["kind"] == made.kind
    assert TypeAdapter(Pattern | Otf | Timing).validate_python(content) == made


@pytest.mark.parametrize(("kinds", "union"), [(PATTERN_KINDS, Pattern), (OTF_KINDS, Otf), (TIMING_KINDS, Timing)])
def test_every_kind_can_be_asked_for_by_its_name(kinds, union):
    tags = {made.kind: type(made) for made in MADE if isinstance(made, union.__origin__)}
    assert kinds == tags


@pytest.mark.parametrize(
    ("make", "values", "field"),
    [
        (VectorPattern, {"ky_per_um": (1, 0), "kx_per_um": (0, 0)}, "ky_per_um"),
        (VectorPattern, {"ky_per_um": (1, 2), "kx_per_um": (1,)}, "kx_per_um"),
        (LinePattern, {"line_spacing_um": (0.4, 0.4), "angles_deg": (1,)}, "angles_deg"),
        (LinePattern, {"line_spacing_um": (0.4, 0), "angles_deg": (1, 2)}, "line_spacing_um.1"),
        (EstimatedPattern, {"line_spacing_um": 0}, "line_spacing_um"),
        (DelayTiming, {"exposure_ms": 0}, "exposure_ms"),
        (DelayTiming, {"exposure_ms": 5, "plane_delay_ms": -1}, "plane_delay_ms"),
    ],
)
def test_what_makes_no_sense_is_named(make, values, field):
    with pytest.raises(ValidationError) as caught:
        make(**values)
    assert input_error_from(caught.value).field == field


def test_how_many_orientations_are_given():
    assert [made.n_orientations for made in MADE[:3]] == [None, 1, 1]


def test_periods_and_directions_are_vectors_across_the_lines_from_right_to_down(settings):
    angles = (0, 90, 210)
    lines = LinePattern(line_spacing_um=(0.5, 0.4, 0.25), angles_deg=angles)
    found = given_vectors(settings(pattern=lines))
    np.testing.assert_allclose(found[0], (0, 2), atol=1e-12)
    np.testing.assert_allclose(found[1], (2.5, 0), atol=1e-12)
    np.testing.assert_allclose(found[2], (4 * -0.5, 4 * -np.sqrt(0.75)))
    assert given_vectors(settings(pattern=EstimatedPattern())) is None
