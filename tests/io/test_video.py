from __future__ import annotations

import weakref

import numpy as np
import pytest
from PIL import Image, ImageSequence
from tests.io.videos import decode

from napari_nstm.core.errors import CancelledError, InputError
from napari_nstm.io._gif import gif_palette
from napari_nstm.io.video import write_video

SIZE = (40, 30)


def pictures(n):
    """A square that goes from left to right, of a colour that no other picture needs."""
    for index in range(n):
        picture = np.full((SIZE[1], SIZE[0], 3), 60, np.uint8)
        left = (index * 7) % (SIZE[0] - 8)
        picture[10:18, left : left + 8] = (250, 30, 30)
        yield Image.fromarray(picture)


def as_arrays(some):
    return [np.asarray(picture.convert("RGB")) for picture in some]


def test_numbered_pictures_are_exact(tmp_path):
    first = write_video(tmp_path / "a.png", pictures(3), SIZE, 10, n_frames=3)
    names = ["a-0001.png", "a-0002.png", "a-0003.png"]
    assert (first.name, sorted(path.name for path in tmp_path.iterdir())) == (names[0], names)
    for name, expected in zip(names, as_arrays(pictures(3)), strict=True):
        with Image.open(tmp_path / name) as found:
            np.testing.assert_array_equal(np.asarray(found), expected)


def test_a_single_moment_is_a_single_picture(tmp_path):
    assert write_video(tmp_path / "a.png", pictures(1), SIZE, 10, n_frames=1) == tmp_path / "a.png"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.mp4"])
def test_what_is_called_off_leaves_nothing(tmp_path, name):
    def called_off():
        yield from pictures(2)
        raise CancelledError

    with pytest.raises(CancelledError):
        write_video(tmp_path / name, called_off(), SIZE, 10, n_frames=4)
    assert list(tmp_path.iterdir()) == []


def test_pictures_that_cannot_be_named_leave_none(tmp_path, monkeypatch):
    from napari_nstm.io import _png

    real, calls = _png.replace, []

    def replace(source, target):
        calls.append(target)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(_png, "replace", replace)
    with pytest.raises(InputError, match="No space left on device"):
        write_video(tmp_path / "a.png", pictures(4), SIZE, 10, n_frames=4)
    assert list(tmp_path.iterdir()) == []


def test_every_frame_of_a_gif_is_there_also_where_nothing_changes(tmp_path):
    still = [next(pictures(1))] * 2
    shown = [*still, *list(pictures(4))[1:], *still]
    write_video(tmp_path / "a.gif", iter(shown), SIZE, 25, n_frames=len(shown), palette=gif_palette(still))
    with Image.open(tmp_path / "a.gif") as gif:
        assert (gif.n_frames, gif.size, gif.info["loop"], gif.info["duration"]) == (len(shown), SIZE, 0, 40)
        for found, expected in zip(as_arrays(ImageSequence.Iterator(gif)), as_arrays(shown), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_a_colour_that_covers_little_survives_in_a_gif(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE[::-1], 1)).astype(np.uint8).repeat(3, axis=-1)
    noise[4, 5] = (240, 20, 200)
    picture = Image.fromarray(noise)
    write_video(tmp_path / "a.gif", iter([picture]), SIZE, 10, n_frames=1, palette=gif_palette([picture]))
    with Image.open(tmp_path / "a.gif") as gif:
        found = np.asarray(gif.convert("RGB"))
    assert tuple(found[4, 5]) == (240, 20, 200)


def test_a_gif_chooses_its_colours_itself_where_it_is_given_none(tmp_path):
    write_video(tmp_path / "a.gif", pictures(2), SIZE, 10, n_frames=2)
    with Image.open(tmp_path / "a.gif") as gif:
        np.testing.assert_array_equal(as_arrays(ImageSequence.Iterator(gif)), as_arrays(pictures(2)))


@pytest.mark.parametrize("name", ["a.gif", "a.mp4", "a.png"])
def test_pictures_are_forgotten_once_they_are_written(tmp_path, name):
    kept, most = [], []

    def watched():
        for picture in pictures(30):
            kept.append(weakref.ref(picture))
            yield picture
            most.append(sum(one() is not None for one in kept))

    write_video(tmp_path / name, watched(), SIZE, 25, n_frames=30)
    assert len(most) == 30
    assert max(most) <= 2


def test_a_gif_goes_to_the_disk_as_it_is_written(tmp_path):
    sizes = []

    def watched():
        for picture in pictures(200):
            sizes.extend(file.stat().st_size for file in tmp_path.iterdir())
            yield Image.fromarray(
                np.random.default_rng(len(sizes)).integers(0, 255, (*picture.size[::-1], 3), np.uint8)
            )

    write_video(tmp_path / "a.gif", watched(), SIZE, 25, n_frames=200)
    assert sizes[150] > 0.6 * (tmp_path / "a.gif").stat().st_size


def test_an_mp4_keeps_what_it_was_given(tmp_path):
    write_video(tmp_path / "a.mp4", pictures(3), SIZE, 10, n_frames=3)
    found = decode(tmp_path / "a.mp4", SIZE)
    assert np.abs(found.astype(int) - as_arrays(pictures(3))).mean() < 4
