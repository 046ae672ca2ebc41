from __future__ import annotations

from napari_nstm.io.titles import comparison_title


def test_comparisons_are_called_what_people_call_them():
    assert [comparison_title(name) for name in ("conventional", "fista_tv", "wide_field")] == [
        "conventional",
        "FISTA-TV",
        "wide field",
    ]
