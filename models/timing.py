"""The one time base: a sample clock at 16 kHz, pictures at 25 FPS, 640 samples a frame."""

SAMPLE_RATE_HZ = 16_000
FPS = 25
SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // FPS
FRAME_MS = 1000 // FPS
ENCODER_HZ = 50

CONTEXT_FRAMES = 10
NEW_FRAMES = 65
WINDOW_FRAMES = CONTEXT_FRAMES + NEW_FRAMES

DEFAULT_HOP_FRAMES = 5


def frames_in(samples: int) -> int:
    """Whole frames that ``samples`` at 16 kHz cover."""
    return samples // SAMPLES_PER_FRAME


def samples_in(frames: int) -> int:
    """Samples at 16 kHz that ``frames`` last."""
    return frames * SAMPLES_PER_FRAME


def frames_to_ms(frames: int) -> int:
    """Milliseconds that ``frames`` last."""
    return frames * FRAME_MS
