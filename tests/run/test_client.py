"""The child process: what it says, how it ends, and that nothing is left behind."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests.toy import moving_blobs

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import ChildError
from napari_nstm.core.events import Checkpointed, Failed, Finished, Paused, Prepared, Preview, Progress
from napari_nstm.io.store import open_result
from napari_nstm.run.client import Child
from napari_nstm.run.job import job_from_mapping
from napari_nstm.run.reconstruct import resume

PATIENCE_S = 120
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


@pytest.fixture(scope="module")
def child(environment):
    """One child for many tests: it stays warm between runs."""
    with Child(environment) as child:
        yield child


@pytest.fixture
def jobs(job, slow_job, frames, tmp_path):
    np.save(tmp_path / "raw.npy", frames)
    return {"quick": job_from_mapping(job), "slow": job_from_mapping(slow_job)}


def wait_for(child, run_id, kind):
    return next(event for event in child.events(run_id, PATIENCE_S) if isinstance(event, kind))


def is_gone(pid, within_s):
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{pid}/stat")
        # A zombie has ended; whoever inherited it has not asked yet.
        if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


def test_it_runs_one_job_after_another_and_stays_warm(child, jobs, tmp_path):
    first = child.run(jobs["quick"], tmp_path)
    events = list(child.events(first, PATIENCE_S))
    kinds = [type(event) for event in events]
    assert Prepared in kinds
    assert Progress in kinds
    assert events[-1].status == "finished"
    assert Path(events[-1].path) == tmp_path / "result.zarr"
    assert open_result(events[-1].path).status == "finished"

    pid = child.pid
    second = child.run(jobs["quick"], tmp_path)
    refused = list(child.events(second, PATIENCE_S))[-1]
    assert (refused.field, type(refused)) == ("output.path", Failed)
    third = child.run(jobs["quick"], tmp_path, overwrite=True)
    assert list(child.events(third, PATIENCE_S))[-1].status == "finished"
    assert child.pid == pid


def test_a_stop_keeps_the_result_and_resume_goes_on(child, jobs, tmp_path):
    run_id = child.run(jobs["slow"], tmp_path)
    wait_for(child, run_id, Progress)
    preview = wait_for(child, run_id, Preview)
    assert preview.scene.shape == (1, 48, 48)
    asked = time.monotonic()
    child.stop(run_id)
    finished = wait_for(child, run_id, Finished)
    assert finished.status == "stopped"
    assert time.monotonic() - asked < 20
    assert open_result(finished.path).status == "stopped"

    again = child.resume(finished.path)
    step = wait_for(child, again, Progress).step
    assert step > open_result(finished.path).record.step or step > 0
    child.stop(again)
    assert wait_for(child, again, Finished).status == "stopped"


def test_a_paused_run_rests_answers_and_goes_on(child, jobs, tmp_path):
    run_id = child.run(jobs["slow"], tmp_path)
    wait_for(child, run_id, Progress)
    wait_for(child, run_id, Preview)
    asked = time.monotonic()
    child.pause(run_id)
    paused = wait_for(child, run_id, Paused)
    assert time.monotonic() - asked < 5
    assert open_result(tmp_path / "result.zarr").record.step == paused.step

    times, began = psutil.Process(child.pid).cpu_times(), time.monotonic()
    time.sleep(1.5)
    rested = psutil.Process(child.pid).cpu_times()
    used = rested.user + rested.system - times.user - times.system
    assert used < 0.1 * (time.monotonic() - began)
    assert child.poll() == []

    child.show(run_id, 1.0)
    shown = wait_for(child, run_id, Preview)
    assert (shown.step, shown.time_ms) == (paused.step, 1.0)
    child.go_on(run_id)
    assert wait_for(child, run_id, Progress).step > paused.step
    child.pause(run_id)
    step = wait_for(child, run_id, Paused).step
    child.stop(run_id)
    finished = wait_for(child, run_id, Finished)
    assert finished.status == "stopped"
    assert open_result(finished.path).record.step == step


@posix
def test_a_child_whose_parent_is_gone_ends_during_a_pause(environment, jobs, tmp_path):
    with Child(environment) as child:
        run_id = child.run(jobs["slow"], tmp_path)
        wait_for(child, run_id, Progress)
        child.pause(run_id)
        step = wait_for(child, run_id, Paused).step
        pid, asked = child.pid, time.monotonic()
        child.close()
    assert time.monotonic() - asked < 4
    assert is_gone(pid, 1)
    assert open_result(tmp_path / "result.zarr").record.step == step


def test_frames_in_memory_travel_as_files(child, job, frames, tmp_path):
    job["raw"] = "a layer"
    run_id = child.run(job_from_mapping(job), tmp_path, RawData(frames, name="a layer"))
    assert wait_for(child, run_id, Finished).status == "finished"
    kept = np.load(tmp_path / "result.zarr" / "raw.npy")
    np.testing.assert_array_equal(kept, frames)


def test_poll_gives_only_the_newest_picture(child, jobs, tmp_path):
    run_id = child.run(jobs["slow"], tmp_path)
    wait_for(child, run_id, Progress)
    wait_for(child, run_id, Preview)
    time.sleep(1.0)
    events = child.poll()
    child.stop(run_id)
    for kind in (Preview, Progress):
        assert sum(isinstance(event, kind) for event in events) == 1
    assert all(event.run_id == run_id for event in events)
    assert wait_for(child, run_id, Finished).status == "stopped"


def test_lines_it_cannot_use_are_answered_not_fatal(child, jobs, tmp_path):
    child.send({"command": "dance"})
    failed = next(iter(child.events("", PATIENCE_S)))
    assert isinstance(failed, Failed)
    assert failed.field == "command"
    bad = child.run(jobs["quick"].model_copy(update={"modality": "no such"}), tmp_path)
    assert wait_for(child, bad, Failed).field == "modality"
    run_id = child.run(jobs["quick"], tmp_path)
    assert wait_for(child, run_id, Finished).status == "finished"


def test_what_libraries_print_goes_to_the_log(child, jobs, tmp_path):
    run_id = child.run(jobs["quick"].model_copy(update={"modality": "noisy"}), tmp_path)
    assert wait_for(child, run_id, Finished).status == "finished"
    log = child.log_path.read_text()
    assert "printed" in log
    assert "written past Python" in log


def test_a_defect_is_one_sentence_and_a_traceback_in_the_log(child, jobs, tmp_path):
    run_id = child.run(jobs["quick"].model_copy(update={"modality": "broken"}), tmp_path)
    assert wait_for(child, run_id, Failed).message == "An unexpected KeyError: 'a defect'"
    assert "Traceback" in child.log_path.read_text()
    assert child.alive


@posix
def test_a_killed_child_is_told(environment, jobs, tmp_path):
    with Child(environment) as child:
        run_id = child.run(jobs["slow"], tmp_path)
        wait_for(child, run_id, Checkpointed)
        with child.log_path.open("a") as log:
            log.write("what others wrote\n\n")
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(ChildError, match=r"killed from outside \(signal 9\); [^:]*memory runs out\.$"):
            list(child.events(run_id, PATIENCE_S))
        with pytest.raises(ChildError, match="killed"):
            list(iter(child.poll, None))
        with pytest.raises(ChildError):
            child.run(jobs["quick"], tmp_path)
    assert open_result(tmp_path / "result.zarr").status == "running"


def test_it_says_when_it_is_ready_and_close_leaves_nothing(environment):
    child = Child(environment).start()
    folder = child.log_path.parent
    assert "jax" in child.wait_ready(PATIENCE_S).versions
    child.close()
    assert not child.alive
    assert not folder.exists()
    assert child.poll() == []


def test_a_child_that_cannot_start_says_why(tmp_path):
    (tmp_path / "jax.py").write_text("raise ImportError('jax is broken here')")
    with Child({"PYTHONPATH": str(tmp_path)}) as child, pytest.raises(ChildError, match="jax is broken here"):
        child.wait_ready(PATIENCE_S)


def test_kill_works_while_it_still_loads_and_leaves_nothing(environment):
    child = Child(environment).start()
    folder, asked = child.log_path.parent, time.monotonic()
    child.kill()
    assert time.monotonic() - asked < 1
    assert not child.alive
    assert not folder.exists()
    assert child.poll() == []


def test_closing_in_the_middle_of_a_fit_checkpoints(environment, jobs, toy, tmp_path):
    with Child(environment, grace_s=10) as child:
        run_id = child.run(jobs["slow"], tmp_path)
        step = wait_for(child, run_id, Checkpointed).step
        time.sleep(1)
        asked = time.monotonic()
    assert time.monotonic() - asked < 5
    assert open_result(tmp_path / "result.zarr").record.step > step


def test_a_child_that_cannot_be_interrupted_ends_after_its_grace(environment, jobs, tmp_path):
    child = Child(environment, grace_s=0.5).start()
    child.run(jobs["quick"].model_copy(update={"modality": "sleepy"}), tmp_path)
    deadline = time.monotonic() + PATIENCE_S
    while "asleep" not in child.log_path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    pid, asked = child.pid, time.monotonic()
    child._process.stdin.close()
    assert is_gone(pid, 5)
    assert time.monotonic() - asked < 5
    child.kill()


@posix
def test_a_child_outlives_no_parent_and_the_run_can_be_resumed(environment, slow_job, toy, frames, tmp_path):
    slow_job["fit"]["epochs"] = 800
    np.save(tmp_path / "raw.npy", frames)
    parent_code = textwrap.dedent("""
        import json, sys
        from napari_nstm.run.client import Child
        from napari_nstm.run.job import job_from_mapping
        child = Child(grace_s=2.0).start()
        print(child.pid, child.log_path.parent, flush=True)
        run_id = child.run(job_from_mapping(json.loads(sys.argv[1])), sys.argv[2])
        for event in child.events(run_id):
            print(type(event).__name__, flush=True)
    """)
    command = [sys.executable, "-c", parent_code, json.dumps(slow_job), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}) as parent:
        pid, folder = parent.stdout.readline().split()
        while parent.stdout.readline().strip() != "Checkpointed":
            assert parent.poll() is None
        parent.kill()
    assert is_gone(int(pid), 10)
    assert not Path(folder).exists()
    stored = open_result(tmp_path / "result.zarr")
    assert stored.status == "running"
    resumed = resume(stored.path)
    assert resumed.open().record.step == 800

    whole = json.loads(json.dumps(slow_job))
    whole["output"]["path"] = str(tmp_path / "whole.zarr")
    from napari_nstm.run.reconstruct import reconstruct

    uninterrupted = reconstruct(whole, base_dir=tmp_path)
    loss = [np.mean((result.reconstruction[:, 0] - frames) ** 2) for result in (resumed, uninterrupted)]
    assert abs(10 * np.log10(loss[0] / loss[1])) < 0.3


def test_an_estimate_is_quick_and_runs_nothing(child, jobs, tmp_path):
    asked = child.estimate(jobs["slow"], tmp_path)
    events = list(child.events(asked, PATIENCE_S))
    assert isinstance(events[-1], Prepared)
    assert events[-1].n_steps == 500_000
    assert not (tmp_path / "result.zarr").exists()
    bad = child.estimate(jobs["slow"].model_copy(update={"raw": "none.tif"}), tmp_path)
    failed = list(child.events(bad, PATIENCE_S))[-1]
    assert (type(failed), failed.field) == (Failed, "raw")


def test_the_moment_of_previews_can_be_chosen_while_a_run_goes_on(child, jobs, tmp_path):
    run_id = child.run(jobs["slow"], tmp_path)
    events = child.events(run_id, PATIENCE_S)
    assert next(e for e in events if isinstance(e, Preview)).time_ms == 2.0
    next(e for e in events if isinstance(e, Progress))
    child.show(run_id, 0.25)
    shown = next(e for e in events if isinstance(e, Preview) and e.time_ms != 2.0)
    assert shown.time_ms == 0.25
    child.stop(run_id)
    assert wait_for(child, run_id, Finished).status == "stopped"


def test_shared_frames_serve_any_number_of_jobs(child, job, frames, tmp_path):
    folder = child.log_path.parent
    shared = child.share(RawData(frames, {"dark": np.ones(3)}, (0.5, 0.5), "a layer"))
    written = sorted(folder.glob("shared-*.npy"))
    assert len(written) == 2
    for k in range(2):
        job["output"]["path"] = str(tmp_path / f"{k}.zarr")
        content = job_from_mapping({**job, "raw": "a layer"})
        assert isinstance(list(child.events(child.estimate(content, tmp_path, shared), PATIENCE_S))[-1], Prepared)
        assert wait_for(child, child.run(content, tmp_path, shared), Finished).status == "finished"
        np.testing.assert_array_equal(np.load(tmp_path / f"{k}.zarr" / "raw.npy"), frames)
        assert sorted(folder.glob("shared-*.npy")) == written
    child.release(shared)
    assert not list(folder.glob("shared-*.npy"))
    late = wait_for(child, child.run(content, tmp_path, shared, overwrite=True), Failed)
    assert late.message == "The raw data were released before their run began."


def test_frames_shared_with_another_process_are_refused(child, job, frames, environment):
    other = Child(environment).start()
    shared = other.share(RawData(frames))
    other.kill()
    with pytest.raises(ChildError, match="shared with another process"):
        child.run(job_from_mapping(job), ".", shared)
    with pytest.raises(ChildError, match="was ended"):
        other.share(RawData(frames))


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of another process can be set on Linux only")
def test_a_child_without_memory_says_so(environment, job, tmp_path):
    import resource

    import psutil

    frames = np.tile(moving_blobs(64, 3.0)[0], (1, 24, 24))
    content = job_from_mapping({**job, "raw": "a layer"})
    with Child(environment) as child:
        child.wait_ready(PATIENCE_S)
        used = psutil.Process(child.pid).memory_info().vms
        before = resource.prlimit(child.pid, resource.RLIMIT_AS, (used + 150_000_000, resource.RLIM_INFINITY))
        try:
            sentence = list(child.events(child.run(content, tmp_path, RawData(frames)), PATIENCE_S))[-1].message
        except ChildError as error:  # C++ ends the process where Python would have told
            sentence = str(error)
        assert re.search(r"ran out of memory; a smaller field or fewer frames need less[^.]*\.$", sentence)
        if child.alive:
            assert not (tmp_path / "result.zarr").exists()
            resource.prlimit(child.pid, resource.RLIMIT_AS, before)
            again = child.run(content, tmp_path, RawData(frames[:, :48, :48]))
            assert wait_for(child, again, Finished).status == "finished"


def test_frames_that_are_no_numbers_are_refused_by_name(child, tmp_path):
    frames = np.full((4, 48, 48), 1000.0)
    frames[1, 5, 7] = np.nan
    optics = {"wavelength_um": 0.525, "na_objective": 0.25, "na_illumination": 0.25, "pixel_size_um": 0.454}
    optics["source_angles_deg"] = [90, 270, 0, 180]
    job = job_from_mapping({"modality": "dpc", "raw": "a layer", "acquisition": optics})
    failed = wait_for(child, child.run(job, tmp_path, RawData(frames, name="a layer")), Failed)
    assert failed.field == "raw"
    assert failed.message.startswith("raw: got ")
    assert "\n" not in failed.message


@pytest.mark.parametrize("room_kb", [40, 250])
def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_made(child, job, frames, small_disk, room_kb):
    disk = small_disk(room_kb)
    job["output"]["path"] = str(disk / "result.zarr")
    run_id = child.run(job_from_mapping({**job, "raw": "a layer"}), disk, RawData(frames))
    failed = wait_for(child, run_id, Failed)
    assert re.match(
        r"^(The raw data|The checkpoint|The result) could not be .*: No space left on device\.", failed.message
    )
    if (disk / "result.zarr").exists():  # then its checkpoint is there to go on from
        assert open_result(disk / "result.zarr").status == "running"
        assert open_result(disk / "result.zarr").record.step > 0
    else:
        assert list(disk.iterdir()) == []


def test_it_is_started_once_and_only_then_used():
    child = Child()
    with pytest.raises(ChildError, match="not started"):
        child.send({"command": "quit"})
    child.start()
    with pytest.raises(ChildError, match="started before"):
        child.start()
    child.kill()
    with pytest.raises(ChildError, match="was ended"):
        child.send({"command": "quit"})
