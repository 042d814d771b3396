"""The motion generator: a checkpoint, a speech encoder and a device; it starts streams."""

from pathlib import Path

from dit.checkpoint import MotionCheckpoint, load_checkpoint
from dit.controls import MotionControls
from dit.planner import MotionPlanner
from dit.stream import Mode, MotionStream
from models.device import DevicePolicy
from models.errors import ConfigError, WeightsError
from models.shapes import FloatArray
from models.speech_encoder import SpeechEncoder

__all__ = ["Mode", "MotionControls", "MotionGenerator", "MotionStream"]


class MotionGenerator:
    """A checkpoint, its encoder and a device: starts streams. One at a time may run."""

    def __init__(
        self, checkpoint: MotionCheckpoint, encoder: SpeechEncoder, policy: DevicePolicy
    ) -> None:
        if encoder.dim != checkpoint.projection.embedding_dim:
            raise WeightsError(
                f"the motion checkpoint takes embeddings of {checkpoint.projection.embedding_dim} "
                f"dimensions ({checkpoint.encoder}); the encoder gives {encoder.dim}"
            )
        self.checkpoint = checkpoint
        self.encoder = encoder
        self.planner = MotionPlanner(checkpoint, policy)

    @classmethod
    def load(
        cls,
        checkpoint_dir: Path,
        encoder: SpeechEncoder,
        policy: DevicePolicy,
        engine: str | None = None,
    ) -> "MotionGenerator":
        """Raises MissingWeightsError, EngineMismatchError (when ``engine`` is given and another),
        WeightsError (damaged, or made for another encoder)."""
        return cls(load_checkpoint(checkpoint_dir, engine), encoder, policy)

    @property
    def engine(self) -> str:
        """The engine whose motion it makes."""
        return self.checkpoint.engine

    def start(
        self,
        *,
        mode: Mode,
        seed: int,
        controls: MotionControls | None = None,
        hop_frames: int | None = None,
        style: FloatArray | None = None,
    ) -> "MotionStream":
        """A new voice; live hops are the encoder's own when not given. ``style``: a speaker's
        manner (dit/style.py). Raises ConfigError for an unknown mode, a hop that the encoder's own
        hop does not divide, or a style that the checkpoint does not take."""
        takes = self.checkpoint.network.config.style_channels
        if style is not None and style.shape != (takes,):
            raise ConfigError(
                f"a style of {style.size} channels; this checkpoint takes {takes or 'none'}"
            )
        return MotionStream(
            self.checkpoint,
            self.encoder,
            self.planner,
            mode,
            seed,
            controls or MotionControls(),
            hop_frames,
            style,
        )
