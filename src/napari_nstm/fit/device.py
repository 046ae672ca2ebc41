"""Devices: which one to use, how much memory it has free, where compiled programs are kept."""

from __future__ import annotations

import math
import os
from pathlib import Path

import jax
import platformdirs

from napari_nstm.core.errors import InputError

MEMORY_SHARE = "NAPARI_NSTM_MEMORY_SHARE"
"""Variable of the environment: which part of the free memory a fit may take."""
_LEAST_SHARE = 0.1


def pick_device(wish: str = "auto") -> tuple[jax.Device, str]:
    """Return the jax device for a wish, and its name in words.

    Parameters
    ----------
    wish
        `auto` (a GPU if there is one), `cpu`, `gpu` or `gpu:1`.

    Raises
    ------
    InputError
        If a GPU is asked for that jax does not see.
    """
    kind, _, number = wish.partition(":")
    if kind == "cpu":
        return _describe(jax.devices("cpu")[0])
    gpus = [d for d in jax.devices() if d.platform == "gpu"]
    if kind == "auto":
        return _describe(gpus[0] if gpus else jax.devices("cpu")[0])
    index = int(number or 0)
    if index >= len(gpus):
        seen = f"{len(gpus)} GPU{'s' * (len(gpus) != 1)}" if gpus else "no GPU"
        raise InputError("fit.device", f"{wish}, but jax sees {seen}", "auto or cpu on this machine")
    return _describe(gpus[index])


def _describe(device: jax.Device) -> tuple[jax.Device, str]:
    if device.platform == "cpu":
        return device, f"CPU, {os.cpu_count()} cores"
    return device, f"GPU {device.id}, {device.device_kind}"


def free_memory_bytes(device: jax.Device) -> int | None:
    """Return the memory that a fit may take on a device, in bytes; None where it cannot be known.

    That is what is free, or the share of it that the environment's NAPARI_NSTM_MEMORY_SHARE says.

    Raises
    ------
    InputError
        If that is no share.
    """
    share, free = _memory_share(), _free(device)
    return None if free is None else int(share * free)


def _memory_share() -> float:
    text = os.environ.get(MEMORY_SHARE, "").strip() or "1"
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not _LEAST_SHARE <= share <= 1:
        raise InputError(MEMORY_SHARE, repr(text), f"a number from {_LEAST_SHARE:g} to 1")
    return share


def _free(device: jax.Device) -> int | None:
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"]) - int(stats.get("bytes_in_use", 0))
    meminfo = Path("/proc/meminfo")
    if device.platform == "cpu" and meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def use_compile_cache(folder: Path | None = None) -> Path:
    """Keep compiled programs in the user's cache folder, so that only the first run of a size compiles."""
    folder = folder or Path(platformdirs.user_cache_dir("napari-nstm")) / "compiled"
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "jax_compilation_cache_dir": str(folder),
        "jax_persistent_cache_min_compile_time_secs": 0.1,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for name, value in options.items():
        jax.config.update(name, value)  # type: ignore[no-untyped-call]
    return folder
