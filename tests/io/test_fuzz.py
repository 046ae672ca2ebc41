"""Damaged stores: one line that says so, or a result; no traceback, and no pickle is ever read."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.mutations import BOUNDED, GONE, changed, places

from napari_nstm.core.errors import InputError, NstmError, StoreError
from napari_nstm.io.export import export_job, export_provenance, export_vectors_npz
from napari_nstm.io.raw import read_raw
from napari_nstm.io.store import StoreWriter, describe, load_checkpoint, open_result

NUMBERS = [0, 1, -1, 3, 10**6, 2**63, 10**30, 10**400, 0.5, 1e-300, 1e300, float("nan"), float("inf")]
TEXTS = ["", "..", "../../x", "/etc/passwd", "a\0b", "a\nb", "finished", "running", "float32", "|O", "ab" * 200]
simple = st.sampled_from([None, True, False, [], {}, *NUMBERS, *TEXTS]) | st.text(max_size=6)
trees = st.recursive(
    simple,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=6,
)


def looked_at(path, out):
    """Do all that can be done with a store, each by itself; what cannot is said in a line."""
    said = []

    def tried(action):
        try:
            with np.errstate(all="ignore"):  # what is left may be values without a meaning
                return action()
        except NstmError as error:
            said.append(str(error))
            return None

    tried(lambda: describe(path))
    tried(lambda: load_checkpoint(path))
    result = tried(lambda: open_result(path))
    if result is None:
        assert said
        assert not any("\n" in line for line in said)
        return
    tried(lambda: np.asarray(result.reconstruction[0]))
    tried(lambda: np.asarray(result.motion_um[-1]))
    tried(lambda: result.scene_at(result.times_ms[0]))
    tried(lambda: result.displacement_at(result.times_ms[-1]))
    tried(lambda: [result.comparison(name) for name in result.comparison_names])
    tried(lambda: result.residual)
    tried(result.weights)
    for export, name in ((export_vectors_npz, "a.npz"), (export_job, "a.yml"), (export_provenance, "a.json")):
        tried(lambda export=export, name=name: export(result, out / name, overwrite=True))
    assert not any("\n" in line for line in said)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("out")


@pytest.fixture(params=["finished", "running"])
def store(request):
    """A store that lasts for all examples of a test: what they change they put back."""
    return request.getfixturevalue(request.param).path


def rewritten(path, content):
    """Write JSON with what JSON does not know, as Python does."""
    path.write_text(json.dumps(content))


@BOUNDED
@given(data=st.data())
def test_attributes(store, out, data):
    path = store / "zarr.json"
    before = path.read_bytes()
    content = json.loads(before)
    place = data.draw(st.sampled_from([p for p in places(content) if p[:2] == ("attributes", "nstm")]))
    value = data.draw(st.just(GONE) | simple | trees)
    try:
        rewritten(path, changed(content, place, value))
        looked_at(store, out)
    finally:
        path.write_bytes(before)


@BOUNDED
@given(data=st.data())
def test_descriptions_of_arrays(finished, out, data):
    names = ("canvas", "motion_lattice", "reconstruction/0", "conventional", "conventional/0", "residual", "motion")
    path = finished.path / data.draw(st.sampled_from(names)) / "zarr.json"
    before = path.read_bytes()
    content = json.loads(before)
    place = data.draw(st.sampled_from(list(places(content))))
    try:
        rewritten(path, changed(content, place, data.draw(st.just(GONE) | simple)))
        looked_at(finished.path, out)
    finally:
        path.write_bytes(before)


@BOUNDED
@given(data=st.data())
def test_checkpoints(running, out, data):
    path = running.path / "checkpoint.npz"
    before = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = json.loads(members["record.json"])
    place = data.draw(st.sampled_from(list(places(header))))
    members["record.json"] = json.dumps(changed(header, place, data.draw(st.just(GONE) | simple | trees))).encode()
    try:
        zipped(path, members)
        looked_at(running.path, out)
    finally:
        path.write_bytes(before)


@BOUNDED
@given(data=st.data())
def test_files_that_are_cut_or_overwritten(store, out, data):
    files = sorted(path for path in store.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files))
    before = path.read_bytes()
    where = data.draw(st.integers(0, len(before)))
    noise = data.draw(st.binary(max_size=40))
    try:
        path.write_bytes(before[:where] + noise + data.draw(st.sampled_from([b"", before[where + len(noise) :]])))
        looked_at(store, out)
    finally:
        path.write_bytes(before)


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def zipped(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def pickled(trap):
    stream = io.BytesIO()
    np.save(stream, np.array([trap], dtype=object), allow_pickle=True)
    return stream.getvalue()


@pytest.fixture
def trap(tmp_path):
    trap = Trap(tmp_path / "sprung")
    np.load(io.BytesIO(pickled(trap)), allow_pickle=True)
    assert trap.path.is_dir()  # it would spring
    trap.path.rmdir()
    yield trap
    assert not trap.path.exists()


@pytest.mark.parametrize("member", ["canvas.npy", "motion_lattice.npy", "state/params/scene/levels/0.npy", "more.npy"])
def test_no_pickle_of_a_checkpoint_is_read(running, trap, member):
    path = running.path / "checkpoint.npz"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert member in members or member == "more.npy"
    zipped(path, {**members, member: pickled(trap)})
    for read in (load_checkpoint, StoreWriter.reopen, lambda path: open_result(path).weights()):
        with pytest.raises(StoreError, match="is damaged: Object arrays cannot be loaded"):
            read(running.path)


def test_no_pickle_of_weights_is_read(finished, trap):
    zipped(finished.path / "weights.npz", {"step.npy": pickled(trap)})
    with pytest.raises(StoreError, match="is damaged: Object arrays cannot be loaded"):
        finished.weights()


@pytest.mark.parametrize("name", ["raw.npy", "raw.npz:frames"])
def test_no_pickle_of_raw_data_is_read(tmp_path, trap, name):
    (tmp_path / "raw.npy").write_bytes(pickled(trap))
    zipped(tmp_path / "raw.npz", {"frames.npy": pickled(trap)})
    with pytest.raises(InputError, match="raw: got "):
        read_raw(tmp_path / name)


@pytest.mark.parametrize("name", ["canvas", "motion_lattice", "reconstruction/0"])
def test_no_pickle_of_an_array_is_read(finished, trap, name):
    """zarr 2 kept objects as pickles: a description that asks for them is refused."""
    path = finished.path / name / "zarr.json"
    content = json.loads(path.read_bytes())
    content["data_type"] = "object"
    content["codecs"] = [{"name": "numcodecs.pickle", "configuration": {}}]
    path.write_text(json.dumps(content))
    for chunk in (p for p in Path(finished.path / name / "c").rglob("*") if p.is_file()):
        chunk.write_bytes(pickled(trap))
    result = open_result(finished.path)
    with pytest.raises(StoreError, match=r"damaged: its array (canvas|motion_lattice|0) is missing or"):
        np.asarray(result.reconstruction) if name == "reconstruction/0" else result.scene_at(20.0)
