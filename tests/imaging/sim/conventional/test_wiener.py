from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import center_of_mass, gaussian_filter
from tests.imaging.sim.conventional.acquired import fitted_psnr, photographed, taken, uniform_images

from napari_nstm.imaging.sim.conventional import support, widefield, wiener
from napari_nstm.imaging.sim.layout import sim_layout
from napari_nstm.imaging.sim.simulate import simulated_settings


def _blobs(size=96, n=60, sigma=1.5, seed=0):
    rng = np.random.default_rng(seed)
    at, bright = rng.uniform(0.15 * size, 0.85 * size, (n, 2)), rng.uniform(300, 1000, n)

    def function(y, x):
        return sum(
            b * np.exp(-((y - p) ** 2 + (x - q) ** 2) / (2 * sigma**2)) for (p, q), b in zip(at, bright, strict=True)
        )

    return function


# -- counts and positions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [None, 1e-3, 0.1])
def test_a_uniform_sample_comes_back_uniform_with_its_counts(wanted):
    settings = simulated_settings(wiener=wanted)
    acquired = taken(uniform_images((61, 70), settings, 1234.0), settings)
    found = wiener(*acquired)
    assert found.dtype == np.float32
    assert found.shape == acquired.layout.scene.field_shape
    np.testing.assert_allclose(found, 1234, rtol=1e-3)
    # An even mean over phases leaves no stripes either.
    np.testing.assert_allclose(widefield(acquired.frames, acquired.layout), 1234, rtol=1e-3)


def test_a_uniform_volume_comes_back_uniform_with_its_counts():
    settings = simulated_settings(8)
    shape = (8, 48, 52)
    table = taken(np.zeros((15, *shape)), settings).table
    images = uniform_images(shape, settings, 50.0, table)
    n_planes = 8 + 2 * settings.padding_planes  # the light of all of them
    assert images[0].mean() == pytest.approx(50 * n_planes, rel=0.01)
    np.testing.assert_allclose(wiener(*taken(images, settings)), 50, rtol=1e-3)


def test_light_of_a_sample_is_kept_and_stays_where_it_is():
    settings = simulated_settings()
    at = (40.25, 53.5)
    images = photographed(lambda y, x: 1000 * np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / 8), settings)
    acquired = taken(images, settings)
    enlarge = acquired.layout.enlarge
    for image in (wiener(*acquired), widefield(acquired.frames, acquired.layout)):
        assert image.sum() == pytest.approx(1000 * 8 * np.pi * enlarge**2, rel=0.02)
        near = tuple(slice(round(c * enlarge) - 12, round(c * enlarge) + 13) for c in at)
        centre = [c + part.start for c, part in zip(center_of_mass(image[near]), near, strict=True)]
        np.testing.assert_allclose(np.array(centre) / enlarge, at, atol=0.05)
    assert wiener(*acquired).max() == pytest.approx(1000, rel=0.03)
    assert widefield(acquired.frames, acquired.layout).max() < 800


def test_brightness_of_the_light_is_divided_out():
    settings = simulated_settings()
    images = photographed(_blobs(), settings)
    dimmed = np.repeat([1.0, 0.8, 1.3], 5) * np.linspace(0.95, 1.05, 15)
    plain = wiener(*taken(images, settings))
    found = wiener(*taken(images * dimmed[:, None, None], settings, intensities=dimmed))
    assert np.abs(found - plain).max() < 0.01 * np.ptp(plain)


# -- quality ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["usaf", "filaments", "beads"])
def test_it_shows_more_than_widefield(at_rest, target):
    acquired, truth = at_rest(target, 0.01)
    found, wide = wiener(*acquired), widefield(acquired.frames, acquired.layout)
    assert fitted_psnr(found, truth) > fitted_psnr(wide, truth) + 6
    scale = np.polyfit(found[10:-10, 10:-10].ravel(), truth[10:-10, 10:-10].ravel(), 1)[0]
    assert scale == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize("target", ["filaments", "beads"])
@pytest.mark.parametrize("noise", [0.001, 0.01, 0.1])
def test_the_parameter_from_the_noise_is_as_good_as_the_best(at_rest, target, noise):
    acquired, truth = at_rest(target, noise)
    found = fitted_psnr(wiener(*acquired), truth)
    tried = []
    for parameter in np.logspace(-6, 0, 13):
        settings = acquired.settings.model_copy(update={"wiener": parameter})
        tried.append(fitted_psnr(wiener(*replace(acquired, settings=settings)), truth))
    assert 0 < int(np.argmax(tried)) < len(tried) - 1
    assert found > max(tried) - 0.5


def test_finer_lines_are_resolved():
    periods = np.array([6.0, 5.0, 4.0, 3.0, 2.2, 1.8])

    def lines(y, x):
        row = np.clip(((y - 8) // 16).astype(int), 0, len(periods) - 1)
        field = (np.abs(y - 56) < 48) & (np.abs(x - 56) < 44)
        return field * 1000 * (1 + np.cos(2 * np.pi * x / periods[row]))

    settings = simulated_settings()
    acquired = taken(photographed(lines, settings, size=112, noise=0.01), settings)
    enlarge = acquired.layout.enlarge

    def contrasts(image):
        found = []
        for number, period in enumerate(periods):
            middle = round((16 + 16 * number) * enlarge)
            columns = np.arange(round(24 * enlarge), round(88 * enlarge))
            profile = image[middle - 4 : middle + 5, columns].mean(axis=0)
            wave = np.exp(2j * np.pi * columns / enlarge / period)
            window = np.hanning(len(columns))
            found.append(2 * np.abs(np.sum(window * wave * profile)) / np.sum(window * profile))
        return np.array(found)

    wide, found = contrasts(widefield(acquired.frames, acquired.layout)), contrasts(wiener(*acquired))
    # Cutoffs lie at 3.1 and 1.6 pixels.
    assert periods[wide > 0.2].min() == 5
    assert periods[found > 0.2].min() <= 2.2
    assert np.all(found[:4] > 0.85)


def test_edges_that_cut_the_sample_leave_no_rim(at_rest):
    whole, truth = at_rest("beads", 0.01, size=192)
    inner, middle = slice(48, 144), 192 // 2 - 96 // 2
    images = whole.frames.images[:, inner, inner]
    assert middle == 48  # phases are counted at the same pixel
    cut = taken(images, whole.settings)
    found, size = wiener(*cut), round(96 * cut.layout.enlarge)
    part = truth[72 : 72 + size, 72 : 72 + size]
    full = wiener(*whole)[72 : 72 + size, 72 : 72 + size]
    # Four samples from the edge, 2.7 pixels and less than the width of a point's image, nothing is left to be seen.
    assert fitted_psnr(found, part, margin=4) > fitted_psnr(full, part, margin=4) - 0.3
    assert fitted_psnr(found, part, margin=1) > fitted_psnr(full, part, margin=1) - 1.0


def test_no_stripes_are_left(at_rest):
    """Where a band has its middle, a sample without structure there shows no more than next to it."""
    settings = simulated_settings()
    acquired = taken(photographed(_blobs(sigma=6, n=20), settings, size=128, noise=0.003), settings)
    found = wiener(*acquired)
    window = np.outer(np.hanning(len(found)), np.hanning(len(found)))
    power = np.abs(np.fft.rfft2((found - found.mean()) * window)) ** 2
    step = 1 / (len(found) * acquired.layout.scene.pixel_size_um[0])
    for vector in acquired.light.vectors_per_um:
        for order in (1, 2):
            ky, kx = np.rint(order * vector * np.sign(vector[1]) / step).astype(int)
            around = np.roll(power, (20 - ky, 20 - kx), axis=(0, 1))[:41, :41]
            assert around[18:23, 18:23].max() < 3 * np.sort(around.ravel())[-25:].mean()


def test_light_from_out_of_focus_is_taken_away_from_one_plane():
    """Haze has no stripes, as far from focus the modulation is lost."""
    settings = simulated_settings()
    images = photographed(_blobs(), settings, noise=0.002)
    y, x = np.mgrid[:96, :96]
    haze = 600 * np.exp(-((y - 40) ** 2 + (x - 60) ** 2) / (2 * 30**2)).astype(np.float32)
    clear, hazy = (wiener(*taken(stack, settings)) for stack in (images, images + haze))
    added = gaussian_filter(hazy - clear, 6)
    raw = gaussian_filter(widefield(taken(images + haze, settings).frames, taken(images, settings).layout), 6)
    assert np.ptp(raw) > 0.9 * np.ptp(haze)
    assert np.ptp(added) < 0.5 * np.ptp(haze)


# -- acquisitions of other kinds ----------------------------------------------------------------------------------


def test_uneven_phases_give_the_same_as_even_ones():
    even = simulated_settings()
    uneven = simulated_settings(
        phases_rad=tuple(np.array([0.3, 1.4, 2.9, 4.0, 5.5] * 3) + np.repeat([0.0, 1.0, 2.0], 5))
    )
    function = _blobs()
    one, other = (wiener(*taken(photographed(function, s), s)) for s in (even, uneven))
    assert np.abs(one - other).max() < 0.02 * np.ptp(one)


def test_more_phases_and_orientations():
    angles = np.pi / 5 * np.arange(5) + 0.2
    settings = simulated_settings(
        n_orientations=5,
        n_phases=7,
        pattern={"kind": "vectors", "ky_per_um": tuple(2.3 * np.sin(angles)), "kx_per_um": tuple(2.3 * np.cos(angles))},
        phases_rad=tuple(np.tile(2 * np.pi / 7 * np.arange(7), 5)),
    )
    three = simulated_settings()
    function = _blobs(sigma=0.7, n=200)
    found, usual = (wiener(*taken(photographed(function, s, noise=0.01), s)) for s in (settings, three))
    y, x = np.mgrid[:144, :144] / 1.5
    assert fitted_psnr(found, function(y, x)) > fitted_psnr(usual, function(y, x))


def test_two_beams_and_three_phases():
    settings = simulated_settings()
    two = {"ky_per_um": tuple(2 * k for k in settings.pattern.ky_per_um)}
    two["kx_per_um"] = tuple(2 * k for k in settings.pattern.kx_per_um)
    made = simulated_settings(
        n_beams=2,
        n_phases=3,
        pattern={"kind": "vectors", **two},
        phases_rad=tuple(np.tile(2 * np.pi / 3 * np.arange(3), 3)),
        modulation_1=0.9,
        modulation_2=None,
    )
    function = _blobs(sigma=0.7, n=200)
    acquired = taken(photographed(function, made, noise=0.01), made)
    found, wide = wiener(*acquired), widefield(acquired.frames, acquired.layout)
    y, x = np.mgrid[:144, :144] / acquired.layout.enlarge
    assert fitted_psnr(found, function(y, x)) > fitted_psnr(wide, function(y, x)) + 5


def test_a_small_volume(at_rest):
    acquired, truth = at_rest("beads", 0.01, size=64, n_planes=8)
    assert acquired.frames.images.shape == (15, 8, 64, 64)
    found, wide = wiener(*acquired), widefield(acquired.frames, acquired.layout)
    assert found.shape == wide.shape == truth.shape
    assert fitted_psnr(found, truth) > fitted_psnr(wide, truth) + 5
    # Axially, too: light of a plane that is elsewhere in widefield.
    in_planes = [np.corrcoef(image.mean(axis=(1, 2)), truth.mean(axis=(1, 2)))[0, 1] for image in (found, wide)]
    assert in_planes[0] > in_planes[1]


# -- the parameter and the grid -----------------------------------------------------------------------------------


def test_a_larger_parameter_smooths_more(at_rest):
    acquired, _ = at_rest("beads", 0.01)
    rough = []
    for parameter in (1e-4, 1e-2, 1.0):
        image = wiener(*replace(acquired, settings=acquired.settings.model_copy(update={"wiener": parameter})))
        rough.append(np.abs(np.diff(image, axis=0)).mean() / image.std())
    assert rough[0] > 1.2 * rough[1] > 1.44 * rough[2]


@pytest.mark.parametrize("enlarge", [1.5, 2.0, 2.5])
def test_grids_agree(enlarge):
    settings = simulated_settings(enlarge=enlarge)
    function = _blobs()
    acquired = taken(photographed(function, settings, noise=0.001), settings)
    found = wiener(*acquired)
    y, x = np.mgrid[: found.shape[0], : found.shape[1]] / enlarge
    truth = function(y, x)
    assert found.shape == (96 * enlarge, 96 * enlarge)
    assert np.abs(found - truth).max() < 0.04 * truth.max()


def test_nothing_lies_outside_the_support(at_rest):
    acquired, _ = at_rest("beads", 0.01)
    found, layout = wiener(*acquired), acquired.layout
    whole = np.zeros(layout.scene.padded_shape)
    window = np.outer(np.hanning(found.shape[0]), np.hanning(found.shape[1]))
    whole[layout.scene.field_slices] = (found - found.mean()) * window
    power = np.abs(np.fft.rfft2(whole)) ** 2
    inside = support(acquired.table, acquired.light, layout)
    assert power[~inside].sum() < 1e-3 * power[inside].sum()


def test_padding_is_not_needed_but_helps():
    settings = simulated_settings(padding_px=0)
    acquired = taken(photographed(_blobs(), settings, noise=0.01), settings)
    truth = _blobs()(*(np.mgrid[:144, :144] / 1.5))
    assert sim_layout((96, 96), settings).raw.padding == ((0, 0), (0, 0))
    assert fitted_psnr(wiener(*acquired), truth) > 28
