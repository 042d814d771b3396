"""What a client may say on the WebSocket, apart from the socket itself."""

import base64
import binascii
import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from models.errors import VisavisError
from server.api.schemas import MotionBody

MIN_PCM_RATE_HZ, MAX_PCM_RATE_HZ = 8_000, 48_000
_STRICT = ConfigDict(extra="forbid")


class BadEventError(VisavisError):
    """The client's message is not understood; the session lives on."""

    code = "invalid_event"


class SpeechStart(BaseModel):
    """Voice follows, PCM16LE mono at this rate."""

    model_config = _STRICT
    type: Literal["speech.start"]
    sample_rate: int = Field(ge=MIN_PCM_RATE_HZ, le=MAX_PCM_RATE_HZ)
    speech_id: str | None = Field(default=None, min_length=1, max_length=100)


class SpeechAppend(BaseModel):
    """Voice as base64, for clients that cannot send binary frames."""

    model_config = _STRICT
    type: Literal["speech.append"]
    audio: str


class SpeechEnd(BaseModel):
    """No more of this speech will come."""

    model_config = _STRICT
    type: Literal["speech.end"]


class SpeechText(BaseModel):
    """A text to be spoken by one of the server's voices."""

    model_config = _STRICT
    type: Literal["speech.text"]
    text: str
    voice: str | None = None
    speech_id: str | None = Field(default=None, min_length=1, max_length=100)


class SpeechInterrupt(BaseModel):
    """Silence now."""

    model_config = _STRICT
    type: Literal["speech.interrupt"]


class MotionUpdate(MotionBody):
    """Other levels of motion from now on."""

    type: Literal["motion.update"]


class Ping(BaseModel):
    """Answered by pong."""

    model_config = _STRICT
    type: Literal["ping"]


ClientEvent = (
    SpeechStart | SpeechAppend | SpeechEnd | SpeechText | SpeechInterrupt | MotionUpdate | Ping
)
_EVENTS: TypeAdapter[ClientEvent] = TypeAdapter(Annotated[ClientEvent, Field(discriminator="type")])


def parse_event(text: str) -> ClientEvent:
    """Raises BadEventError, which says what is wrong."""
    try:
        return _EVENTS.validate_python(json.loads(text))
    except ValidationError as error:
        details = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}".lstrip(": ")
            for item in error.errors(include_url=False, include_input=False)
        )
        raise BadEventError(details) from error
    except (ValueError, RecursionError) as error:
        raise BadEventError("a text frame must be one JSON object") from error


def decode_base64(audio: str) -> bytes:
    """Raises BadEventError."""
    try:
        return base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadEventError("speech.append: audio is not base64") from error
