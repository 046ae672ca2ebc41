"""Job files as nobody should write them: one line that says what is wrong, or a plan; no traceback, no stray file."""

from __future__ import annotations

import json
import os
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.mutations import BOUNDED, GONE, changed, places
from tests.run.jobs import DPC_JOB as JOB

from napari_nstm.cli import main
from napari_nstm.core.events import Finished
from napari_nstm.core.grids import Channel
from napari_nstm.core.presentation import ChannelPresentation
from napari_nstm.io.store import StoreRecord, StoreWriter
from napari_nstm.run import reconstruct
from napari_nstm.run.job import load_job, store_path

PLANNED = 130  # as of a run that is stopped before its first step


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with raw frames, links and a folder beside it that no job may touch unless it says so."""
    root = tmp_path_factory.mktemp("place")
    (root / "inside").mkdir()
    (root / "elsewhere").mkdir()
    (root / "elsewhere" / "precious.txt").write_text("precious")
    frames = 1000 + 10 * np.random.default_rng(0).normal(size=(4, 40, 40))
    np.save(root / "inside" / "raw.npy", frames.astype(np.float32))
    (root / "inside" / "link").symlink_to(root / "elsewhere")
    (root / "inside" / "loop").symlink_to(root / "inside" / "loop")
    (root / "inside" / "nowhere").symlink_to(root / "elsewhere" / "not there")
    return root


@pytest.fixture
def tried(place, monkeypatch, capsys):
    """Run a job file up to where its fit would begin; returns the exit status and the line."""
    made = []

    def planned(job, raw=None, *, base_dir=None, overwrite=False, should_stop=None):
        yield from reconstruct.iter_estimate(job, raw, base_dir=base_dir, overwrite=overwrite)
        checked, folder = load_job(job, base_dir)
        made.append(StoreWriter.create(store_path(checked, folder), _record(checked), overwrite=overwrite).path)
        yield Finished("run", "stopped", None, "planned")

    monkeypatch.setattr(reconstruct, "iter_reconstruct", planned)

    def run(text):
        job = place / "inside" / "job.yml"
        job.write_text(text, encoding="utf-8", errors="surrogatepass")
        before, made[:] = _tree(place), []
        with _no_longer_than(20):
            status = main(["reconstruct", str(job)])
        err = capsys.readouterr().err
        after = _tree(place)
        assert after.items() >= before.items(), "a file is gone or has changed"
        stores = [path.resolve() for path in made]
        stray = [path for path in after.keys() - before.keys() if not any(s in (path, *path.parents) for s in stores)]
        for path in stores:
            shutil.rmtree(path)
        assert not stray
        if status == PLANNED:
            assert (len(made), err) == (1, "")
        else:
            assert (status, err.count("\n"), made) == (2, 1, [])
            assert err.startswith("napari-nstm: ")
            assert "unexpected" not in err.lower()
            assert "Traceback" not in err
        return status, err

    return run


def _record(job):
    return StoreRecord(
        run_id="run",
        job=job.model_dump(mode="json", exclude_unset=True),
        shape=(32, 33),
        pixel_size_um=(1.0, 1.0),
        channels=(Channel("value", ""),),
        presentation=(ChannelPresentation(),),
        frame_times_ms=(0.0, 1.0),
        times_ms=(0.0,),
    )


def _tree(root):
    found = {}
    for folder, folders, files in os.walk(root.resolve()):
        for name in (*folders, *files):
            path = Path(folder) / name
            found[path] = path.read_bytes() if path.is_file() and not path.is_symlink() else None
    return found


@contextmanager
def _no_longer_than(seconds):
    def late(*_):
        pytest.fail(f"it takes longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


FIELDS = [("output", "path"), ("raw",), ("fit", "motion_from"), ("fit", "start_from")]
PATHS = [
    *("", " ", ".", "..", "../x.zarr", "../../x/y.zarr", "../elsewhere/new.zarr", "../elsewhere", "x.zarr/../y.zarr"),
    *("link", "link/new.zarr", "link/precious.txt", "loop", "loop/x.zarr", "nowhere", "nowhere/x.zarr", "raw.npy"),
    *("raw.npy/x", "/", "/proc/x.zarr", "/dev/null", "/dev/zero", "~", "~nobody-of-that-name/x.zarr", "a\0b.zarr"),
    *("a\nb.zarr", "x" * 300, "é µ.zarr", "-x", "--out", "raw.npy:key", "file:///etc/passwd", "http://127.0.0.1:9/x"),
    *("job.yml", "$HOME/x.zarr", "%s%n", "*.zarr", "x.zarr/"),
]
# No sizes that a machine could nearly do: a test has no time for them.
NUMBERS = [
    0,
    1,
    2,
    3,
    -1,
    10**6,
    10**12,
    2**63,
    10**30,
    10**400,
    0.5,
    -0.0,
    1e-9,
    1e9,
    1e300,
    float("nan"),
    -float("inf"),
]
simple = st.sampled_from([None, True, False, "fast", "gpu:99", "tyx", [], {}, *NUMBERS, *PATHS]) | st.text(max_size=8)


trees = st.recursive(
    simple,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)


def test_the_job_itself_is_planned(tried):
    assert tried(yaml.safe_dump(JOB))[0] == PLANNED


@BOUNDED
@given(where=st.sampled_from(list(places(JOB))[1:]), value=st.just(GONE) | simple | trees)
def test_a_job_with_something_else_in_one_place(tried, where, value):
    tried(yaml.safe_dump(changed(JOB, where, value), allow_unicode=True))


@BOUNDED
@given(field=st.sampled_from(FIELDS), data=st.data())
def test_paths(tried, place, field, data):
    path = data.draw(st.sampled_from([*PATHS, str(place / "elsewhere" / "x.zarr")]) | st.text(min_size=1, max_size=12))
    tried(json.dumps(changed(JOB, field, path)))


@BOUNDED
@given(st.text(max_size=60) | st.text(alphabet="&*!|>-?:{}[],'\"#%@`\n\t a1", max_size=40))
def test_text_that_is_no_job(tried, text):
    status, _ = tried(text)
    assert status == 2


@BOUNDED
@given(st.dictionaries(st.sampled_from([*JOB, "more"]), trees, max_size=9) | trees)
def test_json_that_is_no_job(tried, content):
    assert tried(json.dumps(content))[0] == 2


BOMB = "".join(f" a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 7))  # 1.2 million values
HEAD = "modality: dpc\nraw: raw.npy\nacquisition:\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"nstm: {'9' * 5000}", "holds a value that cannot be read"),
        ("nstm: 2020-99-99", "holds a value that cannot be read"),
        (f"raw: {'[' * 3000}{']' * 3000}", "nested too deeply"),
        (f"{HEAD} a0: &a0 [1]\n{BOMB}", "aliases stand for too many values"),
        (f"{HEAD} a: &a [*a]", "aliases stand for too many values"),
        ("!!python/object/apply:os.mkdir [stray]", "which is not YAML"),
        ("!!binary aGVsbG8=", "which holds a bytes"),
        (("output", "path", "~nobody-of-that-name/x.zarr"), "whose home folder is not known"),
        (
            ("acquisition", "background", {"kind": "image", "path": "~nobody-of-that-name/x"}),
            "acquisition.background.path",
        ),
        (("output", "path", "a\0b"), "output.path: got 'a\\x00b'"),
        (("output", "times", 10**9), "output.times: got "),
        (("output", "times", 10**30), "output.times: got "),
        (("acquisition", "background", "kind", ["constant"]), "acquisition.background: got "),
        (("fit", "advanced", "pyramid", [[10**30, 0.5], [0, 0.5]]), "fit.advanced.pyramid: got "),
    ],
)
def test_what_is_said_of(tried, text, says):
    """These once were tracebacks, or never came to an end."""
    status, line = tried(text if isinstance(text, str) else json.dumps(changed(JOB, text[:-1], text[-1])))
    assert status == 2
    assert says in line
