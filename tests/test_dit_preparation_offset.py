"""Sound that is late, early or another one: found on mouths whose truth is known."""

import numpy as np
import pytest

from dit.preparation.offset import (
    Offset,
    frames_in_step,
    measure_offset,
    sound_in_step,
)
from dit.preparation.settings import OffsetSettings
from dit.preparation.voice_to_mouth import READ, VoiceToMouth, mel_frames, quick
from models.shapes import FloatArray
from models.timing import SAMPLES_PER_FRAME
from tests.conftest import ROOT
from tests.preparation_fixtures import late, mouth_saying, spoken

SETTINGS = OffsetSettings()


@pytest.fixture(scope="module")
def network() -> VoiceToMouth:
    return VoiceToMouth.load(ROOT / "weights/voice_to_mouth")


def seen(index: int) -> FloatArray:
    """The mouth as a tracker would give it: with noise of a tenth of its spread."""
    mouth = quick(mouth_saying(index)[:, READ])
    noise = np.random.default_rng(index).standard_normal(mouth.shape)
    return np.asarray(mouth + 0.1 * mouth.std(0) * noise, np.float32)


def measured(network: VoiceToMouth, wave: FloatArray, mouth: FloatArray) -> Offset:
    frames = min(len(wave) // SAMPLES_PER_FRAME, len(mouth))
    guessed = network.guess(wave[: frames * SAMPLES_PER_FRAME])
    return measure_offset(guessed, mouth[:frames], SETTINGS.most_lag_frames)


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("frames", [-5, 0, 3, 7])
def test_the_lag_of_a_voice_is_found(network: VoiceToMouth, index: int, frames: int) -> None:
    found = measured(network, late(spoken(index)[0], frames), seen(index))
    assert found.confidence >= SETTINGS.least_confidence
    assert abs(found.lag - frames) <= 1


@pytest.mark.parametrize(("voice", "mouth"), [(0, 1), (1, 2), (2, 0)])
def test_another_sound_is_not_trusted(network: VoiceToMouth, voice: int, mouth: int) -> None:
    assert measured(network, spoken(voice)[0], seen(mouth)).confidence < SETTINGS.least_confidence


def test_a_best_lag_at_the_end_of_the_search_is_not_trusted() -> None:
    tracks = np.random.default_rng(0).standard_normal((200, 3)).astype(np.float32)
    inside = measure_offset(np.roll(tracks, 9, 0), tracks, 10)
    assert (inside.lag, inside.r > 0.9, inside.confidence > 3.3) == (9, True, True)
    beyond = measure_offset(np.roll(tracks, 10, 0), tracks, 10)
    assert (beyond.lag, beyond.confidence) == (10, 0.0)
    with pytest.raises(ValueError, match="too few"):
        measure_offset(tracks[:12], tracks[:12], 10)


@pytest.mark.parametrize("lag", [-4, 0, 6])
def test_pictures_and_sound_in_step_belong_together(lag: int) -> None:
    frames = np.arange(50)
    wave = np.repeat(frames - lag, SAMPLES_PER_FRAME).astype(
        np.float32
    )  # what each sample belongs to
    pictures, sound = frames[frames_in_step(50, lag)], sound_in_step(wave, lag)
    assert len(pictures) == 50 - abs(lag)
    np.testing.assert_array_equal(np.repeat(pictures, SAMPLES_PER_FRAME), sound)


def test_a_click_is_heard_in_its_own_frame() -> None:
    wave = 1e-4 * np.random.default_rng(0).standard_normal(40 * SAMPLES_PER_FRAME)
    wave[20 * SAMPLES_PER_FRAME + 300 :][:40] = 0.5
    bands = mel_frames(wave.astype(np.float32))
    assert bands.shape == (40, 80)
    assert int(np.argmax(bands.sum(1))) == 20
