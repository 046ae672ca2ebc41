"""What tests of more than one room need."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.fixture
def small_disk(tmp_path):
    """Make a disk with room for so many kilobytes; needs the rights to mount one."""
    mounted = []

    def make(kilobytes):
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
        if sys.platform != "linux" or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("a small disk cannot be mounted here")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
