"""The command `export`: a file beside the store, or where it is asked for."""

import json
import signal

import numpy as np
import pandas as pd
import pytest
import yaml

from napari_nstm.cli import main
from napari_nstm.io import export
from napari_nstm.io.store import open_result


@pytest.fixture
def store(finished, tmp_path):
    """A finished result in a folder of its own."""
    import shutil

    return shutil.copytree(finished, tmp_path / "cells.zarr")


def read_job(path):
    return yaml.safe_load(path.read_text())["modality"] == "toy"


def read_provenance(path):
    return json.loads(path.read_text())["status"] == "finished"


def read_csv(path):
    return len(pd.read_csv(path)) == 4 * 24 * 24  # 48 pixels in steps of 2


def read_npz(path):
    return np.load(path)["u_um"].shape == (4, 2, 24, 24)


@pytest.mark.parametrize(
    ("to", "name", "is_right"),
    [
        ("vectors-csv", "cells-motion.csv", read_csv),
        ("vectors-npz", "cells-motion.npz", read_npz),
        ("job", "cells-job.yml", read_job),
        ("provenance", "cells-provenance.json", read_provenance),
    ],
)
def test_every_format_has_a_name_of_its_own(store, capsys, to, name, is_right):
    assert main(["export", str(store), "--to", to]) == 0
    assert capsys.readouterr().out.replace("\n", "").endswith(name)
    assert is_right(store.with_name(name))
    assert main(["export", str(store), "--to", to]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["export", str(store), "--to", to, "--overwrite"]) == 0


def test_how_far_apart_vectors_are(store, tmp_path, capsys):
    out = tmp_path / "far.npz"
    assert main(["export", str(store), "--to", "vectors-npz", "--every-px", "12", "--out", str(out)]) == 0
    with np.load(out) as arrays:
        np.testing.assert_allclose(np.diff(arrays["x_um"]), 12 * open_result(store).pixel_size_um[1])
    for wrong in ("0", "49"):
        assert main(["export", str(store), "--to", "vectors-npz", "--every-px", wrong, "--out", "x.npz"]) == 2
        assert capsys.readouterr().err.startswith(
            f"napari-nstm: --every-px: got {wrong} pixels; takes a distance from 1"
        )
    assert main(["export", str(store), "--to", "job", "--every-px", "4"]) == 2
    assert capsys.readouterr().err.startswith("napari-nstm: --every-px: got 4 with job")


def test_control_c_leaves_no_file(store, monkeypatch, tmp_path, capsys):
    real = export.export_vectors_csv

    def interrupted(*arguments, **options):
        signal.raise_signal(signal.SIGINT)
        return real(*arguments, **options)

    monkeypatch.setattr(export, "export_vectors_csv", interrupted)
    assert main(["export", str(store), "--to", "vectors-csv", "--out", str(tmp_path / "a.csv")]) == 130
    assert "no file is written" in capsys.readouterr().out
    assert not list(tmp_path.glob("a.csv*"))
