from __future__ import annotations

import dataclasses

import pytest

from napari_nstm.core import events


@pytest.mark.parametrize(
    "kind", [k for k in vars(events).values() if isinstance(k, type) and k.__module__ == events.__name__]
)
def test_every_event_carries_its_run_first_and_cannot_be_changed(kind):
    fields = dataclasses.fields(kind)
    assert fields[0].name == "run_id"
    event = kind(**{f.name: "run-7" for f in fields})
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.run_id = "another"
