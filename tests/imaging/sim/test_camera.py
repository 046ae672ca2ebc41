import numpy as np
import pytest
from tests.imaging.sim.point import OPTICS, radial_psf

from napari_nstm.imaging.sim.camera import Camera, moment
from napari_nstm.imaging.sim.optics import given_vectors
from napari_nstm.phantoms.motions import KnownMotion

PIXEL, SPACING = 0.065, 0.15


class Blob:
    """A Gaussian of sigma 0.8 pixels, or planes, around a position ([z,] y, x)."""

    def __init__(self, *centre):
        self.centre = np.asarray(centre)

    def density(self, positions_px):
        away = positions_px - self.centre.reshape(-1, *(1,) * (positions_px.ndim - 1))
        return np.exp(-0.5 * np.sum((away / 0.8) ** 2, axis=0)).astype(np.float32)


def _light(made, d, phase, y_px, x_px, depth_um):
    """The stripes on a plane as the camera sees it from another `depth_um` away."""
    ky, kx = given_vectors(made)[d]
    m1, m2 = (m[d] if isinstance(m, tuple) else m for m in (made.modulation_1, made.modulation_2))
    a = 2 * np.pi * PIXEL * (ky * y_px + kx * x_px) + phase
    if made.n_beams == 2:
        return 1 + m1 * np.cos(a)
    axial = np.cos(2 * np.pi * OPTICS.axial_frequency(np.hypot(ky, kx)) * depth_um)
    return 1 + m1 * np.cos(a) * axial + m2 * np.cos(2 * a)


def _summed(blob, field, made, shot, moved):
    """The light on every bit of the blob, times its image, which knows of no grid."""
    is_volume = len(field) == 3
    fine = 3 if is_volume else 4
    planes = np.arange(field[0]) if is_volume else np.zeros(1)
    within = (np.arange(4) + 0.5) / 4 - 0.5 if is_volume else np.zeros(1)  # along z, within a plane
    # The bits that a camera samples, near the blob.
    y, x = (np.arange(np.floor(c) - 4, np.floor(c) + 5, 1 / fine) for c in (blob.centre + moved)[-2:])
    z = np.add.outer(planes, within)
    rest = np.stack(np.meshgrid(z.ravel(), y, x, indexing="ij"))[-len(field) :] - moved.reshape(-1, 1, 1, 1)
    density = blob.density(rest).reshape(*z.shape, len(y), len(x)).mean(axis=1)
    rows, columns = (np.arange(n) for n in field[-2:])
    away = np.hypot((rows[:, None] - y)[:, None, :, None], (columns[:, None] - x)[:, None])
    profile = np.arange(0, PIXEL * away.max() + 0.01, 0.002)
    psf = [np.interp(PIXEL * away, profile, radial_psf(profile, k * SPACING)) for k in range(len(planes))]
    middle = field[-2] // 2, field[-1] // 2
    image = np.zeros((len(planes), *field[-2:]))
    for p, q in np.ndindex(len(planes), len(planes)):
        depth = (p - q) * SPACING
        light = _light(made, shot // made.n_phases, made.phases_rad[shot], y[:, None] - middle[0], x - middle[1], depth)
        image[p] += np.einsum("ijkl,kl->ij", psf[abs(p - q)], density[q] * light) * (PIXEL / fine) ** 2
    return image if is_volume else image[0]


TWO_BEAMS = {"n_beams": 2, "n_phases": 3, "modulation_2": None, "phases_rad": tuple(np.arange(9) * 0.7)}


@pytest.mark.parametrize(
    ("field", "centre", "changes", "shot", "t"),
    [
        ((33, 36), (14.3, 20.1), {}, 0, -1.0),
        ((33, 36), (14.3, 16.1), {"modulation_1": (0.9, 0.7, 0.5)}, 7, 0.5),
        ((36, 33), (20.0, 15.0), {}, 14, 1.0),
        ((33, 36), (14.3, 16.1), TWO_BEAMS, 4, 0.0),
        ((3, 32, 33), (1.2, 15.3, 14.1), {}, 3, 1.0),
        ((4, 33, 32), (1.6, 15.3, 14.1), {}, 11, 0.2),
    ],
)
def test_an_image_is_the_sum_over_all_bits_of_the_sample_at_its_moment(
    settings, volume, field, centre, changes, shot, t
):
    made = (volume if len(field) == 3 else settings)(**changes)
    motion = KnownMotion("translation", field, 3.0)
    moved = motion.displacement(np.zeros((len(field), 1)), t)[:, 0]
    assert (t == -1) == (np.abs(moved).max() == 0)
    blob = Blob(*centre)
    found = Camera(blob, motion, field, made).image(t, shot)
    expected = _summed(blob, field, made, shot, moved)
    assert found.shape == field
    np.testing.assert_allclose(found, expected, atol=0.01 * expected.max())


def test_nothing_comes_in_from_the_other_side(settings):
    """As faint at the opposite edge as a point's image is so far away."""
    field = (40, 44)
    image = Camera(Blob(4.0, 22.0), KnownMotion("none", field, 0.0), field, settings()).image(0.0, 0)
    assert image[-4:].max() < 5e-4 * image.max()


def test_light_from_the_first_plane_reaches_the_last_from_one_side_only(volume):
    few, many = (
        Camera(Blob(1.0, 16.0, 15.0), KnownMotion("none", field, 0.0), field, volume()).image(0.0, 0)
        for field in ((14, 32, 32), (28, 32, 32))
    )
    np.testing.assert_allclose(few, many[:14], atol=1e-5 * many.max())


def test_phases_together_are_even_light(settings):
    field = (32, 36)
    camera = Camera(Blob(14.3, 16.1), KnownMotion("none", field, 0.0), field, settings())
    means = [np.mean([camera.image(0.0, 5 * d + p) for p in range(5)], axis=0) for d in range(3)]
    for mean in means[1:]:
        np.testing.assert_allclose(mean, means[0], atol=1e-5 * means[0].max())


def test_a_moment_is_the_mean_over_each_sample(settings):
    motion, blob = KnownMotion("translation", (32, 32), 2.0), Blob(15.0, 14.0)
    coarse = moment(blob, motion, 1.0, (16, 16), (2.0, 2.0), (0.5, 0.5), samples=8)
    fine = moment(blob, motion, 1.0, (32, 32), (1.0, 1.0), samples=4)
    np.testing.assert_allclose(coarse, fine.reshape(16, 2, 16, 2).mean(axis=(1, 3)), atol=1e-5)
    y, x = np.unravel_index(fine.argmax(), fine.shape)
    assert (y, x) == (16, 16)  # 2 pixels at 30 degrees from +x towards +y: (1, 1.7)


def test_stripes_must_be_given(settings):
    field = (32, 32)
    with pytest.raises(ValueError, match="stripes"):
        Camera(Blob(1.0, 1.0), KnownMotion("none", field, 0.0), field, settings(pattern={"kind": "estimate"}))
