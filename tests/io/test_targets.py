from __future__ import annotations

import pytest

from napari_nstm.core.errors import InputError
from napari_nstm.io.targets import check_target, movie_files


def test_pictures_are_numbered_so_that_they_sort(tmp_path):
    assert movie_files(tmp_path / "a.mp4", 90) == [tmp_path / "a.mp4"]
    assert movie_files(tmp_path / "a.png", 1) == [tmp_path / "a.png"]
    names = [path.name for path in movie_files(tmp_path / "a.PNG", 12)]
    assert (names[0], names[-1]) == ("a-0001.PNG", "a-0012.PNG")
    many = [path.name for path in movie_files(tmp_path / "a.png", 12_345)]
    assert many == sorted(many)
    assert len(set(many)) == 12_345


def test_the_file_in_the_way_is_named(tmp_path):
    (tmp_path / "a-0003.png").write_text("precious")
    with pytest.raises(InputError, match=r"a-0003.png, which exists already"):
        check_target(tmp_path / "a.png", 5)
    check_target(tmp_path / "a.png", 5, overwrite=True)
    check_target(tmp_path / "a.png", 1)
    check_target(tmp_path / "b.png", 5)


def test_pictures_of_a_longer_series_are_not_mixed_with_a_new_one(tmp_path):
    for number in (5, 6):
        (tmp_path / f"a-{number:04d}.png").write_text("of before")
    (tmp_path / "a-0009-notes.png").write_text("another's")
    for overwrite in (False, True):
        with pytest.raises(InputError, match=r"a-0005.png, which would seem to belong to this movie"):
            check_target(tmp_path / "a.png", 4, overwrite=overwrite)
    check_target(tmp_path / "a.png", 6, overwrite=True)
    check_target(tmp_path / "a.png", 1)


def test_a_folder_is_never_replaced(tmp_path):
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(InputError, match="exists already"):
        check_target(tmp_path / "a.mp4", 5, overwrite=True)
