from __future__ import annotations

import numpy as np
import pytest
from tests.toy import toy_settings

from napari_nstm.fit.schedule import build_rates, build_schedule


def stages(n_batches=1, **changes):
    return build_schedule(toy_settings(**changes), n_batches).stages


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"epochs": 100, "pyramid": ((0, 1.0),)}, ((0, 0, 100),)),
        ({"epochs": 100, "pyramid": ((2, 0.25), (1, 0.25), (0, 0.5))}, ((2, 0, 25), (1, 25, 50), (0, 50, 100))),
        ({"epochs": 100, "n_batches": 3, "pyramid": ((1, 0.5), (0, 0.5))}, ((1, 0, 150), (0, 150, 300))),
        ({"epochs": 100, "pyramid": ((3, 1 / 3), (1, 1 / 3), (0, 1 / 3))}, ((3, 0, 33), (1, 33, 67), (0, 67, 100))),
        ({"epochs": 100, "pyramid": ((1, 0.0), (0, 1.0))}, ((0, 0, 100),)),
        ({"epochs": 1, "pyramid": ((1, 0.9), (0, 0.1))}, ((0, 0, 1),)),
        ({"epochs": 2, "pyramid": ((2, 0.5), (1, 0.4), (0, 0.1))}, ((2, 0, 1), (0, 1, 2))),
    ],
)
def test_stages_share_the_steps_without_gaps_and_end_at_full_size(changes, expected):
    assert stages(**changes) == expected


def test_a_step_belongs_to_one_stage():
    schedule = build_schedule(toy_settings(epochs=100, pyramid=((1, 0.3), (0, 0.7))), 2)
    assert schedule.n_steps == 200
    assert schedule.stage_at(0) == (1, 60)
    assert schedule.stage_at(59) == (1, 60)
    assert schedule.stage_at(60) == (0, 200)
    assert schedule.stage_at(5000) == (0, 200)


def test_granularity_grows_to_1_over_its_share_of_the_steps():
    rates = build_rates(toy_settings(coarse_to_fine=0.8), 1000)
    for step, alpha in [(0, 0), (200, 0.25), (800, 1), (1000, 1)]:
        assert float(rates.granularity(np.int32(step))) == pytest.approx(alpha)
    at_once = build_rates(toy_settings(coarse_to_fine=0.0), 1000)
    assert float(at_once.granularity(np.int32(0))) == 1


def test_learning_rates_decay_exponentially_to_their_end():
    rates = build_rates(toy_settings(learning_rate_end=0.01), 200)
    for step, factor in [(0, 1), (100, 0.1), (200, 0.01), (300, 0.01)]:
        assert float(rates.decay(np.int32(step))) == pytest.approx(factor, rel=1e-5)


def test_a_static_fit_has_no_time_and_no_motion():
    rates = build_rates(toy_settings(static=True), 10)
    assert (float(rates.motion), float(rates.time_scale)) == (0, 0)
    moving = build_rates(toy_settings(motion_learning_rate=0.25), 10)
    assert (float(moving.motion), float(moving.time_scale)) == (0.25, 1)


def test_a_scene_rests_for_its_share_of_the_steps_unless_nothing_else_is_fitted():
    resting = toy_settings(scene_rests=0.5, scene_learning_rate=0.25)
    rates = build_rates(resting, 100)
    assert [float(rates.scene_now(np.int32(step))) for step in (0, 49, 50, 99)] == [0, 0, 0.25, 0.25]
    given = build_rates(resting, 100, given_motion=True)
    still = build_rates(resting.model_copy(update={"static": True}), 100)
    assert float(given.scene_now(np.int32(0))) == float(still.scene_now(np.int32(0))) == 0.25
