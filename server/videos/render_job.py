"""What is to be rendered: light to import, for who only hands it on."""

from dataclasses import dataclass, field
from pathlib import Path

from liveportrait.output import OutputOptions
from server.engine.config import Mode, MotionLevels


@dataclass(frozen=True, slots=True)
class RenderJob:
    """One video. ``avatar``: a shipped avatar's id or name, or a picture file."""

    avatar: str
    audio: Path
    out: Path
    seed: int
    engine: str
    mode: Mode = "live"
    output: OutputOptions = field(default_factory=OutputOptions)
    levels: MotionLevels = field(default_factory=MotionLevels)
