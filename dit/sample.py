"""``python -m dit sample``: the motion for a sound file, as numbers."""

from dataclasses import fields
from pathlib import Path

import numpy as np

from dit.generator import Mode, MotionGenerator, MotionStream
from dit.published.joyvasa_checkpoint import is_joyvasa
from dit.published.joyvasa_generator import JoyvasaGenerator, JoyvasaStream
from dit.reference_clip import reference_motion
from dit.style import style_of_motion
from models.device import DevicePolicy
from models.errors import ConfigError
from models.motion import Motion, concatenate
from models.shapes import FloatArray
from models.sound import read_sound
from models.speech_encoder import SpeechEncoder
from models.timing import FPS


def sample(
    audio: Path,
    out: Path,
    checkpoint: Path,
    encoder: Path,
    mode: str,
    seed: int,
    style: str | None,
) -> str:
    """Write ``out`` -> a line that says what was written.

    ``style``: see ``reference_motion``. Raises VisavisError for what the user can mend.
    """
    if mode not in ("live", "chunk"):
        raise ConfigError(f"mode is {mode!r}; accepted: live, chunk")
    if out.suffix != ".npz":
        raise ConfigError(f"the motion file is {out.name!r}; accepted: a name that ends in .npz")
    wave = read_sound(audio)
    policy = DevicePolicy.for_this_machine()
    stream: MotionStream | JoyvasaStream
    chosen: Mode = "live" if mode == "live" else "chunk"
    if is_joyvasa(checkpoint):
        if style is not None:
            raise ConfigError("style is for checkpoints of this project; JoyVASA has none")
        joyvasa = JoyvasaGenerator.load(checkpoint, policy)
        stream, engine = joyvasa.start(mode=chosen, seed=seed), joyvasa.engine
    else:
        generator = MotionGenerator.load(checkpoint, SpeechEncoder.load(encoder, policy), policy)
        stream = generator.start(mode=chosen, seed=seed, style=_style(generator, style))
        engine = generator.engine
    motion = concatenate([stream.push(wave), stream.finish()])
    write_motion(motion, out, engine)
    return f"{len(motion)} frames ({len(motion) / FPS:.2f} s) for engine {engine} -> {out}"


def write_motion(motion: Motion, out: Path, engine: str) -> None:
    """Relative motion of T frames, with its frame rate and engine beside it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f.name: getattr(motion, f.name) for f in fields(Motion)}
    np.savez_compressed(out, **arrays, fps=np.int64(FPS), engine=np.str_(engine))


def _style(generator: MotionGenerator, reference: str | None) -> FloatArray | None:
    if reference is None:
        return None
    try:
        return style_of_motion(reference_motion(reference), generator.checkpoint.layout)
    except ValueError as error:
        raise ConfigError(f"no style in {reference}: {error}") from error
