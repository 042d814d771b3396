"""What the recorder brought home, as curves: lip gap, loudness, and how they go together."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.face_keypoints import lip_gap
from models.face_landmarks import MediaPipeDetector
from models.images import decode_image

FloatArray = NDArray[np.float32]

RECORDER = Path(__file__).with_name("recorder.js")
GRID_MS = 20.0
QUIET_DB = -50.0


@dataclass(frozen=True)
class Curve:
    """Values [N] at ``times_ms`` [N] on the page's clock."""

    times_ms: NDArray[np.float64]
    values: NDArray[np.float64]

    def at(self, times_ms: NDArray[np.float64]) -> NDArray[np.float64]:
        """Linear interpolation at other times [M]."""
        return np.interp(times_ms, self.times_ms, self.values)

    def between(self, start_ms: float, end_ms: float) -> NDArray[np.float64]:
        """The values measured from ``start_ms`` up to ``end_ms``."""
        inside = (self.times_ms >= start_ms) & (self.times_ms < end_ms)
        return self.values[inside]


@dataclass(frozen=True)
class Recording:
    """Pictures that were shown (JPEG) and the loudness that was heard, on one clock."""

    jpegs: list[bytes]
    frame_times_ms: NDArray[np.float64]
    voice_db: Curve
    microphone_db: Curve

    def lip_gap(self, task: Path) -> Curve:
        """Lip gap over eye distance for every picture with a face."""
        detector = MediaPipeDetector(task, max_faces=1)
        try:
            found = [detector.detect(decode_image(jpeg)) for jpeg in self.jpegs]
        finally:
            detector.close()
        seen = [i for i, faces in enumerate(found) if faces]
        if not seen:
            raise AssertionError("no face in any picture that arrived")
        points = np.stack([found[i][0].points for i in seen])
        return Curve(self.frame_times_ms[seen], lip_gap(points).astype(np.float64))


def start_recorder(page: Any) -> None:
    """Begins to record; the page must have been opened with ``RECORDER`` as its init script."""
    page.evaluate(
        "async () => { window.recorder = newRecorder();"
        " await recorder.start(document.querySelector('video'), window.sentTrack ?? null); }"
    )


def stop_recorder(page: Any) -> Recording:
    """Ends the recording and fetches it."""
    raw = page.evaluate("() => recorder.stop()")
    return Recording(
        jpegs=[base64.b64decode(frame["jpeg"]) for frame in raw["frames"]],
        frame_times_ms=np.array([frame["ms"] for frame in raw["frames"]]),
        voice_db=_loudness(raw["voice"]),
        microphone_db=_loudness(raw["microphone"]),
    )


def _loudness(blocks: list[tuple[float, float]]) -> Curve:
    table = np.array(blocks, np.float64).reshape(-1, 2)
    return Curve(table[:, 0], 20 * np.log10(np.maximum(table[:, 1], 1e-4)))


def best_lag(leader: Curve, follower: Curve, lags_ms: NDArray[np.float64]) -> tuple[float, float]:
    """Pearson r and lag (ms, positive = ``follower`` is later) at which two curves agree best."""
    start = max(leader.times_ms[0], follower.times_ms[0]) + np.abs(lags_ms).max()
    end = min(leader.times_ms[-1], follower.times_ms[-1]) - np.abs(lags_ms).max()
    grid = np.arange(start, end, GRID_MS)
    reference = leader.at(grid)
    scores = [float(np.corrcoef(reference, follower.at(grid + lag))[0, 1]) for lag in lags_ms]
    best = int(np.argmax(scores))
    return scores[best], float(lags_ms[best])


def smoothed(curve: Curve, window_ms: float) -> Curve:
    """The curve on an even grid, averaged over ``window_ms``."""
    grid = np.arange(curve.times_ms[0], curve.times_ms[-1], GRID_MS)
    width = max(1, round(window_ms / GRID_MS))
    return Curve(grid, np.convolve(curve.at(grid), np.full(width, 1 / width), "same"))


def pauses(voice_db: Curve, at_least_ms: float) -> list[tuple[float, float]]:
    """Stretches (start, end in ms) of the voice that stay below ``QUIET_DB``."""
    quiet = np.concatenate([[False], voice_db.values < QUIET_DB, [False]])
    edges = np.flatnonzero(quiet[1:] != quiet[:-1])
    stretches = [
        (float(voice_db.times_ms[first]), float(voice_db.times_ms[last - 1]))
        for first, last in zip(edges[::2], edges[1::2], strict=True)
    ]
    return [(first, last) for first, last in stretches if last - first >= at_least_ms]
