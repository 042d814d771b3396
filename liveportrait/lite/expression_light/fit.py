"""Fit the expression light: ridge regression of the log ratio between how a person looks in a
picture and how the renderer, which only warps, made it from another one."""

from dataclasses import fields
from pathlib import Path

import numpy as np

from liveportrait.lite.expression_light.pairs import Pairs, read_pairs
from models.errors import ConfigError
from models.shapes import FloatArray

_RIDGE_SHARE = 0.07  # of the pairs: as if so many more had shown no change
_BLUR_PX = 1.7  # tracking is off by a pixel: finer ratios are not to be had
_FLOOR = 8.0  # grey levels that keep the logarithm calm in the dark
_WILDEST = 0.7  # log ratios beyond it are tracking errors or hands


def log_ratios(pairs: Pairs) -> tuple[FloatArray, FloatArray]:
    """Log brightness of target over warped window [n, W, W], the picture's exposure taken out, and
    where it can be trusted (1 on skin, 0 on lips and mouth) [n, W, W]."""
    import cv2

    def soft(picture: FloatArray) -> FloatArray:
        return cv2.GaussianBlur(picture.mean(-1, dtype=np.float32), (0, 0), _BLUR_PX)  # type: ignore[no-any-return]

    logs, trusted = [], []
    for window, lips, target in zip(pairs.window, pairs.lips, pairs.target, strict=True):
        log = np.log((soft(target) + _FLOOR) / (soft(window) + _FLOOR)).clip(-_WILDEST, _WILDEST)
        skin = 1.0 - cv2.dilate(lips, np.ones((3, 3), np.uint8)).astype(np.float32) / 255.0
        logs.append(log - np.median(log[skin > 0.5]))
        trusted.append(skin)
    return np.stack(logs), np.stack(trusted)


def fit_ratios(pairs: Pairs) -> FloatArray:
    """Ratios [STATES, W, W], the same on both sides of the face."""
    log, trusted = log_ratios(pairs)
    log = np.concatenate([log, log[:, :, ::-1]])
    trusted = np.concatenate([trusted, trusted[:, :, ::-1]])
    state = np.concatenate([pairs.state, pairs.state])
    ridge = _RIDGE_SHARE * len(state) * np.eye(state.shape[1])
    gram = np.einsum("nhw,ni,nj->hwij", trusted, state, state, optimize=True) + ridge
    cross = np.einsum("nhw,ni,nhw->hwi", trusted, state, log, optimize=True)
    ratios: FloatArray = np.linalg.solve(gram, cross[..., None])[..., 0].transpose(2, 0, 1)
    return ratios.astype(np.float32)


def explained(ratios: FloatArray, pairs: Pairs) -> float:
    """Share of the squared log ratio that the fit takes away; 0: nothing, 1: all."""
    log, trusted = log_ratios(pairs)
    left = log - np.tensordot(pairs.state, ratios, 1)
    return float(1.0 - (trusted * left**2).sum() / (trusted * log**2).sum())


def joined(folders: list[Path]) -> Pairs:
    """All pairs of some folders. Raises ConfigError when there are none."""
    files = [path for folder in folders for path in sorted(folder.glob("*.npz"))]
    if not files:
        names = ", ".join(map(str, folders))
        raise ConfigError(f"no pairs in {names}; `python -m liveportrait mouth-pairs` makes them")
    read = [read_pairs(path) for path in files]
    columns = [field.name for field in fields(Pairs)]
    return Pairs(*(np.concatenate([getattr(pairs, name) for pairs in read]) for name in columns))
