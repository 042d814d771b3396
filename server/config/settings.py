"""Everything the server can be told, typed once: YAML file, then environment, then command line."""

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from models.errors import ConfigError
from server.config.encoding import EncodingSettings
from server.config.presenting import PresentingSettings
from server.config.security import Security
from server.config.speech import SpeechSettings, TextToSpeech
from server.config.storage import StorageSettings
from server.config.videos import VideoSettings
from server.config.webrtc import WebRtcSettings

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_CONFIG = ROOT / "configs" / "server" / "default.yaml"
VERSION = "0.1.0"


class Limits(BaseModel):
    """What one client, and all of them together, may ask for."""

    model_config = ConfigDict(extra="forbid")

    max_sessions: Literal["auto"] | Annotated[int, Field(ge=1, le=256)] = "auto"
    max_uploaded_avatars: int = Field(default=64, ge=0)
    max_audio_bytes: int = Field(default=50 * 1024 * 1024, ge=1024)
    max_studio_upload_bytes: int = Field(default=200 * 1024 * 1024, ge=1024)
    max_speech_s: float = Field(default=300.0, gt=0)
    idle_timeout_s: float = Field(default=600.0, gt=0)
    max_duration_s: float = Field(default=3600.0, gt=0)
    connect_timeout_s: float = Field(default=60.0, gt=0)
    lost_client_grace_s: float = Field(default=5.0, ge=0)
    drain_s: float = Field(default=30.0, ge=0)


class Settings(BaseSettings):
    """All settings of ``python -m server``."""

    model_config = SettingsConfigDict(
        env_prefix="VISAVIS_", env_nested_delimiter="__", extra="forbid"
    )

    host: str = "127.0.0.1"
    port: int = Field(default=9995, ge=0, le=65535)
    engine: str = "lite"
    studio: Literal["auto", "on", "off"] = "auto"
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    api_keys: Annotated[list[str], NoDecode] = []
    allow_without_keys: bool = False
    text_to_speech: TextToSpeech = "embedded"
    speech: SpeechSettings = Field(default_factory=SpeechSettings)
    webrtc: WebRtcSettings = Field(default_factory=WebRtcSettings)
    encoding: EncodingSettings = Field(default_factory=EncodingSettings)
    presenting: PresentingSettings = Field(default_factory=PresentingSettings)
    limits: Limits = Field(default_factory=Limits)
    security: Security = Field(default_factory=Security)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    videos: VideoSettings = Field(default_factory=VideoSettings)

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if isinstance(value, str):
            return [key.strip() for key in value.split(",") if key.strip()]
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """First wins: command line (``_cli``), environment, YAML (the other arguments)."""
        del dotenv_settings, file_secret_settings
        assert isinstance(init_settings, InitSettingsSource)
        given = dict(init_settings.init_kwargs)
        command_line = given.pop("_cli", {})
        return (
            InitSettingsSource(settings_cls, init_kwargs=command_line),
            env_settings,
            InitSettingsSource(settings_cls, init_kwargs=given),
        )

    @property
    def auth_required(self) -> bool:
        """Calls must carry an API key."""
        return bool(self.api_keys)

    @property
    def studio_open(self) -> bool:
        """Whether /studio is served; ``auto`` means: where no keys are set."""
        return self.studio == "on" or (self.studio == "auto" and not self.auth_required)

    @model_validator(mode="after")
    def _service_has_an_address(self) -> Self:
        if self.text_to_speech == "openai" and self.speech.url is None:
            raise ValueError("text_to_speech: openai needs speech.url, the service's address")
        return self

    @field_validator("studio", "text_to_speech", mode="before")
    @classmethod
    def _yaml_switch(cls, value: object) -> object:
        # YAML reads a bare on or off as a boolean
        return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


def load_settings(config: Path | None = None, **command_line: Any) -> Settings:
    """Settings from ``config`` (default: configs/server/default.yaml), environment and arguments.

    Arguments that are None count as not given. Raises ConfigError, which names the setting.
    """
    path = config or DEFAULT_CONFIG
    try:
        values = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())  # YAML's errors are drawings of several lines
        raise ConfigError(f"cannot read the settings file {path}: {reason}") from error
    if not isinstance(values, dict) or "_cli" in values:
        raise ConfigError(f"the settings file {path} must hold names and values")
    given = {name: value for name, value in command_line.items() if value is not None}
    try:
        settings = Settings(**{**values, "_cli": given})
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
            for item in error.errors(include_url=False)
        )
        raise ConfigError(f"bad settings: {problems}") from error
    _refuse_open_host(settings)
    return settings


def _refuse_open_host(settings: Settings) -> None:
    if is_loopback(settings.host) or settings.auth_required or settings.allow_without_keys:
        return
    raise ConfigError(
        f"host {settings.host} can be reached by others, and no API key is set. Set"
        " VISAVIS_API_KEYS=key1,key2, or VISAVIS_ALLOW_WITHOUT_KEYS=true to serve everybody"
    )


def is_loopback(host: str) -> bool:
    """Only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
