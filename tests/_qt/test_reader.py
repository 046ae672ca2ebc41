import numpy as np
import pytest
import zarr
from tests._qt.small_store import SHAPE, write_store

from napari_nstm._qt.reader import get_reader
from napari_nstm.core.errors import StoreError


def test_only_results_of_this_plugin_are_read(tmp_path):
    zarr.create_group(tmp_path / "other.zarr")
    (tmp_path / "file.zarr").write_text("no zarr")
    stored = write_store(tmp_path / "result.zarr")
    for path in (
        tmp_path / "other.zarr",
        tmp_path / "file.zarr",
        tmp_path / "none.zarr",
        stored.path / "reconstruction",
    ):
        assert get_reader(str(path)) is None
    assert get_reader([str(stored.path)]) is None
    assert get_reader(str(stored.path)) is not None


def test_napari_opens_a_result_and_tells_its_times(tmp_path, make_napari_viewer_proxy):
    viewer = make_napari_viewer_proxy()
    write_store(tmp_path / "my cells.zarr")
    viewer.open(str(tmp_path / "my cells.zarr"), plugin="napari-nstm")
    assert viewer.layers[-1].name == "motion — my cells"
    assert viewer.layers["phase — my cells"].data.shape == (3, *SHAPE)
    viewer.dims.set_current_step(0, 2)
    assert viewer.canvas.overlays.text.text.splitlines()[0] == "45 ms"
    assert viewer.canvas.overlays.scale_bar.visible


def test_without_a_viewer_layers_come_all_the_same(tmp_path):
    path = str(write_store(tmp_path / "result.zarr").path)
    layers = get_reader(path)(path)
    assert [kind for *_, kind in layers] == ["image"] * 4 + ["vectors"]
    assert np.isfinite(layers[3][0]).all()


def test_a_damaged_result_is_one_sentence(tmp_path):
    stored = write_store(tmp_path / "result.zarr")
    (stored.path / "canvas" / "zarr.json").unlink()
    path = str(stored.path)
    with pytest.raises(StoreError, match="damaged") as told:
        get_reader(path)(path)
    assert "\n" not in str(told.value)
