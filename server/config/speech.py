"""Settings of the voices that speak texts."""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

TextToSpeech = Literal["embedded", "openai", "off"]


class SpeechSettings(BaseModel):
    """``url`` and what follows it are for ``text_to_speech: openai``: any service that answers
    ``POST {url}/v1/audio/speech`` as OpenAI's does."""

    model_config = ConfigDict(extra="forbid")

    max_text_chars: int = Field(default=5_000, ge=1, le=100_000)
    preload: bool = True  # the embedded voice starts with the server, not with the first text
    url: str | None = None
    api_key: SecretStr | None = None
    model: str = "tts-1"
    voice: str = "alloy"
    voices: list[str] = []  # others that clients may choose
    response_format: Literal["pcm", "wav"] = "pcm"
    pcm_rate_hz: int = Field(default=24_000, ge=8_000, le=48_000)  # of the format pcm
    timeout_s: float = Field(default=30.0, gt=0, le=300)  # for one sentence
    stall_timeout_s: float = Field(default=10.0, gt=0, le=300)  # without a byte

    @field_validator("url")
    @classmethod
    def _base_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("not an http or https address, e.g. https://speech.example.org")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must have no name, password, query or fragment; the key is api_key")
        return url.rstrip("/").removesuffix("/v1").rstrip("/")
