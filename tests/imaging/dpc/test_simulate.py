import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.dpc import Dpc


def _simulate(motion="none", size=96, noise=0.0, seed=0, displacement_px=4.0, **options):
    return Dpc().simulate(SimulationRequest(motion, displacement_px, size, noise, seed, options))


def test_what_is_simulated_can_be_reconstructed():
    made = _simulate(noise=0.002)
    raw = RawData(made.raw)
    assert Dpc().check(raw, made.settings) == []
    phase, truth = Dpc().conventional(raw, made.settings)[1], made.truth[0, 1]
    inside = (slice(10, -10),) * 2
    assert np.corrcoef(phase[inside].ravel(), truth[inside].ravel())[0, 1] > 0.95
    assert np.ptp(truth) == pytest.approx(0.5, rel=0.02)


def test_shapes_types_and_the_background():
    made = _simulate("shear", noise=0.01)
    assert made.raw.shape == (4, 96, 96)
    assert made.raw.dtype == np.uint16
    assert made.truth.shape == made.motion_px.shape == (4, 2, 96, 96)
    assert made.truth.dtype == made.motion_px.dtype == np.float32
    assert np.median(made.raw) == pytest.approx(10_000, rel=0.01)
    assert (made.truth[:, 0] == 0).all()


def test_noise_is_a_fraction_of_the_background():
    clean, noisy = _simulate(), _simulate(noise=0.01)
    difference = noisy.raw.astype(float) - clean.raw
    assert difference.std() == pytest.approx(100, rel=0.02)
    assert abs(difference.mean()) < 2


@pytest.mark.parametrize("kind", ["translation", "rotation", "swirl"])
def test_truth_moves_as_the_true_motion_says(kind):
    made = _simulate(kind, target="cells")
    assert np.abs(made.motion_px[0]).max() == pytest.approx(0, abs=1e-4)
    assert np.percentile(np.linalg.norm(made.motion_px, axis=1), 99) == pytest.approx(4, rel=0.15)
    at = np.mgrid[:96, :96].astype(float)
    followed = np.stack([map_coordinates(made.truth[3, c], at + made.motion_px[3], order=1) for c in (0, 1)])
    inside = (slice(None), slice(8, -8), slice(8, -8))
    still = np.sqrt(np.mean((made.truth[3] - made.truth[0])[inside] ** 2))
    assert np.sqrt(np.mean((followed - made.truth[0])[inside] ** 2)) < 0.25 * still


def test_each_frame_shows_its_own_moment():
    made = _simulate("translation")
    frames = made.raw.astype(float)
    for k in range(4):
        alone = RawData(np.tile(frames[k], (4, 1, 1)))
        settings = made.settings.model_copy(update={"source_angles_deg": (made.settings.source_angles_deg[k],) * 4})
        phase = Dpc().conventional(alone, settings)[1]
        likeness = [np.corrcoef(phase.ravel(), truth.ravel())[0, 1] for truth in made.truth[:, 1]]
        assert int(np.argmax(likeness)) == k


def test_a_strong_object_differs_from_the_weak_model_but_not_in_sign():
    weak, strong = (_simulate(target="cells", forward=f) for f in ("linear", "abbe"))
    np.testing.assert_array_equal(weak.truth, strong.truth)
    a, b = (made.raw / 1e4 - 1 for made in (weak, strong))
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.95
    assert 0.02 < np.sqrt(np.mean((a - b) ** 2)) / a.std() < 0.5
    assert (strong.truth[:, 0].max(axis=(1, 2)) > 0.05).all()


def test_nothing_wraps_around():
    made = _simulate("translation", displacement_px=6)
    rim = np.concatenate([made.raw[:, 0].ravel(), made.raw[:, -1].ravel(), made.raw[..., 0].ravel()]) / 1e4 - 1
    assert np.abs(rim).max() < 0.05 * np.abs(made.raw / 1e4 - 1).max()


def test_the_seed_decides_everything_random():
    np.testing.assert_array_equal(_simulate(noise=0.01, seed=3).raw, _simulate(noise=0.01, seed=3).raw)
    assert not np.array_equal(_simulate(noise=0.01, seed=3).raw, _simulate(noise=0.01, seed=4).raw)


@pytest.mark.parametrize(
    ("changes", "field"), [({"size": 40}, "size"), ({"target": "star"}, "target"), ({"forward": "exact"}, "forward")]
)
def test_a_wrong_request_is_named(changes, field):
    with pytest.raises(InputError) as caught:
        _simulate(**changes)
    assert caught.value.field == field
