"""Parts on a real Dask cluster of two processes; what they compute is tiny."""

import os
import signal
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace

import numpy as np
import pytest

from napari_nstm.core.errors import InputError
from napari_nstm.core.events import Checkpointed, Failed, Finished, Notice, PartDone, Progress
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.dpc import Dpc
from napari_nstm.io.store import open_result
from napari_nstm.run.cluster import _Run, _work, run_on_cluster
from napari_nstm.run.parts import Part
from napari_nstm.run.patience import Controls
from napari_nstm.run.protocol import ArrayFolder, decode_event, encode_event
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
        dashboard_address=":0",  # any free port
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


def quick_parts(job, folder, **jobs):
    """Jobs of a few steps, by their names; each with what is different in it."""
    quick = {**job, "compute": {}, "fit": {**job["fit"], "epochs": 3}}
    return [
        Part(
            name,
            {
                "do": "job",
                "job": {**quick, "output": {"path": str(folder / f"{name}.zarr")}, **changes},
                "base_dir": str(folder),
                "overwrite": False,
            },
        )
        for name, changes in jobs.items()
    ]


def tasks_of(cluster):
    """What the scheduler knows of our tasks."""
    return [task for key, task in cluster.scheduler.tasks.items() if str(key).startswith("napari-nstm-")]


def test_a_part_that_fails_does_not_end_the_others(cluster, job, tmp_path):
    bad, good, needs, without = quick_parts(job, tmp_path, bad={"raw": "none.npy"}, good={}, needs={}, without={})
    parts = [
        bad,
        good,
        Part("needs bad", needs.command, after=0),
        Part("can do without", {**without.command, "or_anew": True}, after=0),
    ]
    last = {}
    for found in run_on_cluster(parts, Controls("batch"), cluster.scheduler_address):
        last[found.index] = found.event
    assert isinstance(last[0], Failed)
    assert last[0].field == "raw"
    assert last[1].status == "finished"
    assert "what it needs failed" in last[2].message
    assert isinstance(last[3], Finished)


def test_all_workers_work_and_nothing_is_left_behind(cluster, job, tmp_path):
    deadline = time.monotonic() + 30
    while len(cluster.scheduler.workers) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)  # one was killed above, and comes again
    parts, n_done = quick_parts(job, tmp_path, a={}, b={}, c={}, d={}), 0
    steps = {index: [] for index in range(len(parts))}
    for found in run_on_cluster(parts, Controls("batch"), cluster.scheduler_address):
        n_done += isinstance(found.event, Finished)
        if isinstance(found.event, Progress):
            steps[found.index].append(found.event.step)
        if n_done == len(parts):
            held = [task for task in tasks_of(cluster) if task.who_has]
            assert len({worker.address for task in held for worker in task.who_has}) == 2
    assert all(one == sorted(one) and one[-1] <= 3 for one in steps.values() if one)
    deadline = time.monotonic() + 5
    while tasks_of(cluster) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not tasks_of(cluster)


def test_late_words_of_a_lost_attempt_are_not_passed_on():
    inbox = SimpleQueue()
    run = SimpleNamespace(_inbox=inbox, _attempts={}, _parts=[Part("tile 1 of 2", {})], _controls=Controls("x"))
    said = [("a", None), ("a", 5), ("b", None), ("a", 6), ("b", 3)]
    for attempt, step in said:
        event = None if step is None else Checkpointed("x", step)
        line = None if event is None else encode_event(event, ArrayFolder(Path()))
        inbox.put({"part": 0, "attempt": attempt, "event": line})
    found = [one.event for one in _Run._told(run, {0})]
    assert found == [
        Checkpointed("x", 5),
        Notice("x", "Tile 1 of 2 is begun again: its worker was lost."),
        Checkpointed("x", 3),
    ]


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
    sent = []
    monkeypatch.setattr(distributed.Client, "submit", lambda self, *_, **__: sent.append(1))
    with pytest.raises(InputError, match=r"worker tcp://w:1 has napari-nstm 0.0.1"):
        list(run_on_cluster([Part("x", {"do": "?"})], Controls("x"), cluster.scheduler_address))
    assert not sent


def test_a_worker_that_lacks_the_package_is_named_and_one_that_is_lost_is_not(cluster, monkeypatch):
    lacks = {"tcp://w:1": OSError("lost"), "tcp://w:2": PackageNotFoundError("napari-nstm")}
    monkeypatch.setattr(distributed.Client, "run", lambda self, *_, **__: lacks)
    with pytest.raises(InputError, match=r"worker tcp://w:2 has no napari-nstm"):
        list(run_on_cluster([Part("x", {"do": "?"})], Controls("x"), cluster.scheduler_address))


def test_a_worker_of_another_version_that_comes_later_does_nothing(cluster):
    with distributed.Client(cluster, set_as_default=False) as client:
        line = client.submit(_work, {"do": "?"}, 0, "topic", "run", "0.0.1").result()
    event = decode_event(line, Path())
    assert event.field == "compute.scheduler"
    assert "the job is of 0.0.1" in event.message


class TestWithoutWorkers:
    @pytest.fixture
    def empty(self, tmp_path):
        options = {"n_workers": 0, "dashboard_address": ":0", "local_directory": str(tmp_path), "silence_logs": False}
        with distributed.LocalCluster(**options) as made:
            yield made

    def test_a_stop_is_answered(self, empty):
        began = time.monotonic()
        controls = Controls("x", should_stop=lambda: time.monotonic() > began + 0.5)
        parts = [Part("x", {"do": "?"}), Part("y", {"do": "?"})]
        events = list(run_on_cluster(parts, controls, empty.scheduler_address))
        assert [one.event.message for one in events] == ["The cluster has no workers yet: the work waits for them."]
        assert time.monotonic() - began < 10

    def test_a_scheduler_that_is_lost_ends_the_parts(self, empty, monkeypatch):
        monkeypatch.setattr("napari_nstm.run.cluster._CONNECT_S", 1.0)
        events = run_on_cluster([Part("x", {"do": "?"})], Controls("x"), empty.scheduler_address)
        next(events)
        empty.close()
        (last,) = events
        assert isinstance(last.event, Failed)
        assert "does not answer any more" in last.event.message
