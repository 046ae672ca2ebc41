"""Reading videos back, to see what is in them."""

from __future__ import annotations

import subprocess

import imageio_ffmpeg
import numpy as np


def decode(path, size):
    """Frames (frame, row, column, 3) of a video, by ffmpeg."""
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-i",
        str(path),
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-",
    ]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, size[1], size[0], 3)


def probe(path):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path)]
    return subprocess.run(command, check=False, capture_output=True, text=True).stderr
