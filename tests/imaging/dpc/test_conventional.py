import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.imaging.dpc import Dpc
from napari_nstm.imaging.dpc.abbe import abbe
from napari_nstm.imaging.dpc.conventional import tikhonov
from napari_nstm.imaging.dpc.optics import Optics, transfer_functions

PIXEL = 0.454


@pytest.fixture
def thing():
    """Draw an object (absorption, phase) that ends well inside the field and has no detail beyond the optics."""
    y, x = np.mgrid[:192, :176].astype(float)

    def blob(cy, cx, sigma):
        return np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * sigma**2))

    phase = 0.4 * blob(80, 70, 4) + 0.3 * blob(110, 110, 3) - 0.2 * blob(95, 90, 6)
    absorption = 0.05 * blob(85, 105, 4)
    return np.stack([absorption, phase])


def _image(thing, optics, strong=False):
    if strong:
        return abbe(thing[1], thing[0], optics, PIXEL, n_points=1000)
    transfer = transfer_functions(optics, thing.shape[1:], PIXEL)
    spectrum = np.fft.fft2(thing)
    return 1 + np.fft.ifft2(transfer.absorption * spectrum[0] + 1j * transfer.phase * spectrum[1]).real


def _compare(found, truth, inset=20):
    inside = (slice(inset, -inset),) * 2
    a, b = found[inside] - found[inside].mean(), truth[inside] - truth[inside].mean()
    return np.corrcoef(a.ravel(), b.ravel())[0, 1], np.sum(a * b) / np.sum(b * b)


@pytest.mark.parametrize(
    ("angles", "inner"),
    [((90, 270, 0, 180), 0.0), ((0, 120, 240), 0.0), ((10, 100, 190, 280, 55), 0.0), ((90, 270, 0, 180), 0.2)],
)
def test_an_object_that_stands_still_comes_back(settings, thing, angles, inner):
    made = settings(
        source_angles_deg=angles,
        na_illumination_inner=inner,
        regularization_phase_conventional=1e-6,
        regularization_absorption=1e-6,
        background={"kind": "constant", "value": 1},
    )
    found = Dpc().conventional(RawData(_image(thing, Optics.from_settings(made)).astype(np.float32)), made)
    for channel in (0, 1):
        correlation, gain = _compare(found[channel], thing[channel])
        assert correlation > 0.99
        assert gain == pytest.approx(1, abs=0.06)
    assert found[1].mean() == pytest.approx(0, abs=1e-6)


def test_a_periodic_band_limited_object_comes_back_exactly(smooth):
    thing = np.stack([smooth((64, 80), sigma=4, rms=0.02), smooth((64, 80), sigma=4, rms=0.2, seed=1)])
    optics = Optics(0.525, 0.25, 0.25, 0.0, (90, 270, 0, 180))
    frames = (_image(thing, optics) - 1).astype(np.float32)
    transfer = transfer_functions(optics, (64, 80), PIXEL)
    found = tikhonov(frames, transfer, 1e-10, 1e-10)
    np.testing.assert_allclose(found, thing, atol=2e-3)
    np.testing.assert_allclose(tikhonov(np.concatenate([frames] * 3), transfer, 1e-10, 1e-10), found, atol=1e-5)


def test_a_stronger_object_keeps_its_sign_and_about_its_size(settings, thing):
    made = settings(background={"kind": "constant", "value": 1})
    frames = _image(thing, Optics.from_settings(made), strong=True)
    correlation, gain = _compare(Dpc().conventional(RawData(frames), made)[1], thing[1])
    assert correlation > 0.97
    assert gain == pytest.approx(0.9, abs=0.1)


def test_more_regularisation_gives_less_phase_and_leaves_absorption(settings, thing):
    raw = RawData(_image(thing, Optics.from_settings(settings())).astype(np.float32))
    weak, strong = (Dpc().conventional(raw, settings(regularization_phase_conventional=w)) for w in (1e-4, 1e-1))
    assert np.abs(strong[1]).max() < 0.8 * np.abs(weak[1]).max()
    np.testing.assert_allclose(strong[0], weak[0], atol=1e-4)


def test_it_minimises_what_a_fit_minimises(settings, thing):
    import jax
    import jax.numpy as jnp

    made = settings(regularization_phase=3e-3, regularization_absorption=2e-3)
    raw = RawData(_image(thing, Optics.from_settings(made)).astype(np.float32))
    problem = Dpc().prepare(raw, made, 0)
    _, data = problem.batch(jax.random.key(0), jnp.asarray(0))
    transfer = transfer_functions(Optics.from_settings(made), problem.grid.padded_shape, PIXEL)
    best = tikhonov(np.asarray(problem.frames), transfer, 2e-3, 3e-3)

    def loss(scene):
        prediction, target, _ = problem.forward(scene[None], data)
        field = np.prod(problem.grid.field_shape)
        return jnp.sum((prediction - target) ** 2) / (4 * field) + problem.penalty(scene[None])

    gradient = jax.grad(loss)(jnp.asarray(best))
    assert np.abs(gradient).max() < 1e-3 * np.abs(jax.grad(loss)(jnp.zeros_like(gradient))).max()
