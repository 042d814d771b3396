"""A contact sheet of what a portrait can do: the way to judge this engine is to look at it."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np

from liveportrait.lite.drive import turned_about_neck
from liveportrait.renderer import Portrait, Renderer, load_renderer
from models.device import DevicePolicy
from models.errors import ConfigError
from models.motion import Motion, rest
from models.shapes import FloatArray, Image

Shape = Callable[[FloatArray], None]  # writes an expression into exp [K, 3]


def mouth(gap: float, wider: float = 0.0, forward: float = 0.0) -> Shape:
    """A mouth opened by ``gap``, corners ``wider`` each, pushed ``forward``; canonical units."""

    def write(exp: FloatArray) -> None:
        exp[[5, 3], 1] += 0.85 * gap  # lower lip
        exp[[8, 9], 1] += 0.80 * gap
        exp[10, 1] += 0.70 * gap  # chin
        exp[[4, 2], 1] -= 0.15 * gap  # upper lip
        exp[[6, 7], 1] -= 0.10 * gap
        exp[[0, 1], 1] += 0.30 * gap  # corners
        exp[0, 0] -= wider
        exp[1, 0] += wider
        exp[[6, 8], 0] -= 0.45 * wider
        exp[[7, 9], 0] += 0.45 * wider
        exp[:10, 2] -= forward

    return write


def lids(shut: float, usual_gap: float = 10.0) -> Shape:
    """Both eyes shut by 0..1."""

    def write(exp: FloatArray) -> None:
        exp[[14, 16], 1] += 0.88 * shut * usual_gap
        exp[[15, 17], 1] -= 0.12 * shut * usual_gap

    return write


def gaze(across: float, down: float) -> Shape:
    """Irises moved by canonical units."""

    def write(exp: FloatArray) -> None:
        exp[20, :2] += (across, down)

    return write


def pose(pitch: float = 0.0, yaw: float = 0.0, roll: float = 0.0, *shapes: Shape) -> Motion:
    """Relative motion of one frame: a turn about the neck in degrees, and expressions."""
    still = rest(1)
    for shape in shapes:
        shape(still.exp[0])
    turn = np.array([[pitch], [yaw], [roll]], np.float32)
    return turned_about_neck(Motion(turn[0], turn[1], turn[2], still.t, still.scale, still.exp))


POSES: dict[str, Motion] = {
    "rest": pose(),
    "m (shut)": pose(0, 0, 0, mouth(0.0)),
    "small": pose(0, 0, 0, mouth(3.0)),
    "middle": pose(0, 0, 0, mouth(8.0)),
    "ah": pose(0, 0, 0, mouth(20.0, -2.0)),
    "ee": pose(0, 0, 0, mouth(7.0, 5.0)),
    "oh": pose(0, 0, 0, mouth(12.0, -8.0, 4.0)),
    "oo": pose(0, 0, 0, mouth(4.0, -9.0, 6.0)),
    "lids half": pose(0, 0, 0, lids(0.5)),
    "lids shut": pose(0, 0, 0, lids(1.0)),
    "gaze left": pose(0, 0, 0, gaze(-3.0, 0.0)),
    "yaw +15": pose(0, 15),
    "yaw -15": pose(0, -15),
    "pitch +10": pose(10, 0, 0, mouth(6.0)),
    "pitch -10": pose(-10, 0, 0, mouth(10.0)),
    "roll +10": pose(0, 0, 10),
}


def draw_sheet(
    renderer: Renderer, portrait: Portrait, tile_px: int = 320, columns: int = 6
) -> Image:
    """Every pose of POSES as a labelled tile: RGB [rows * tile_px, columns * tile_px, 3]."""
    import cv2

    tiles = []
    for name, generated in POSES.items():
        frame = renderer.render([portrait], renderer.drive(portrait, generated))[0]
        tile = cv2.resize(frame, (tile_px, tile_px), interpolation=cv2.INTER_AREA)
        cv2.putText(
            tile, name, (6, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 235, 60), 1, cv2.LINE_AA
        )
        tiles.append(tile)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return np.vstack(rows)


def draw_strip(renderer: Renderer, portrait: Portrait, generated: Motion, tile_px: int) -> Image:
    """Consecutive frames side by side: RGB [tile_px, T * tile_px, 3]."""
    import cv2

    driven = renderer.drive(portrait, generated)
    frames = renderer.render([portrait] * len(driven), driven)
    return np.hstack(
        [cv2.resize(f, (tile_px, tile_px), interpolation=cv2.INTER_AREA) for f in frames]
    )


def write_sheet(
    avatar: Path, out: Path, clip: Path | None, frames: slice, tile_px: int, weights: Path
) -> tuple[int, int]:
    """Draw a photograph's sheet, or its strip of some frames of a clip (a video, or a motion file
    of ``python -m dit sample``); width and height.

    Raises PortraitError, and ConfigError when the clip is too short or is of another engine, or
    when ``out`` cannot be written.
    """
    import cv2

    from models.images import decode_image

    renderer = load_renderer("lite", DevicePolicy(), weights)
    portrait = renderer.prepare(decode_image(avatar.read_bytes()))
    if clip is None:
        picture = draw_sheet(renderer, portrait, tile_px)
    else:
        picture = draw_strip(renderer, portrait, _motion_of(clip, weights, frames), tile_px)
    if not cv2.imwrite(str(out), picture[..., ::-1]):
        raise ConfigError(f"{out} cannot be written")
    return picture.shape[1], picture.shape[0]


def _motion_of(clip: Path, weights: Path, frames: slice) -> Motion:
    if clip.suffix == ".npz":
        return _stored_motion(clip, frames)
    from liveportrait.lite.fit_map import track_clip
    from models.face_keypoints import landmarks_to_motion, relative_to_rest
    from models.face_landmarks import MediaPipeDetector

    meshes = track_clip(clip, MediaPipeDetector(weights / "face_landmarker.task"), stride=1)
    if len(meshes) <= frames.start:
        raise ConfigError(f"{clip} shows a face in {len(meshes)} frames only")
    return relative_to_rest(landmarks_to_motion(meshes)[0])[frames]


def _stored_motion(path: Path, frames: slice) -> Motion:
    try:
        with np.load(path) as stored:
            engine = str(stored["engine"])
            motion = Motion(**{field.name: stored[field.name] for field in fields(Motion)})
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(f"{path} is no motion file of `python -m dit sample`: {error}") from error
    if engine != "lite":
        raise ConfigError(f"{path} holds motion of engine {engine!r}; accepted: lite")
    if len(motion) <= frames.start:
        raise ConfigError(f"{path} has {len(motion)} frames only")
    return motion[frames]
