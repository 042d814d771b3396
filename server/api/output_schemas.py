"""How clients say what the picture is to look like, in JSON."""

import base64
import binascii
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from liveportrait.output import (
    GREEN,
    USUAL_BLUR,
    USUAL_SIZE_PX,
    Background,
    BlurBackground,
    ColourBackground,
    FramingName,
    OutputChoices,
    OutputError,
    OutputOptions,
    PictureBackground,
    SizePx,
)
from server.config.webrtc import IceServer

MAX_BACKGROUND_BYTES = 4 * 1024 * 1024
MAX_BACKGROUND_CHARS = (MAX_BACKGROUND_BYTES + 2) // 3 * 4
_STRICT = ConfigDict(extra="forbid")


class OwnBackground(BaseModel):
    """The photograph's own."""

    model_config = _STRICT
    type: Literal["none"] = "none"

    def options(self) -> None:
        """The renderer's form."""


class ColourBody(BaseModel):
    """One colour behind the person, to be keyed out or to stay."""

    model_config = _STRICT
    type: Literal["colour"]
    colour: str = GREEN

    def options(self) -> Background:
        """Raises OutputError."""
        return ColourBackground(self.colour)


class PictureBody(BaseModel):
    """A picture behind the person: base64 of a JPEG, PNG or WebP file."""

    model_config = _STRICT
    type: Literal["picture"]
    image: str = Field(max_length=MAX_BACKGROUND_CHARS)

    def options(self) -> Background:
        """Raises OutputError."""
        try:
            return PictureBackground(base64.b64decode(self.image, validate=True))
        except (binascii.Error, ValueError) as error:
            raise OutputError("background.image is not base64 of a picture file") from error


class BlurBody(BaseModel):
    """The photograph's own background, out of focus."""

    model_config = _STRICT
    type: Literal["blur"]
    strength: float = Field(default=USUAL_BLUR, ge=0, le=1)

    def options(self) -> Background:
        """The renderer's form."""
        return BlurBackground(self.strength)


BackgroundBody = Annotated[
    OwnBackground | ColourBody | PictureBody | BlurBody, Field(discriminator="type")
]


class OutputBody(BaseModel):
    """Size, framing and background; fixed for a session."""

    model_config = _STRICT
    size: SizePx = USUAL_SIZE_PX
    framing: FramingName = "face"
    background: BackgroundBody = Field(default_factory=OwnBackground)

    def options(self) -> OutputOptions:
        """The renderer's form. Raises OutputError."""
        return OutputOptions(self.size, self.framing, self.background.options())


def output_as_json(output: OutputOptions) -> dict[str, object]:
    """As a client would send it, but for a background's picture, which stays here."""
    background: dict[str, object] = {"type": output.background_name}
    match output.background:
        case ColourBackground(colour):
            background["colour"] = colour
        case BlurBackground(strength):
            background["strength"] = strength
    return {"size": output.size, "framing": output.framing, "background": background}


def choices_as_json(choices: OutputChoices) -> dict[str, object]:
    """What GET /v1/server tells clients to choose from."""
    return {
        "sizes": list(choices.sizes),
        "framings": list(choices.framings),
        "backgrounds": list(choices.backgrounds),
        "max_background_bytes": MAX_BACKGROUND_BYTES,
    }


def ice_servers_as_json(servers: list[IceServer]) -> list[dict[str, object]]:
    """For the client's RTCPeerConnection."""
    return [server.model_dump(exclude_none=True) for server in servers]
