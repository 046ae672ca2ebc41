"""Parts on a real Dask cluster of two processes; what they compute is tiny."""

import os
import signal

import numpy as np
import pytest

from napari_nstm.core.errors import InputError
from napari_nstm.core.events import Failed, Finished, Notice, PartDone, Progress
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.dpc import Dpc
from napari_nstm.io.store import open_result
from napari_nstm.run.cluster import run_on_cluster
from napari_nstm.run.parts import Part
from napari_nstm.run.patience import Controls
from napari_nstm.run.reconstruct import iter_reconstruct, reconstruct

distributed = pytest.importorskip("distributed")

# distributed leaves sockets and files of processes that were killed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dask")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        local_directory=str(folder),
        silence_logs="ERROR",
    ) as made:
        yield made


@pytest.fixture
def job(tmp_path):
    made = Dpc().simulate(SimulationRequest(motion="translation", displacement_px=2, size=96, noise=0.002))
    np.save(tmp_path / "raw.npy", made.raw)
    acquisition = made.settings.model_copy(update={"padding_px": 2, "max_displacement_px": 4})
    return {
        "modality": "dpc",
        "raw": str(tmp_path / "raw.npy"),
        "acquisition": acquisition.model_dump(mode="json"),
        "fit": {"epochs": 60, "device": "cpu", "advanced": {"pyramid": [[0, 1.0]]}},
        "output": {"path": str(tmp_path / "result.zarr"), "checkpoint_every_s": 0.2},
        "compute": {"tile_px": 48},
    }


def on(cluster, job, name="cluster.zarr", **changes):
    """The job, on the cluster."""
    path = job["output"]["path"].replace("result.zarr", name)
    compute = {**job["compute"], "scheduler": cluster.scheduler_address}
    return {**job, **changes, "compute": compute, "output": {**job["output"], "path": path}}


def test_tiles_come_out_as_in_one_process_even_if_a_worker_is_killed(cluster, job):
    here = reconstruct(job)
    seen, killed = [], []
    asked = on(cluster, job, fit={**job["fit"], "epochs": 60})
    for event in iter_reconstruct(asked):
        seen.append(event)
        if isinstance(event, Progress) and not killed:
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)
    assert isinstance(seen[-1], Finished)
    assert seen[-1].status == "finished"
    assert killed
    assert [event.done for event in seen if isinstance(event, PartDone)] == [1, 2, 3, 4]
    there = open_result(asked["output"]["path"])
    np.testing.assert_allclose(there.reconstruction, here.reconstruction, atol=0.02 * np.ptp(here.reconstruction))


def test_a_stop_keeps_what_was_reached(cluster, job):
    seen = []
    asked = on(cluster, job, fit={**job["fit"], "epochs": 100_000})
    for event in iter_reconstruct(asked, should_stop=lambda: any(isinstance(e, Progress) for e in seen)):
        seen.append(event)  # noqa: PERF402 -- the stop looks at it
    assert seen[-1].status == "stopped"
    assert open_result(asked["output"]["path"]).status == "stopped"


def test_a_part_that_fails_does_not_end_the_others(cluster, job, tmp_path):
    good = {**job, "compute": {}, "output": {"path": str(tmp_path / "good.zarr")}, "fit": {**job["fit"], "epochs": 3}}
    bad = {**good, "raw": "none.npy", "output": {"path": str(tmp_path / "bad.zarr")}}
    parts = [
        Part(name, {"do": "job", "job": content, "base_dir": str(tmp_path), "overwrite": False})
        for name, content in (("bad", bad), ("good", good))
    ]
    parts.append(Part("needs bad", parts[1].command, after=0))
    last = {}
    for found in run_on_cluster(parts, Controls("batch"), cluster.scheduler_address):
        last[found.index] = found.event
    assert isinstance(last[0], Failed)
    assert last[0].field == "raw"
    assert last[1].status == "finished"
    assert "what it needs failed" in last[2].message


def test_workers_with_several_threads_are_told(cluster, monkeypatch):
    monkeypatch.setattr(distributed.Client, "nthreads", lambda self: {"tcp://w:1": 4})
    first = next(run_on_cluster([Part("x", {"do": "?"})], Controls("x"), cluster.scheduler_address))
    assert isinstance(first.event, Notice)
    assert "up to 4 threads" in first.event.message


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "none.json"])
def test_no_scheduler_is_told_in_one_sentence(address, monkeypatch):
    monkeypatch.setattr("napari_nstm.run.cluster._CONNECT_S", 1.0)
    with pytest.raises(InputError) as caught:
        list(run_on_cluster([Part("x", {"do": "?"})], Controls("x"), address))
    assert caught.value.field == "compute.scheduler"
    assert address in str(caught.value)


def test_workers_of_another_version_are_named(cluster, monkeypatch):
    monkeypatch.setattr(distributed.Client, "run", lambda self, *_, **__: {"tcp://w:1": "0.0.1"})
    with pytest.raises(InputError, match=r"worker tcp://w:1 has napari-nstm 0.0.1"):
        list(run_on_cluster([Part("x", {"do": "?"})], Controls("x"), cluster.scheduler_address))
