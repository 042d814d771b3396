"""The JSON that clients send."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from dit.moods import MOOD_NAMES, NEUTRAL
from server.api.output_schemas import OutputBody
from server.engine.config import MAX_LEVEL, MAX_MOOD_STRENGTH, Mode, MotionLevels
from server.sessions.listening import Listen
from server.sessions.live_session import VoiceIn

_STRICT = ConfigDict(extra="forbid")


class MotionBody(BaseModel):
    """Levels of motion: 0 none, 1 natural. An engine without face points shows no mood."""

    model_config = _STRICT

    head: float = Field(default=1.0, ge=0, le=MAX_LEVEL)
    expression: float = Field(default=1.0, ge=0, le=MAX_LEVEL)
    blink: float = Field(default=1.0, ge=0, le=MAX_LEVEL)
    gaze: float = Field(default=1.0, ge=0, le=MAX_LEVEL)
    mood: str = Field(default=NEUTRAL, json_schema_extra={"enum": list(MOOD_NAMES)})
    mood_strength: float = Field(default=1.0, ge=0, le=MAX_MOOD_STRENGTH)

    @field_validator("mood")
    @classmethod
    def _known_mood(cls, mood: str) -> str:
        if mood not in MOOD_NAMES:
            raise ValueError(f"there is no mood {mood!r}; accepted: {', '.join(MOOD_NAMES)}")
        return mood

    def levels(self) -> MotionLevels:
        """The engine's form."""
        return MotionLevels(
            self.head, self.expression, self.blink, self.gaze, self.mood, self.mood_strength
        )


class SessionBody(BaseModel):
    """POST /v1/sessions. The two times may not be above the server's limits."""

    model_config = _STRICT

    avatar_id: str = Field(max_length=100)
    mode: Mode = "live"
    voice_in: VoiceIn = "both"
    listen: Listen = "off"
    motion: MotionBody = Field(default_factory=MotionBody)
    output: OutputBody = Field(default_factory=OutputBody)
    idle_timeout_s: float | None = Field(default=None, gt=0)
    max_duration_s: float | None = Field(default=None, gt=0)
    seed: int | None = Field(default=None, ge=0, lt=2**31)


class OfferBody(BaseModel):
    """POST /v1/sessions/{id}/offer."""

    model_config = _STRICT

    sdp: str
    type: Literal["offer"]
