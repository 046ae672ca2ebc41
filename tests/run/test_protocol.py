"""Events and commands survive the way between two processes."""

import json

import numpy as np
import pytest

from napari_nstm.core.errors import InputError, StoreError
from napari_nstm.core.events import (
    Checkpointed,
    Failed,
    Finished,
    Notice,
    Paused,
    Prepared,
    Preview,
    Progress,
    Working,
)
from napari_nstm.run.protocol import ArrayFolder, Ready, decode_command, decode_event, encode_event, write_array


def preview(value=1.0):
    scene = np.full((2, 8, 8), value, np.float32)
    motion = np.zeros((2, 3, 3), np.float32)
    return Preview("r", 4, 1, 2.5, scene, motion, (2, 2), (4, 4), (0.5, 0.5), ("phase",), ("rad",))


@pytest.mark.parametrize(
    "event",
    [
        Ready("", {"jax": "1"}),
        Notice("r", "ünïcode\nand a line break"),
        Prepared("r", "frames", "CPU", 10, None, None, 300),
        Prepared("r", "frames", "CPU", 10, 5, 1.5, 300, "frame, y, x", 4, (64, 80), 75.0, (48, 64)),
        Paused("r", 7, 300),
        Working("r", "Compiling for 64 x 64 pixels", compiling=True),
        Working("r", "FISTA-TV", done=40, total=300, remaining_s=12.5),
        Progress("r", 3, 300, 2, 0.5, float("nan"), 1.25, None),
        Checkpointed("r", 7),
        Finished("r", "stopped", "/data/a b.zarr", "Stopped."),
        Failed("r", "output.path", "no"),
    ],
)
def test_events_come_back_as_they_were_sent(event, tmp_path):
    line = encode_event(event, ArrayFolder(tmp_path))
    assert "\n" not in line
    assert line.isascii()
    assert str(decode_event(line, tmp_path)) == str(event)


def test_events_of_an_older_and_of_a_newer_version_are_read(tmp_path):
    older = '{"event": "Working", "run_id": "r", "what": "Writing the result", "compiling": false}'
    assert decode_event(older, tmp_path) == Working("r", "Writing the result")
    newer = older.replace("}", ', "mood": "cheerful"}')
    assert decode_event(newer, tmp_path) == Working("r", "Writing the result")


def test_arrays_travel_as_files_that_the_reader_maps(tmp_path):
    sent = preview()
    got = decode_event(encode_event(sent, ArrayFolder(tmp_path)), tmp_path)
    assert isinstance(got.scene, np.memmap)
    np.testing.assert_array_equal(got.scene, sent.scene)
    np.testing.assert_array_equal(got.motion_um, sent.motion_um)
    assert (got.spacing_px, got.motion_spacing_px) == ((2, 2), (4, 4))
    assert (got.pixel_size_um, got.channels, got.units) == ((0.5, 0.5), ("phase",), ("rad",))


def test_an_old_preview_is_dropped_and_a_mapped_one_stays_valid(tmp_path):
    arrays = ArrayFolder(tmp_path)
    lines = [encode_event(preview(float(i)), arrays) for i in range(3)]
    held = decode_event(lines[0], tmp_path)
    lines += [encode_event(preview(float(i)), arrays) for i in range(3, 20)]
    assert decode_event(lines[0], tmp_path) is None
    assert decode_event(lines[-1], tmp_path).scene[0, 0, 0] == 19
    assert held.scene[0, 0, 0] == 0
    assert len(list(tmp_path.iterdir())) <= 8


def test_the_result_stays_in_the_sender(tmp_path):
    line = encode_event(Finished("r", "finished", "p", "m", result=object()), ArrayFolder(tmp_path))
    assert decode_event(line, tmp_path).result is None


def test_arrays_of_python_objects_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Object arrays"):
        write_array(tmp_path / "a.npy", np.array([{}], object))
    assert list(tmp_path.iterdir()) == []


def test_an_array_name_cannot_lead_out_of_the_folder(tmp_path):
    np.save(tmp_path / "secret.npy", np.zeros(3))
    folder = tmp_path / "run"
    folder.mkdir()
    line = json.loads(encode_event(preview(), ArrayFolder(folder)))
    line["scene"] = {"npy": "../secret.npy"}
    assert decode_event(json.dumps(line), folder) is None


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"event": "Popen"}', '{"step": 3}'])
def test_lines_that_are_no_events(line, tmp_path):
    with pytest.raises(ValueError, match=r"event|Expecting"):
        decode_event(line, tmp_path)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("nonsense", "command"),
        ("[1]", "command"),
        ('{"command": "format disk"}', "command"),
        ('{"command": "run", "job": {}, "base_dir": "."}', "command.run_id"),
        ('{"command": "run", "run_id": "a", "job": 3, "base_dir": "."}', "command.job"),
        ('{"command": "resume", "run_id": "a"}', "command.store"),
        ('{"command": "resume", "run_id": "a", "store": "x", "steps": 2.5}', "command.steps"),
        ('{"command": "resume", "run_id": "a", "store": "x", "steps": true}', "command.steps"),
        ('{"command": "stop"}', "command.run_id"),
        ('{"command": "show", "run_id": "a"}', "command.time_ms"),
        ('{"command": "show", "run_id": "a", "time_ms": true}', "command.time_ms"),
        ('{"command": "estimate", "run_id": "a", "base_dir": "."}', "command.job"),
    ],
)
def test_lines_that_are_no_commands(line, field):
    with pytest.raises(InputError) as caught:
        decode_command(line)
    assert caught.value.field == field


def test_a_command_is_read_with_all_it_says():
    command = {"command": "run", "run_id": "a", "job": {"raw": "x"}, "base_dir": ".", "overwrite": True}
    assert decode_command(json.dumps(command)) == command


def test_a_moment_to_show_may_be_a_whole_number():
    shown = decode_command('{"command": "show", "run_id": "a", "time_ms": 3}')["time_ms"]
    assert (shown, type(shown)) == (3.0, float)


def test_pictures_that_cannot_be_written_are_one_sentence(tmp_path):
    with pytest.raises(StoreError, match=r"^Pictures cannot be written to .*gone: No such file or directory\.$"):
        encode_event(preview(), ArrayFolder(tmp_path / "gone"))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=">u2").reshape(2, 3),
        np.zeros((0, 3)),
        np.array(3.0),
        np.asfortranarray(np.eye(3, 4)),
        [[True]],
    ],
)
def test_arrays_are_written_as_numpy_reads_them(array, tmp_path):
    write_array(tmp_path / "a.npy", np.asarray(array))
    read = np.load(tmp_path / "a.npy", mmap_mode="r" if np.size(array) else None, allow_pickle=False)
    np.testing.assert_array_equal(read, array)
    assert read.dtype == np.asarray(array).dtype
