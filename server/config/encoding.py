"""How pictures are encoded for those who watch."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

REFERENCE_PIXELS = 512 * 512


class EncodingSettings(BaseModel):
    """Bit rates are those of a 512x512 picture; other sizes get theirs by their pixels."""

    model_config = ConfigDict(extra="forbid")

    kbit_per_s: int = Field(default=1000, ge=100, le=20_000)
    min_kbit_per_s: int = Field(default=300, ge=50, le=20_000)
    nvenc: Literal["auto", "off"] = "auto"

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_kbit_per_s > self.kbit_per_s:
            raise ValueError(
                f"min_kbit_per_s is {self.min_kbit_per_s}; accepted: up to"
                f" kbit_per_s, {self.kbit_per_s}"
            )
        return self

    def ceiling_bit_s(self, width: int, height: int) -> int:
        """What a picture of this size gets when the network lets it."""
        return round(self.kbit_per_s * 1000 * _share(width, height))

    def floor_bit_s(self, width: int, height: int) -> int:
        """What it gets however slow the network is."""
        return round(self.min_kbit_per_s * 1000 * min(1.0, _share(width, height)))


def _share(width: int, height: int) -> float:
    """Larger pictures need fewer bits a pixel: the rate grows with the power 0.75."""
    return float((width * height / REFERENCE_PIXELS) ** 0.75)
