"""Hand-made cases, in units where a channel's spread is 1."""

import numpy as np
import pytest
import torch
from torch import Tensor

from dit.layout import MOTION_CHANNELS, MotionLayout
from dit.training.config import LossConfig
from dit.training.losses import LIP_SPREAD_UNITS, TERM_NAMES, MotionLoss, lip_readout, must_meet
from tests.training_fixtures import LAYOUT, LOWER_LIP_Y, RIGHT_CORNER_X

YAW = 1
PLAIN = LossConfig(mouth=1.0, velocity=1.0, opening=1.0, width=1.0, closure=1.0)


def motion(frames: int = 20) -> Tensor:
    return torch.zeros(2, frames, MOTION_CHANNELS)


def test_no_error_costs_nothing() -> None:
    terms = MotionLoss(PLAIN, LAYOUT)(motion(), motion())
    assert terms.detached().tolist() == [0.0] * len(TERM_NAMES)


def test_a_steady_error_of_the_head_is_motion_alone() -> None:
    wrong = motion()
    wrong[..., YAW] = 2.0
    terms = MotionLoss(PLAIN, LAYOUT)(wrong, motion())
    assert terms.motion.item() == pytest.approx(4.0 / MOTION_CHANNELS)
    assert terms.velocity == terms.opening == terms.width == terms.closure == 0


def test_mouth_channels_weigh_more() -> None:
    wrong = motion()
    wrong[..., RIGHT_CORNER_X] = 1.0
    as_others = MotionLoss(LossConfig(mouth=1.0), LAYOUT)(wrong, motion()).motion
    as_mouth = MotionLoss(LossConfig(mouth=3.0), LAYOUT)(wrong, motion()).motion
    mouth_share = 13 * 3 / MOTION_CHANNELS  # of the channels
    mean_weight = 1 + 2 * mouth_share
    assert as_mouth.item() == pytest.approx(3.0 / mean_weight * as_others.item())


def test_a_jump_costs_velocity() -> None:
    wrong = motion(11)
    wrong[:, 5:, YAW] = 1.0
    terms = MotionLoss(LossConfig(mouth=1.0, velocity=0.5), LAYOUT)(wrong, motion(11))
    assert terms.velocity.item() == pytest.approx(0.5 / 10 / MOTION_CHANNELS)


def test_opening_and_width_are_read_from_the_lips() -> None:
    wrong = motion()
    wrong[..., LOWER_LIP_Y] = LIP_SPREAD_UNITS
    terms = MotionLoss(PLAIN, LAYOUT)(wrong, motion())
    assert terms.opening.item() == pytest.approx(1.0)
    assert terms.width == 0
    wrong = motion()
    wrong[..., RIGHT_CORNER_X] = 2 * LIP_SPREAD_UNITS
    terms = MotionLoss(PLAIN, LAYOUT)(wrong, motion())
    assert terms.width.item() == pytest.approx(4.0)
    assert terms.opening == 0


def test_lips_are_read_in_canonical_units() -> None:
    mean = np.zeros(MOTION_CHANNELS, np.float32)
    mean[LOWER_LIP_Y] = 3.0
    layout = MotionLayout("lite", mean, np.full(MOTION_CHANNELS, 2.0, np.float32))
    readout, offset = lip_readout(layout)
    vector = np.zeros(MOTION_CHANNELS, np.float32)
    vector[LOWER_LIP_Y] = 0.5
    assert (vector @ readout + offset).tolist() == [4.0, 0.0]  # 0.5 x 2 + 3
    other, _ = lip_readout(MotionLayout("liveportrait", mean, layout.spread))
    assert not other.any()  # its keypoints are no lips


def test_lips_must_meet_between_open_ones_and_not_in_silence() -> None:
    opening = torch.full((1, 40), 10.0)
    opening[:, 10] = 0.0  # a /b/
    opening[:, 20:] = 0.0  # silence
    meet = must_meet(opening)[0]
    assert meet[10] == 1
    assert meet[:10].sum() == 0
    assert meet[20:24].sum() == 4  # the end of the word
    assert meet[24:].sum() == 0


def test_open_lips_cost_where_they_must_meet_and_pressed_ones_do_not() -> None:
    target = motion()
    target[..., LOWER_LIP_Y] = 10.0
    target[:, 10, LOWER_LIP_Y] = 0.0
    loss = MotionLoss(PLAIN, LAYOUT)
    apart, pressed, elsewhere = target.clone(), target.clone(), target.clone()
    apart[:, 10, LOWER_LIP_Y] = LIP_SPREAD_UNITS
    pressed[:, 10, LOWER_LIP_Y] = -LIP_SPREAD_UNITS
    elsewhere[:, 3, LOWER_LIP_Y] += LIP_SPREAD_UNITS
    assert loss(apart, target).closure.item() == pytest.approx(1 / 20)
    assert loss(pressed, target).closure == 0
    assert loss(elsewhere, target).closure == 0


def test_the_total_is_the_sum_of_the_terms() -> None:
    torch.manual_seed(0)
    terms = MotionLoss(LossConfig(), LAYOUT)(torch.randn_like(motion()), 5 * torch.randn(2, 20, 70))
    total, *parts = terms.detached().tolist()
    assert total == pytest.approx(sum(parts), rel=1e-5)
    assert min(parts) > 0
