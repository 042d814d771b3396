"""Listening and barge-in in virtual time: real voices, a fake face, 20 ms a tick."""

import numpy as np
import pytest

from server.sessions.events import (
    SpeechEnded,
    SpeechInterrupted,
    SpeechStarted,
    UserSpeechEnded,
    UserSpeechStarted,
)
from server.voice.media_time import PACKET_MS, from_ms
from tests.server_fixtures import tone
from tests.speaking_sessions import SpeakingSession
from tests.voice_fixtures import hello, mixed, noise, synthesised

SILENT_TICKS = 50
SILENCE = np.zeros(from_ms(1_000), np.int16)
AVATAR = (
    "The weather has been wonderful this week, and I think that we should go out and walk along"
    " the river before the sun goes down again."
)


def test_the_user_is_heard_and_the_face_does_not_move() -> None:
    face = SpeakingSession("events")
    user = np.concatenate([SILENCE, synthesised(), SILENCE])
    heard = face.play(len(user) // 960, user)
    (started,) = face.told(UserSpeechStarted)
    (ended,) = face.told(UserSpeechEnded)
    assert isinstance(started, UserSpeechStarted)
    assert isinstance(ended, UserSpeechEnded)
    loud = np.flatnonzero(np.abs(user) > 600) / 48
    assert started.at_ms == pytest.approx(loud[0], abs=150)
    assert ended.at_ms == pytest.approx(loud[-1], abs=250)
    assert ended.duration_ms == ended.at_ms - started.at_ms
    assert not heard.any()
    assert "listening" in face.states
    assert face.states[-1] == "idle"
    assert "speaking" not in face.states


def test_without_listen_nothing_is_told_of_the_user() -> None:
    face = SpeakingSession("off", microphone_drives=True)
    face.play(150, np.concatenate([SILENCE, synthesised()]))
    assert not face.told(UserSpeechStarted)
    assert face.told(SpeechStarted)


def test_talking_over_the_avatar_silences_it() -> None:
    face = SpeakingSession("barge_in")
    face.session.say(synthesised(AVATAR), "long")
    face.session.say(synthesised(), "next")
    face.play(100, SILENCE)
    face.play(160, hello())
    cut = face.told(SpeechInterrupted)
    assert [(c.speech_id, c.reason) for c in cut if isinstance(c, SpeechInterrupted)] == [
        ("long", "barge_in"),
        ("next", "barge_in"),
    ]
    assert face.told(UserSpeechStarted)
    assert isinstance(cut[0], SpeechInterrupted)
    voice_begins_ms = 100 * PACKET_MS + np.flatnonzero(np.abs(hello()) > 1_000)[0] / 48
    assert cut[0].position_ms < voice_begins_ms + 1_600  # it says one word, waits, and goes on
    assert face.states[-1] == "listening"
    assert not face.told(SpeechEnded)
    assert not face.play(50, SILENCE).any()


def test_only_barge_in_interrupts() -> None:
    face = SpeakingSession("events")
    face.session.say(synthesised(AVATAR))
    face.play(100, SILENCE)
    face.play(150, hello())
    assert not face.told(SpeechInterrupted)
    assert face.told(UserSpeechStarted)


def test_a_cough_an_mhm_and_a_clap_do_not_silence_the_avatar() -> None:
    face = SpeakingSession("barge_in")
    face.session.say(synthesised(AVATAR))
    face.play(75, SILENCE)
    mhm = synthesised("Hm.")
    cough = (noise(0.25, -12) * np.hanning(from_ms(250))).astype(np.int16)
    for sound in (mhm, cough, tone(0.3)):
        face.play(40, np.concatenate([sound, SILENCE]))
    face.play(60, SILENCE)
    assert not face.told(SpeechInterrupted)


def test_noise_and_music_do_not_silence_the_avatar() -> None:
    face = SpeakingSession("barge_in")
    face.session.say(synthesised(AVATAR))
    face.play(250, mixed(noise(6, -25), tone(6, 0.2)))
    assert not face.told(SpeechInterrupted)
    assert not face.told(UserSpeechStarted)


@pytest.mark.parametrize("delay_ticks", [3, 12, 30])
@pytest.mark.parametrize("gain", [0.1, 0.5, 1.0])
def test_the_avatars_own_echo_does_not_silence_it(delay_ticks: int, gain: float) -> None:
    face = SpeakingSession("barge_in")
    face.session.say(synthesised(AVATAR))
    face.play_echoed(450, noise(9, -60), gain, delay_ticks)
    assert not face.told(SpeechInterrupted)
    assert not face.told(UserSpeechStarted)
    assert face.told(SpeechEnded)


def test_the_user_is_heard_over_the_avatars_echo() -> None:
    face = SpeakingSession("barge_in")
    face.session.say(synthesised(AVATAR))
    user = np.concatenate([np.tile(SILENCE, 2), hello()])
    face.play_echoed(250, user, 0.15, 10)
    (cut,) = face.told(SpeechInterrupted)
    assert isinstance(cut, SpeechInterrupted)
    assert cut.reason == "barge_in"
    assert 2_700 < cut.position_ms < 4_500


def test_an_answer_to_the_last_words_of_the_user_is_not_cut() -> None:
    face = SpeakingSession("barge_in")
    question = np.concatenate([SILENCE, synthesised()])
    spoken = int(np.flatnonzero(np.abs(question) > 600)[-1])
    face.play(spoken // 960, question)
    face.session.say(synthesised(AVATAR))  # within the hangover of the question
    face.play(300, SILENCE)
    assert not face.told(SpeechInterrupted)
    assert len(face.told(UserSpeechEnded)) == 1


def test_a_microphone_that_goes_away_ends_the_users_speech() -> None:
    face = SpeakingSession("events")
    face.play(130, np.concatenate([SILENCE, synthesised()]))
    assert face.session.listening.user_speaking
    face.play(60)
    assert face.told(UserSpeechEnded)
    assert face.states[-1] == "idle"


@pytest.mark.parametrize("microphone_drives", [False, True])
def test_an_interrupt_by_the_client_is_not_the_end_of_the_users_speech(
    microphone_drives: bool,
) -> None:
    face = SpeakingSession("events", microphone_drives=microphone_drives)
    user = np.concatenate([SILENCE, synthesised(), SILENCE])
    face.play(100, user)
    face.session.interrupt()
    face.play(1)  # the user's next packet is late
    face.play(len(user) // 960 - 101, user[101 * 960 :])
    assert len(face.told(UserSpeechStarted)) == 1
    assert len(face.told(UserSpeechEnded)) == 1


def test_after_a_barge_in_the_users_voice_drives_a_face_that_takes_it() -> None:
    face = SpeakingSession("barge_in", microphone_drives=True)
    face.session.say(synthesised(AVATAR), "long")
    face.play(75, SILENCE)
    heard = face.play(200, hello())
    (cut,) = face.told(SpeechInterrupted)
    assert isinstance(cut, SpeechInterrupted)
    started = [s for s in face.told(SpeechStarted) if isinstance(s, SpeechStarted)]
    assert started[0].speech_id == "long"
    assert len(started) > 1
    assert heard[-48_000:].any()
