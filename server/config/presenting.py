"""Where sessions may be pushed to: nowhere, unless the operator says so."""

import re

from pydantic import BaseModel, ConfigDict, Field, field_validator

_HOST_AND_PORT = re.compile(r"(?:\[[0-9a-f:.]+\]|[a-z0-9.-]+):(\d{1,5})")


class PresentingSettings(BaseModel):
    """``push_hosts``: each ``HOST:PORT`` exactly as it may stand in a push URL."""

    model_config = ConfigDict(extra="forbid")

    push_hosts: list[str] = []
    max_pushes: int = Field(default=2, ge=1, le=16)  # of one session
    ffmpeg: str = "ffmpeg"  # the program: a name or a path

    @field_validator("push_hosts")
    @classmethod
    def _hosts(cls, hosts: list[str]) -> list[str]:
        hosts = [host.lower() for host in hosts]
        for host in hosts:
            found = _HOST_AND_PORT.fullmatch(host)
            if found is None or not 0 < int(found[1]) < 65536:
                raise ValueError(
                    f"{host!r} is no place to push to; accepted is HOST:PORT,"
                    " such as live.example.org:1935 or [::1]:9000"
                )
        return hosts
