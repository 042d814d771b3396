"""How peers are reached, and how many: STUN and TURN servers, viewers."""

import re

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, SecretStr, field_validator

_ICE_URL = re.compile(r"(stuns?|turns?):[^?:\s]+(:\d{1,5})?(\?transport=(udp|tcp))?")
_STRICT = ConfigDict(extra="forbid")


def _checked_urls(urls: list[str], schemes: tuple[str, ...]) -> list[str]:
    for url in urls:
        if not _ICE_URL.fullmatch(url) or not url.startswith(schemes):
            accepted = " or ".join(f"{scheme}HOST[:PORT]" for scheme in schemes)
            raise ValueError(f"{url!r} is no address of an ICE server; accepted: {accepted}")
    return urls


class IceServer(BaseModel):
    """A STUN or TURN server, in the browser's own terms."""

    model_config = _STRICT

    urls: list[str] = Field(min_length=1)
    username: str | None = None
    credential: str | None = None

    @field_validator("urls")
    @classmethod
    def _known_schemes(cls, urls: list[str]) -> list[str]:
        return _checked_urls(urls, ("stun:", "stuns:", "turn:", "turns:"))


class TurnSettings(BaseModel):
    """A TURN server that knows the same secret (coturn: ``use-auth-secret``)."""

    model_config = _STRICT

    urls: list[str] = Field(min_length=1)
    shared_secret: SecretStr = Field(min_length=8)
    lifetime_s: int = Field(default=7200, ge=60, le=7 * 86400)

    @field_validator("urls")
    @classmethod
    def _known_schemes(cls, urls: list[str]) -> list[str]:
        return _checked_urls(urls, ("turn:", "turns:"))


class WebRtcSettings(BaseModel):
    """All connections of the server."""

    model_config = _STRICT

    ice_servers: list[IceServer] = []
    turn: TurnSettings | None = None
    max_viewers: int = Field(default=8, ge=0, le=256)
    redirect_to: AnyHttpUrl | None = None
