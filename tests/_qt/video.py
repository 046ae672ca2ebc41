"""Reading a video back, to see what is in it."""

import subprocess

import imageio_ffmpeg
import numpy as np


def decode(path, size):
    """Brightness of the frames of a video, (frame, row, column); imageio's own reader leaves its pipes open."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path)]
    command += ["-f", "rawvideo", "-pix_fmt", "gray", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, size[1], size[0])
