import numpy as np
import pytest
from scipy import fft
from tests.imaging.sim.conventional.acquired import taken, uniform_images

from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim.conventional.bands import padded, separated, uniform_density, wave_on
from napari_nstm.imaging.sim.frames import SimFrames
from napari_nstm.imaging.sim.optics import Illumination, stripes
from napari_nstm.imaging.sim.theory import in_focus

N, FINE, PIXEL, CUTOFF = 48, 3, 0.065, 4.97
VECTORS = np.array([[5, 3], [-4, 4]]) / (N * PIXEL)  # whole samples of the spectrum, so that shifts of it are exact
UNEVEN = np.array([0.3, 1.4, 2.9, 4.0, 5.5])


def _object():
    """Periodic, positive, with detail up to the fine grid's own limit."""
    return np.random.default_rng(3).uniform(0.2, 1, (FINE * N, FINE * N))


def _cropped(spectrum):
    k = np.arange(-(N - 1) // 2 + 1, (N + 1) // 2)
    kept = np.zeros((N, N), complex)
    kept[np.ix_(k % N, k % N)] = spectrum[np.ix_(k % (FINE * N), k % (FINE * N))] / FINE**2
    k = fft.fftfreq(N, PIXEL)
    return kept * in_focus(np.hypot(k[:, None], k), CUTOFF)


def _acquired(thing, phases, depths, brightness):
    at = (np.arange(FINE * N) / FINE - N // 2) * PIXEL
    images, orientation = [], np.repeat(np.arange(len(VECTORS)), len(phases))
    for d, phase, b in zip(orientation, np.tile(phases, len(VECTORS)), brightness, strict=True):
        lit = thing * b * stripes(VECTORS[d], phase, depths, at[:, None], at[None])
        images.append(fft.ifft2(_cropped(fft.fft2(lit))).real)
    index = np.arange(len(images))
    frames = SimFrames(np.array(images, np.float32), 0 * index, orientation, index % len(phases), index, index[:, None])
    light = Illumination(VECTORS, np.tile(phases, len(VECTORS)), np.tile(depths, (len(VECTORS), 1)), brightness)
    return frames, light


@pytest.mark.parametrize(
    ("phases", "depths"),
    [
        (2 * np.pi / 5 * np.arange(5), (1, 0.8, 0.5)),
        (UNEVEN, (1, 0.8, 0.5)),
        (np.array([0.1, 0.9, 2.2, 2.9, 4.1, 5.0, 5.8]), (1, 0.6, 0.9)),
        (np.array([0.2, 2.0, 4.9]), (1, 0.9)),
    ],
    ids=["even", "uneven", "seven", "two beams"],
)
def test_bands_are_shifted_spectra_of_the_object_times_the_otf(phases, depths):
    thing = _object()
    brightness = np.linspace(0.8, 1.3, 2 * len(phases))
    frames, light = _acquired(thing, phases, depths, brightness)
    bands = separated(frames, light)
    assert [(b.orientation, b.order) for b in bands] == [(d, m) for d in (0, 1) for m in range(len(depths))]
    for band in bands:
        steps = np.rint(band.order * VECTORS[band.orientation] * N * PIXEL).astype(int)
        # exp(i m 2 pi k . r) with r from the middle, N // 2: a shift of the spectrum, and a phase.
        middle = np.exp(-2j * np.pi * steps.sum() * (N // 2) / N)
        expected = _cropped(np.roll(fft.fft2(thing), steps, axis=(0, 1)) * middle)
        found = fft.fft2(band.image)
        assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max() + 1e-3 * np.abs(expected).std()


def test_noise_of_a_band_is_as_stated():
    rng = np.random.default_rng(0)
    frames, light = _acquired(_object(), UNEVEN, (1, 0.8, 0.4), np.full(10, 1.2))
    frames.images[:] = rng.standard_normal(frames.images.shape)
    for band in separated(frames, light):
        assert np.mean(np.abs(band.image) ** 2) == pytest.approx(band.noise, rel=0.1)
    even = Illumination(VECTORS, np.tile(2 * np.pi / 5 * np.arange(5), 2), light.depths, np.ones(10))
    # Of evenly spaced phases: 1 / P, and (2 / D)^2 / P.
    assert [b.noise for b in separated(frames, even)[:3]] == pytest.approx([1 / 5, 4 / 0.64 / 5, 4 / 0.16 / 5])


def test_phases_that_repeat_do_not_tell_bands_apart():
    frames, light = _acquired(_object(), np.array([0.0, 1.2, 2.4, 3.6, 1.2]), (1, 0.8, 0.5), np.ones(10))
    with pytest.raises(InputError, match="phases of orientation 1 that do not tell its 5 bands apart"):
        separated(frames, light)


def test_a_uniform_object_leaves_nothing_to_pad(settings):
    made = settings(modulation_2=0.5)
    frames, light, table, layout, _ = taken(uniform_images((40, 44), made, 700.0), made)
    bands = separated(frames, light)
    density = uniform_density(bands, table)
    # The mean over a field that holds no whole number of periods.
    assert density == pytest.approx(700, rel=1e-3)
    for band in bands:
        assert np.abs(padded(band, 700.0, light, table, layout)).max() < 0.01


def test_stripes_go_on_beyond_the_edge(settings):
    """A band of an object that does not change towards the edges is the same wave on both sides of them."""
    made = settings(modulation_2=0.5)
    frames, light, table, layout, _ = taken(uniform_images((40, 44), made, 700.0), made)
    for band in separated(frames, light):
        whole = padded(band, 0.0, light, table, layout)
        wave = wave_on(light.vectors_per_um[band.orientation], band.order, layout)
        still = (whole * np.conj(wave))[tuple(slice(s.start - 3, s.stop + 3) for s in layout.raw.field_slices)]
        inside = still[3:-3, 3:-3].mean()
        assert np.abs(still - inside).max() < 0.25 * np.abs(inside)  # it fades
        assert np.abs(np.angle(still / inside)).max() < 1e-2


def test_waves_of_scene_and_frames_agree_where_samples_coincide(settings):
    layout = taken(np.zeros((15, 32, 32)), settings(modulation_2=0.5, enlarge=2)).layout
    vector = np.array([2.3, -0.5])
    of_frames, of_scene = (wave_on(vector, 2, layout, of_scene) for of_scene in (False, True))
    np.testing.assert_allclose(of_scene[::2, ::2], of_frames, atol=1e-4)
    middle = tuple(s.start + n // 2 for s, n in zip(layout.raw.field_slices, layout.raw.shape, strict=True))
    assert of_frames[middle] == pytest.approx(1)
