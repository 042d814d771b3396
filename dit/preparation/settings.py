"""Every threshold of the preparation, as ``configs/prepare/*.yaml`` sets it."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dit.training.typed_yaml import read_yaml, typed
from models.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent.parent
CONFIGS_DIR = ROOT / "configs" / "prepare"


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """Where a stretch of one face begins and ends. Raises ValueError on a length below 1 s."""

    cut_threshold: float = 27.0  # PySceneDetect's content score; higher finds fewer cuts
    most_jump: float = 0.25  # of the face's height from one frame to the next
    most_gap_frames: int = 5  # without the face; a longer gap ends the stretch
    longest_s: float = 60.0  # keeps memory bounded; longer scenes become several stretches

    def __post_init__(self) -> None:
        if self.longest_s < 1.0:
            raise ValueError(f"longest_s is {self.longest_s}; accepted: 1 and more")


@dataclass(frozen=True, slots=True)
class OffsetSettings:
    """How the sound's lag is looked for. Raises ValueError on an empty search."""

    most_lag_frames: int = 10
    least_confidence: float = 3.3  # 1 in 20 wrong sounds reaches it (dit/README.md)

    def __post_init__(self) -> None:
        if self.most_lag_frames < 1:
            raise ValueError(f"most_lag_frames is {self.most_lag_frames}; accepted: 1 and more")


@dataclass(frozen=True, slots=True)
class QualitySettings:
    """What a stretch must be like to be trained on."""

    shortest_s: float = 2.0
    most_missing: float = 0.2  # share of frames in which the face was not found
    least_face_px: float = 64.0  # from forehead to chin
    most_rivals: float = 0.2  # share of frames with another face of like size
    most_yaw_deg: float = 40.0  # 95 % of the frames lie below
    most_pitch_deg: float = 35.0
    least_sharpness: float = 15.0  # variance of the Laplacian, face scaled to 128 pixels
    most_jitter: float = 0.03  # of the eye distance: median acceleration of what expressions spare
    least_lip_movement: float = 0.008  # spread of the lip gap over the eye distance
    least_speech: float = 0.3  # share of the time in which somebody speaks


@dataclass(frozen=True, slots=True)
class PrepareSettings:
    """One file of ``configs/prepare``."""

    engine: str = "lite"  # whose motion
    motion: str = "dit.preparation.motion:landmark_motion"  # module:function that reads it
    scenes: SceneSettings = field(default_factory=SceneSettings)
    offset: OffsetSettings = field(default_factory=OffsetSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)

    @classmethod
    def load(cls, path: Path) -> "PrepareSettings":
        """Raises ConfigError for a file that is missing or holds what is not accepted."""
        return typed(cls, read_yaml(path))


def settings_of(engine: str) -> PrepareSettings:
    """The settings that ship for an engine. Raises ConfigError when there are none."""
    path = CONFIGS_DIR / f"{engine}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in CONFIGS_DIR.glob("*.yaml")))
        raise ConfigError(f"engine is {engine!r}; accepted: {known}")
    return PrepareSettings.load(path)


def digest_of(*parts: object) -> str:
    """A short digest of settings (dataclasses) and other plain values: what a cache is keyed by."""
    plain = [asdict(p) if hasattr(p, "__dataclass_fields__") else p for p in parts]  # type: ignore[call-overload]
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()[:16]
