"""How far ahead of what is heard a session must write its voice."""

import math
from dataclasses import dataclass

from models.timing import FPS, FRAME_MS
from server.engine.messages import ModeTiming
from server.voice.media_time import PACKET_MS, PACKET_SAMPLES, to_ms
from server.voice.session_voice import JITTER_SAMPLES

# what a hop may take over the warm-up's fastest: it waits for another session's, and a virtual
# machine is a third slower at one time than at another
_COMPUTE_MARGIN = 2.6
_MAX_COMPUTE_MS = 200.0  # a machine that is slower than this cannot keep up anyway


@dataclass(frozen=True, slots=True)
class SessionTiming:
    """How far ahead of the playout point voice is written; fixed for a session."""

    ahead_packets: int  # the picture's delay, in packets of 20 ms
    lead_in_frames: int  # a new motion can show this soon after the playout point

    @classmethod
    def for_engine(cls, timing: ModeTiming, larger_ms: float = 0.0) -> "SessionTiming":
        """As small as the engine's need for voice, jitter and the machine's speed allow.

        ``larger_ms``: what a picture of this session takes longer than a usual one.
        """
        compute_ms = min((timing.hop_ms + larger_ms) * _COMPUTE_MARGIN, _MAX_COMPUTE_MS)
        margin_ms = to_ms(JITTER_SAMPLES) + PACKET_MS + compute_ms
        return cls(
            ahead_packets=math.ceil(((timing.delay_frames + 1) * FRAME_MS + margin_ms) / PACKET_MS),
            lead_in_frames=1 + math.ceil(compute_ms / FRAME_MS),
        )

    @property
    def ahead_samples(self) -> int:
        """The picture's delay at 48 kHz."""
        return self.ahead_packets * PACKET_SAMPLES


assert FPS * FRAME_MS == 1000  # the picture delay in milliseconds is exact
