"""The script of the documentation, "Drive the panel", runs as it stands there, on a smaller sample."""

import re
from pathlib import Path

import napari
import pytest
from PIL import Image

from napari_nstm._qt import samples

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.mark.timeout(120)
def test_script_of_the_documentation_runs(make_napari_viewer, tmp_path, monkeypatch, capsys):
    (script,) = re.findall(r"^```py\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert '"epochs": 100' in script
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAPARI_NSTM_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("NAPARI_NSTM_CONFIG", str(tmp_path / "settings"))
    monkeypatch.setattr(samples, "_DPC_SIZE_PX", 192)  # the least that holds the script's region
    viewer = make_napari_viewer(show=True)
    monkeypatch.setattr(napari, "Viewer", lambda: viewer)
    names = {}
    exec(compile(script.replace('"epochs": 100', '"epochs": 10'), PAGE.name, "exec"), names)
    assert [stored.shape for stored in names["results"]] == [(128, 128), (192, 192)]
    assert all(stored.status == "finished" for stored in names["results"])
    assert capsys.readouterr().out.splitlines()[-1].startswith("The frames are explained")
    assert (tmp_path / "drawn.mp4").read_bytes()[4:8] == b"ftyp"
    with Image.open(tmp_path / "canvas.gif") as film:
        assert film.n_frames == 13
