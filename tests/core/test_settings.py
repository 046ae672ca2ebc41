from __future__ import annotations

import pytest
from pydantic import ValidationError

from napari_nstm.core.errors import input_error_from
from napari_nstm.core.settings import (
    EncodingSettings,
    FitRequest,
    FitSettings,
    Job,
    NetworkSettings,
    TimedAcquisition,
    resolve_fit,
)

CELLS = {"base_cells": (1.0, 1.0), "fine_cells": (8.0, 8.0)}


def fit_settings(**changes):
    values = {
        "epochs": 100,
        "scene_learning_rate": 1e-2,
        "motion_learning_rate": 1e-1,
        "scene_encoding": EncodingSettings(n_levels=4, n_features=1, **CELLS),
        "scene_network": NetworkSettings(kind="sum"),
        "motion_encoding": EncodingSettings(
            n_levels=2, n_features=2, base_cells=(1.0, 1.0, 1.0), fine_cells=(2.0, 4.0, 4.0)
        ),
        "motion_network": NetworkSettings(kind="sum"),
    }
    return FitSettings.model_validate({**values, **changes})


def field_at_fault(make):
    with pytest.raises(ValidationError) as caught:
        make()
    return input_error_from(caught.value)


@pytest.mark.parametrize(
    ("pyramid", "takes"),
    [
        (((1, 0.5), (0, 0.4)), "shares that add up to 1"),
        ((), "shares that add up to 1"),
        (((0, 0.5), (1, 0.5)), "level 0 (full size) as its last"),
        (((1, 1.5), (0, -0.5)), "levels from 0 to 16, each with a share from 0 to 1"),
        (((-1, 0.5), (0, 0.5)), "levels from 0 to 16, each with a share from 0 to 1"),
    ],
)
def test_a_pyramid_that_makes_no_sense_is_named(pyramid, takes):
    error = field_at_fault(lambda: fit_settings(pyramid=pyramid))
    assert error.field == "pyramid"
    assert error.takes == takes


def test_a_pyramid_is_taken_as_it_is():
    pyramid = ((2, 1 / 3), (1, 1 / 3), (0, 1 / 3))
    assert fit_settings(pyramid=pyramid).pyramid == pyramid


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"fine_cells": (8.0,)}, "scene_encoding.fine_cells"),
        ({"base_cells": (0.0, 1.0)}, "scene_encoding.base_cells.0"),
        ({"fine_cells": (8.0, -8.0)}, "scene_encoding.fine_cells.1"),
    ],
)
def test_cells_must_be_positive_and_of_the_same_axes(changes, field):
    encoding = {"n_levels": 4, "n_features": 1, **CELLS, **changes}
    assert field_at_fault(lambda: fit_settings(scene_encoding=encoding)).field == field


def test_a_request_without_wishes_keeps_the_preset():
    assert resolve_fit(fit_settings(), FitRequest()) == fit_settings()


def test_a_request_overrides_the_preset():
    request = FitRequest(
        seed=5, epochs=7, static=True, coarse_to_fine=False, advanced={"scene_learning_rate": 0.5, "epochs": 3}
    )
    fit = resolve_fit(fit_settings(), request)
    assert (fit.seed, fit.epochs, fit.static, fit.coarse_to_fine, fit.scene_learning_rate) == (5, 7, True, 0.0, 0.5)
    untouched = {"motion_learning_rate", "scene_encoding", "pyramid", "rendering"}
    assert all(getattr(fit, name) == getattr(fit_settings(), name) for name in untouched)


def test_advanced_reaches_every_setting():
    fit = resolve_fit(
        fit_settings(), FitRequest(advanced={"rendering": "exact", "scene_network": {"kind": "mlp", "width": 16}})
    )
    assert fit.rendering == "exact"
    assert fit.scene_network.width == 16


@pytest.mark.parametrize(
    ("advanced", "field"),
    [
        ({"learning_rate": 1}, "learning_rate"),
        ({"rendering": "fast"}, "rendering"),
        ({"scene_network": {"kind": "cnn"}}, "scene_network.kind"),
        ({"epochs": 0}, "epochs"),
    ],
)
def test_a_wrong_advanced_setting_is_named(advanced, field):
    assert field_at_fault(lambda: resolve_fit(fit_settings(), FitRequest(advanced=advanced))).field == field


def test_timestamps_must_ascend():
    error = field_at_fault(lambda: TimedAcquisition(pixel_size_um=0.5, timestamps_ms=(0, 25, 20)))
    assert error.field == "timestamps_ms"
    assert error.got == "20 ms after 25 ms"
    assert TimedAcquisition(pixel_size_um=0.5, timestamps_ms=(0, 25, 50)).timestamps_ms == (0.0, 25.0, 50.0)


def test_settings_cannot_be_changed_and_survive_json():
    fit = fit_settings(pyramid=((1, 0.25), (0, 0.75)))
    with pytest.raises(ValidationError):
        fit.epochs = 3
    assert FitSettings.model_validate_json(fit.model_dump_json()) == fit
    assert hash(FitSettings.model_validate_json(fit.model_dump_json())) == hash(fit)


@pytest.mark.parametrize("device", ["auto", "cpu", "gpu", "gpu:1"])
def test_devices_that_can_be_asked_for(device):
    assert FitRequest(device=device).device == device


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"fit": {"device": "tpu"}}, "fit.device"),
        ({"nstm": 2}, "nstm"),
        ({"axes": "tyq"}, "axes"),
        ({"raw": None}, "raw"),
        ({"output": {"checkpoint_every_s": 0}}, "output.checkpoint_every_s"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_job_is_named(changes, field):
    job = {"modality": "toy", "raw": "raw.tif", "acquisition": {}}
    assert Job.model_validate(job).fit.preset == "fast"
    assert field_at_fault(lambda: Job.model_validate({**job, **changes})).field == field
