from __future__ import annotations

import jax
import pytest

from napari_nstm.core.errors import InputError
from napari_nstm.fit import device
from napari_nstm.fit.device import free_memory_bytes, pick_device, use_compile_cache


def n_gpus():
    return sum(one.platform == "gpu" for one in jax.devices())


def test_the_cpu_is_always_there():
    found, words = pick_device("cpu")
    assert found.platform == "cpu"
    assert words.startswith("CPU, ")


def test_auto_takes_a_gpu_where_there_is_one():
    found, _ = pick_device("auto")
    assert found.platform == ("gpu" if n_gpus() else "cpu")


@pytest.mark.skipif(n_gpus() > 0, reason="this machine has a GPU")
@pytest.mark.parametrize("wish", ["gpu", "gpu:0", "gpu:1"])
def test_a_gpu_that_is_not_there_is_named(wish):
    with pytest.raises(InputError, match=rf"^fit\.device: got {wish}, but jax sees no GPU; takes auto or cpu"):
        pick_device(wish)


def test_a_gpu_beyond_the_last_is_named(monkeypatch):
    class Gpu:
        platform, id, device_kind = "gpu", 0, "Test GPU"

    monkeypatch.setattr(jax, "devices", lambda kind=None: [Gpu()])
    assert pick_device("gpu")[1] == "GPU 0, Test GPU"
    assert pick_device("auto")[1] == "GPU 0, Test GPU"
    with pytest.raises(InputError, match=r"^fit\.device: got gpu:1, but jax sees 1 GPU; takes"):
        pick_device("gpu:1")


def test_free_memory_is_that_of_the_device():
    free = free_memory_bytes(jax.devices("cpu")[0])
    assert free is None or 2**20 < free < 2**50

    class Gpu:
        platform = "gpu"

        def memory_stats(self):
            return {"bytes_limit": 10_000, "bytes_in_use": 4_000}

    assert free_memory_bytes(Gpu()) == 6_000


def test_compiled_programs_are_kept_in_the_folder(tmp_path):
    names = (
        "jax_compilation_cache_dir",
        "jax_persistent_cache_min_compile_time_secs",
        "jax_persistent_cache_min_entry_size_bytes",
    )
    before = {name: getattr(jax.config, name) for name in names}
    try:
        assert use_compile_cache(tmp_path / "new" / "compiled") == tmp_path / "new" / "compiled"
        assert (tmp_path / "new" / "compiled").is_dir()
        assert jax.config.jax_compilation_cache_dir == str(tmp_path / "new" / "compiled")
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


@pytest.mark.parametrize(("said", "share"), [("", 1.0), ("1", 1.0), ("0.25", 0.25)])
def test_a_fit_may_take_a_share_of_what_is_free(monkeypatch, said, share):
    monkeypatch.setattr(device, "_free", lambda _: 4_000)
    monkeypatch.setenv("NAPARI_NSTM_MEMORY_SHARE", said)
    assert free_memory_bytes(None) == 4_000 * share
    monkeypatch.setattr(device, "_free", lambda _: None)
    assert free_memory_bytes(None) is None


@pytest.mark.parametrize("said", ["half", "0", "1.5", "nan", "50%"])
def test_what_is_no_share_is_one_sentence(monkeypatch, said):
    monkeypatch.setenv("NAPARI_NSTM_MEMORY_SHARE", said)
    with pytest.raises(InputError, match=rf"^NAPARI_NSTM_MEMORY_SHARE: got '{said}'; takes a number from 0.1 to 1$"):
        free_memory_bytes(None)
