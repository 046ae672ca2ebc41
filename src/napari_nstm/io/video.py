"""Writing a movie as video, animated picture or numbered pictures, a picture at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from napari_nstm.core.errors import InputError
from napari_nstm.io._atomic import reason, replace
from napari_nstm.io._gif import gif_palette, write_gif
from napari_nstm.io._mp4 import write_mp4
from napari_nstm.io._png import write_png
from napari_nstm.io.targets import movie_files

__all__ = ["VideoInfo", "gif_palette", "write_video"]


@dataclass(frozen=True)
class VideoInfo:
    """What was written.

    Parameters
    ----------
    path
        The file; of numbered pictures the first.
    n_frames, size, fps
        Frames, (width, height) in pixels, frames per second.
    duration_s
        How long it plays, once through.
    notices
        What the viewer should know, a sentence each.
    """

    path: Path
    n_frames: int
    size: tuple[int, int]
    fps: float
    duration_s: float
    notices: tuple[str, ...]


def write_video(
    path: Path,
    pictures: Iterable[Image.Image],
    size: tuple[int, int],
    fps: float,
    *,
    n_frames: int,
    palette: Image.Image | None = None,
) -> Path:
    """Write pictures as .mp4 (H.264), .gif or .png; files appear when all is complete.

    No more than one picture is kept, however many there are.

    Parameters
    ----------
    path
        Its suffix says which.
    pictures
        RGB, all of `size` (width, height), which is even for H.264; what they raise ends the writing and leaves no
        file.
    fps
        Pictures per second.
    n_frames
        How many pictures there will be.
    palette
        Colours of a GIF.

    Returns
    -------
    Path
        The file; of numbered pictures the first.

    Raises
    ------
    InputError, StoreError
        If the file cannot be written.
    """
    files, kind = movie_files(path, n_frames), path.suffix.lower()
    beside = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        if kind == ".png":
            write_png(files, pictures)
        elif kind == ".gif":
            write_gif(beside, pictures, fps, palette)
            replace(beside, path)
        else:
            write_mp4(beside, pictures, size, fps)
            replace(beside, path)
    except OSError as error:
        raise InputError("out", f"{path}, which cannot be written ({reason(error)})", "a writable path") from error
    finally:
        beside.unlink(missing_ok=True)
    return files[0]
