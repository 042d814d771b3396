"""The shipped checkpoint as a stream: joints that do not show, a mouth shut in silence."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from dit.evaluation.joints import border_ratios
from dit.evaluation.lips import generated_lips
from dit.generator import Mode, MotionGenerator
from dit.sampler import Predictor
from models.device import DevicePolicy
from models.motion import Motion, concatenate
from models.shapes import FloatArray
from models.sound import read_sound
from models.speech_encoder import EncoderWindow, SpeechEncoder
from models.speech_networks import load_speech_network
from models.timing import SAMPLE_RATE_HZ
from server.engine.config import load_engine_config
from tests.conftest import ROOT

TAPE_SPEEDS = (1.0, 0.9, 1.1, 0.95, 1.05, 0.85)


@cache
def generator() -> MotionGenerator:
    config = load_engine_config("lite")
    policy = DevicePolicy.for_this_machine()
    network = load_speech_network(config.path(config.encoder))
    live = config.live
    window = EncoderWindow(network.left_frames, live.hop_frames, live.lookahead_frames)
    encoder = SpeechEncoder(network, policy, window)
    return MotionGenerator.load(config.path(config.motion), encoder, policy)


@cache
def voice() -> FloatArray:
    """The page's sample at several tape speeds, so that its words meet the hops differently."""
    sample = read_sound(ROOT / "client/web/samples/hello.wav")
    said = [
        np.interp(np.arange(0, len(sample) - 1, speed), np.arange(len(sample)), sample)
        for speed in TAPE_SPEEDS
    ]
    return np.concatenate(said).astype(np.float32)


@cache
def motion(mode: Mode) -> Motion:
    stream = generator().start(mode=mode, seed=3)
    return concatenate([stream.push(voice()), stream.finish()])


def test_joints_of_live_hops_do_not_show() -> None:
    """Within 10 %, and 3 % for chance: a minute of voice has 300 borders. `dit evaluate` takes
    longer streams."""
    ratios = border_ratios(motion("live"), 5)
    assert ratios.borders > 150
    for name in ("mouth_velocity", "mouth_acceleration", "head_velocity", "head_acceleration"):
        assert getattr(ratios, name) == pytest.approx(1.0, abs=0.13), name


def test_joints_of_long_hops_do_not_show() -> None:
    """Few borders in a short voice: what lies around them is compared with what is usual."""
    found = motion("chunk")
    head = np.stack([found.pitch, found.yaw, found.roll], 1)
    for series in (head, generated_lips(found)):
        for order in (1, 2):
            size = np.linalg.norm(np.diff(series, order, axis=0), axis=1)
            places = np.arange(order, len(found))
            near = (places % 65) < 1 + order
            assert size[near].mean() < 1.5 * size[~near].mean()
            assert size[near].max() < 1.2 * size[~near].max()


def test_the_same_seed_gives_the_same_stream_and_silence_keeps_the_lips_shut() -> None:
    speech = voice()[: 4 * SAMPLE_RATE_HZ]
    stream, again = (generator().start(mode="live", seed=3) for _ in range(2))
    first = stream.push(speech)
    parts = concatenate([again.push(speech[:999]), again.push(speech[999:])])
    np.testing.assert_array_equal(parts.exp, first.exp)
    np.testing.assert_array_equal(parts.yaw, first.yaw)
    silent = concatenate([stream.push(np.zeros_like(speech)), stream.finish()])
    gap = generated_lips(silent)[25:, 0]
    assert (gap < 0.03).mean() > 0.95


def test_a_stream_in_a_hurry_plans_with_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    planner = generator().planner
    taken: list[float] = []
    network = planner._predictor

    def counted(*bound: Any) -> Predictor:
        predict = network(*bound)

        def step(x: FloatArray, t: float) -> FloatArray:
            taken.append(t)
            return predict(x, t)

        return step

    monkeypatch.setattr(planner, "_predictor", counted)
    stream = generator().start(mode="live", seed=3)
    silence = np.zeros(SAMPLE_RATE_HZ // 2, np.float32)
    unhurried = stream.push(silence)
    assert len(taken) == len(unhurried) // stream.hop_frames * generator().checkpoint.sampling.steps
    stream.hurried = True
    taken.clear()
    hurried = stream.push(silence)
    assert len(taken) == len(hurried) // stream.hop_frames > 0
