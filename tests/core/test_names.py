"""Names of settings as a user reads them."""

import pytest

from napari_nstm.core.names import prettified, split_unit


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("wavelength_um", ("wavelength", "µm")),
        ("ky_per_um", ("ky", "1/µm")),
        ("source_angles_deg", ("source_angles", "°")),
        ("exposure_us", ("exposure", "µs")),
        ("epochs", ("epochs", "")),
        ("um", ("um", "")),
    ],
)
def test_a_name_ends_in_its_unit(name, parts):
    assert split_unit(name) == parts


@pytest.mark.parametrize(
    ("name", "words"), [("na_objective", "NA objective"), ("psf_path", "PSF path"), ("", ""), ("seed", "Seed")]
)
def test_words(name, words):
    assert prettified(name) == words
