"""Sessions in virtual time whose user talks and whose avatar speaks: a tick is 20 ms."""

import numpy as np

from models.shapes import PcmArray
from server.engine.config import Engine, MotionLevels
from server.engine.messages import ModeTiming
from server.sessions.events import Event
from server.sessions.listening import Listen
from server.sessions.session import Session
from server.sessions.timing import SessionTiming
from server.voice.media_time import PACKET_SAMPLES
from tests.fake_engine import FakeGenerator, FakeRenderer
from tests.inline_engine import InlineEngine

LIVE = ModeTiming(delay_frames=9, hop_frames=5, hop_ms=10.0)


class SpeakingSession:
    """A session with its engine, driven by hand; ``events`` are all that it told so far."""

    def __init__(self, listen: Listen = "off", *, microphone_drives: bool = False) -> None:
        engine = Engine("fake", FakeGenerator(), FakeRenderer(), lambda levels: levels)
        self.link = InlineEngine(engine, "live")
        self.session = Session(
            engine=self.link,
            timing=SessionTiming.for_engine(LIVE),
            mode="live",
            levels=MotionLevels(),
            max_speech_s=300.0,
            listen=listen,
        )
        self.link.session = self.session
        self.session.voice.microphone_drives = microphone_drives
        self.listener = self.session.events.listen()
        self.events: list[Event] = []
        self.states: list[str] = []
        self.session.prime()

    def play(self, ticks: int, microphone: PcmArray | None = None) -> PcmArray:
        """So many ticks, with the user's voice [960 ticks] or silence; returns what was heard."""
        heard: list[PcmArray] = []
        for tick in range(ticks):
            if microphone is not None:
                place = tick * PACKET_SAMPLES
                self.session.push_microphone(packet_at(microphone, place))
            self.link.work()
            heard.append(self.session.tick().sound)
            self.states.append(self.session.state)
            self.events += self.listener.waiting()
        return np.concatenate(heard) if heard else np.zeros(0, np.int16)

    def play_echoed(self, ticks: int, user: PcmArray, gain: float, delay_ticks: int) -> None:
        """As ``play``; the microphone hears the avatar, too."""
        sounds = [np.zeros(PACKET_SAMPLES, np.int16)] * delay_ticks
        for tick in range(ticks):
            echo = sounds[tick].astype(np.float32) * gain
            own = packet_at(user, tick * PACKET_SAMPLES)
            sounds.append(self.play(1, np.clip(echo + own, -32768, 32767).astype(np.int16)))

    def told(self, kind: type[Event]) -> list[Event]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]


def packet_at(voice: PcmArray, place: int) -> PcmArray:
    """[960] samples from ``place`` on; silence beyond the end."""
    packet = np.zeros(PACKET_SAMPLES, np.int16)
    part = voice[place : place + PACKET_SAMPLES]
    packet[: len(part)] = part
    return packet
