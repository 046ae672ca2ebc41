from __future__ import annotations

from typing import Annotated, get_args

import pytest
import yaml
from pydantic import BaseModel, Field

from napari_nstm.core.hints import Hint, hint_of
from napari_nstm.core.settings import FitRequest, OutputSettings, TimedAcquisition
from napari_nstm.imaging.dpc.settings import DpcSettings


class Model(BaseModel):
    bare: float = 1.0
    hinted: Annotated[float, Hint(group="advanced", unit="V")] = Field(default=2.0, gt=0)


def test_a_hint_is_found_where_it_is_and_empty_where_it_is_not():
    assert hint_of(Model.model_fields["bare"]) == Hint()
    assert hint_of(Model.model_fields["hinted"]) == Hint(group="advanced", unit="V")


def test_a_hint_changes_neither_values_nor_schema():
    class Unhinted(BaseModel):
        bare: float = 1.0
        hinted: float = Field(default=2.0, gt=0)

    schemas = [model.model_json_schema() for model in (Model, Unhinted)]
    assert schemas[0]["properties"] == schemas[1]["properties"]
    assert yaml.safe_dump(Model(hinted=3).model_dump()) == "bare: 1.0\nhinted: 3.0\n"


@pytest.mark.parametrize("model", [TimedAcquisition, DpcSettings, FitRequest, OutputSettings])
def test_every_setting_that_is_asked_for_has_a_title_and_hints_that_fit(model):
    for name, info in model.model_fields.items():
        hint = hint_of(info)
        assert info.title, name
        if hint.when is not None:
            other, value = hint.when
            # The condition can come true: it is one of the other setting's values.
            assert value in get_args(model.model_fields[other].annotation)
        assert not hint.choices or len(hint.labels) == len(hint.choices)


def test_what_a_beginner_fills_in_of_dpc_is_not_advanced():
    basic = {name for name, info in DpcSettings.model_fields.items() if hint_of(info).group == ""}
    assert basic == {
        "pixel_size_um",
        "wavelength_um",
        "na_objective",
        "na_illumination",
        "source_angles_deg",
        "timestamps_ms",
        "background",
    }
