"""The official motion template: a pickled dict of NumPy arrays, one entry a frame.

Source: ``make_motion_template`` in the official ``src/live_portrait_pipeline.py``. Keys of older
files are accepted (``R_d``, ``c_d_eyes_lst``, ``c_d_lip_lst``); templates of animals have no
ratio lists.
"""

import pickle
from typing import Any

import numpy as np

from liveportrait.animation.keypoints import transform
from liveportrait.animation.motion_template import MotionTemplate
from models.errors import TemplateError
from models.pickle_reader import read_pickle
from models.shapes import KEYPOINTS, FloatArray

DEFAULT_FPS = 25.0
MAX_FRAMES = 500_000  # four hours and a half at 30 FPS
_PROTOCOL = 4  # what the official code's Python writes and every Python 3.4+ reads


def template_from_pickle(data: bytes) -> MotionTemplate:
    """The official file's bytes -> MotionTemplate.

    Raises UnsafeTemplateError, which says what was refused, when the pickle asks for anything but
    numbers; TemplateError when it is damaged or another thing.
    """
    document = read_pickle(data)
    if not isinstance(document, dict) or not isinstance(document.get("motion"), list):
        raise TemplateError("no motion template: the file holds no list 'motion'")
    motion: list[Any] = document["motion"]
    if not motion or not all(isinstance(frame, dict) for frame in motion):
        raise TemplateError("the motion template has no frames, or frames that are no dicts")
    stated = _number(document.get("n_frames", len(motion)), "number of frames")
    if stated != len(motion):
        raise TemplateError(f"the motion template states {stated:g} frames, holds {len(motion)}")
    if stated > MAX_FRAMES:
        raise TemplateError(f"the motion template holds over {MAX_FRAMES} frames")
    eyes = document.get("c_eyes_lst", document.get("c_d_eyes_lst"))
    lips = document.get("c_lip_lst", document.get("c_d_lip_lst"))
    rotation = "R" if "R" in motion[0] else "R_d"
    return MotionTemplate(
        fps=_number(document.get("output_fps", DEFAULT_FPS), "frame rate"),
        scale=_column(motion, "scale", ()),
        rotation=_column(motion, rotation, (3, 3)),
        exp=_column(motion, "exp", (KEYPOINTS, 3)),
        t=_column(motion, "t", (3,)),
        eye_ratios=None if eyes is None else _ratios(eyes, "c_eyes_lst", len(motion), 2),
        lip_ratios=None if lips is None else _ratios(lips, "c_lip_lst", len(motion), 1),
        canonical=_column(motion, "kp", (KEYPOINTS, 3)) if "kp" in motion[0] else None,
    )


def template_to_pickle(template: MotionTemplate) -> bytes:
    """MotionTemplate -> bytes that the official loader reads."""
    document: dict[str, Any] = {
        "n_frames": len(template),
        "output_fps": int(template.fps) if float(template.fps).is_integer() else template.fps,
        "motion": [_frame(template[i : i + 1]) for i in range(len(template))],
    }
    if template.eye_ratios is not None:
        document["c_eyes_lst"] = [row[None].copy() for row in template.eye_ratios]
    if template.lip_ratios is not None:
        document["c_lip_lst"] = [row[None].copy() for row in template.lip_ratios]
    return pickle.dumps(document, protocol=_PROTOCOL)


def _frame(one: MotionTemplate) -> dict[str, FloatArray]:
    frame = {
        "scale": one.scale[:, None].copy(),  # [1, 1]
        "R": one.rotation.copy(),  # [1, 3, 3]
        "exp": one.exp.copy(),  # [1, K, 3]
        "t": one.t.copy(),  # [1, 3]
    }
    if one.canonical is not None:
        frame["kp"] = one.canonical.copy()  # [1, K, 3]
        frame["x_s"] = transform(one.canonical, one.rotation, one.exp, one.scale, one.t)
    return frame


def _number(value: Any, what: str) -> float:
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TemplateError(f"the motion template's {what} is no number")
    return float(value)


def _column(motion: list[Any], key: str, tail: tuple[int, ...]) -> FloatArray:
    """One quantity of all frames, [T, *tail]."""
    missing = [i for i, frame in enumerate(motion) if not isinstance(frame.get(key), np.ndarray)]
    if missing:
        raise TemplateError(f"frame {missing[0]} of the motion template has no array {key!r}")
    return _stacked([frame[key] for frame in motion], key, tail)


def _ratios(values: Any, key: str, frames: int, width: int) -> FloatArray:
    if not isinstance(values, list) or len(values) != frames:
        raise TemplateError(f"the motion template's {key} is no list of {frames} arrays")
    if not all(isinstance(value, np.ndarray) for value in values):
        raise TemplateError(f"the motion template's {key} holds something that is no array")
    return _stacked(values, key, (width,))


def _stacked(arrays: list[Any], key: str, tail: tuple[int, ...]) -> FloatArray:
    size = int(np.prod(tail, dtype=np.int64))
    for i, array in enumerate(arrays):
        if array.size != size or array.shape[-len(tail) or array.ndim :] != tail:
            raise TemplateError(
                f"{key!r} of frame {i} has shape {array.shape}, not {(1, *(tail or (1,)))}"
            )
    with np.errstate(over="ignore"):  # too large for float32: refused as not finite
        return np.stack([array.reshape(tail) for array in arrays]).astype(np.float32)
