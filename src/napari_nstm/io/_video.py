"""Writers of mp4 and gif, a picture at a time."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_nstm.core.errors import InputError, StoreError
from napari_nstm.io._atomic import reason, replace

SUFFIXES = (".mp4", ".gif")
_CODEC = "libx264"
_N_ACCENTS = 48


def gif_rate(fps: float) -> float:
    """Return the nearest rate that a GIF can hold: its frames last whole hundredths of a second, two at least."""
    return 100 / max(2, round(100 / fps))


def write_video(
    path: Path,
    pictures: Iterable[Image.Image],
    size: tuple[int, int],
    fps: float,
    palette: Image.Image | None = None,
) -> None:
    """Write pictures as .mp4 (H.264) or .gif; the file appears when it is complete.

    Parameters
    ----------
    path
        Its suffix says which.
    pictures
        RGB, all of `size` (width, height); what they raise ends the writing and leaves no file.
    fps
        Pictures per second.
    palette
        Colours of a GIF.

    Raises
    ------
    InputError, StoreError
        If the file cannot be written.
    """
    beside = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        if path.suffix.lower() == ".gif":
            _write_gif(beside, pictures, fps, palette)
        else:
            _write_mp4(beside, pictures, size, fps)
        replace(beside, path)
    except OSError as error:
        raise InputError("out", f"{path}, which cannot be written ({reason(error)})", "a writable path") from error
    finally:
        beside.unlink(missing_ok=True)


def _write_mp4(path: Path, pictures: Iterable[Image.Image], size: tuple[int, int], fps: float) -> None:
    rate = Fraction(fps).limit_denominator(1001)
    command = [_ffmpeg(), "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-s", f"{size[0]}x{size[1]}", "-r", str(rate), "-i", "-", "-an"]
    # Players take the colours of such sizes for BT.709: convert to it, and say so.
    command += ["-vf", "scale=out_color_matrix=bt709:out_range=tv"]
    command += ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
    command += ["-c:v", _CODEC, "-preset", "fast", "-crf", "16", "-pix_fmt", "yuv420p"]
    command += ["-movflags", "+faststart", str(path)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        try:
            _feed(process, pictures)
        except BaseException:
            process.kill()
            process.wait()
            _close(process.stdin)
            raise
        if process.wait() != 0:
            log.seek(0)
            said = " ".join(log.read().decode(errors="replace").split())
            raise StoreError(f"The movie could not be encoded: {said[:200] or 'ffmpeg failed'}.")


def _feed(process: subprocess.Popen[bytes], pictures: Iterable[Image.Image]) -> None:
    stream = process.stdin
    if stream is None:
        return
    for picture in pictures:
        try:
            stream.write(picture.tobytes())
        except BrokenPipeError:
            break  # ffmpeg ended by itself: its status and its words say why
    _close(stream)


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        with suppress(BrokenPipeError):
            stream.close()


def _ffmpeg() -> str:
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        takes = "a .gif, or ffmpeg where the variable IMAGEIO_FFMPEG_EXE says"
        raise InputError("out", "an .mp4 without ffmpeg on this machine", takes) from error


def gif_palette(pictures: Sequence[Image.Image], accents: NDArray[np.uint8]) -> Image.Image:
    """Choose one palette for a whole GIF, so that nothing flickers.

    Parameters
    ----------
    pictures
        Some pictures of the movie.
    accents
        (n, 3) colours that cover few pixels but matter.
    """
    strip = np.concatenate([np.asarray(picture) for picture in pictures])
    colors = [_picked(strip, 256 - 2 * _N_ACCENTS)]
    if len(accents):
        vivid = _picked(accents[None], _N_ACCENTS)
        colors += [vivid, vivid // 2]  # arrows have dark rims
    found = Image.new("P", (1, 1))
    found.putpalette(np.concatenate(colors).astype(np.uint8).tobytes())
    return found


def _picked(pixels: NDArray[np.uint8], n: int) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels).quantize(n, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return np.asarray(image.getpalette(), np.uint8).reshape(-1, 3)[:n]


def _write_gif(path: Path, pictures: Iterable[Image.Image], fps: float, palette: Image.Image | None) -> None:
    def reduced(picture: Image.Image) -> Image.Image:
        return picture.quantize(256 if palette is None else 0, palette=palette, dither=Image.Dither.NONE)

    frames = map(reduced, pictures)
    first = next(frames)
    duration_ms = round(1000 / fps)
    with path.open("wb") as stream:
        first.save(stream, "GIF", save_all=True, append_images=frames, duration=duration_ms, loop=0, disposal=1)
