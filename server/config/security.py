"""Who may reach the server from where, and how often."""

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

KEYLESS_FACTOR = 20  # a server without keys serves its own machine, whose callers look all alike


class Rates(BaseModel):
    """Calls a minute for one key (or, without keys, one address); 0: no limit.

    A quarter of a minute's calls may come at once. A server without API keys takes
    KEYLESS_FACTOR times as many, but for wrong keys.
    """

    model_config = ConfigDict(extra="forbid")

    requests_per_minute: int = Field(default=1200, ge=0)
    sessions_per_minute: int = Field(default=60, ge=0)
    uploads_per_minute: int = Field(default=120, ge=0)
    wrong_keys_per_minute: int = Field(default=60, ge=0)  # of one address


class Security(BaseModel):
    """Origins are written as browsers send them: ``https://shop.example``, no path."""

    model_config = ConfigDict(extra="forbid")

    cors_origins: list[str] = []  # pages elsewhere that may call the API
    embed_origins: list[str] = []  # pages elsewhere that may show the page in a frame
    allowed_hosts: list[str] = []  # names of this server, besides loopback and addresses
    rates: Rates = Field(default_factory=Rates)

    @field_validator("cors_origins", "embed_origins")
    @classmethod
    def _origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            parts = urlsplit(origin)
            whole = f"{parts.scheme}://{parts.netloc}"
            if origin != whole or parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(
                    f"{origin!r} is no origin; accepted are scheme, host and port alone,"
                    " such as https://shop.example"
                )
            if any(c in origin for c in " ;,'\"*"):  # they would change the header's meaning
                raise ValueError(f"{origin!r} has characters that no origin has")
        return [origin.lower() for origin in origins]

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, hosts: list[str]) -> list[str]:
        for host in hosts:
            if not host or any(c in host for c in "/:* "):
                raise ValueError(f"{host!r} is no host name; accepted is the name without a port")
        return [host.lower() for host in hosts]
