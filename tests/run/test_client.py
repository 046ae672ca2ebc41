"""The child process: what it says, how it ends, and that nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import ChildError
from napari_nstm.core.events import Checkpointed, Failed, Finished, Prepared, Preview, Progress
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
def test_a_killed_child_is_told_with_the_last_line_of_its_log(environment, jobs, tmp_path):
    with Child(environment) as child:
        run_id = child.run(jobs["slow"], tmp_path)
        wait_for(child, run_id, Checkpointed)
        with child.log_path.open("a") as log:
            log.write("the last words\n\n")
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(ChildError, match=r"killed \(signal 9\): the last words"):
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
