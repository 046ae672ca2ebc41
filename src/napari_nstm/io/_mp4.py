"""Writing H.264 through ffmpeg."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import IO

from PIL import Image

from napari_nstm.core.errors import InputError, StoreError

_CODEC = "libx264"


def write_mp4(path: Path, pictures: Iterable[Image.Image], size: tuple[int, int], fps: float) -> None:
    """Write RGB pictures of even `size` (width, height)."""
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
        takes = "a .gif or .png, or ffmpeg where the variable IMAGEIO_FFMPEG_EXE says"
        raise InputError("out", "an .mp4 without ffmpeg on this machine", takes) from error
