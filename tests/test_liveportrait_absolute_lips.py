"""JoyVASA's motion on a portrait: the official equation, by way of the motion contract."""

import numpy as np

from dit.published.absolute_lips import LIPS, since
from liveportrait.animation.keypoints import transform
from liveportrait.neural.absolute_lips import with_absolute_lips
from models.motion import Motion, rotation_matrix
from models.shapes import FloatArray

RNG = np.random.default_rng(4)


def some_motion(frames: int) -> Motion:
    def draw(size: float, *tail: int) -> FloatArray:
        return RNG.normal(0, size, (frames, *tail)).astype(np.float32)

    return Motion(draw(15), draw(20), draw(8), draw(0.1, 3), 1 + draw(0.1), draw(0.02, 21, 3))


def test_a_generated_face_meets_a_portrait_as_in_the_official_code() -> None:
    own, made, canonical = some_motion(1), some_motion(6), RNG.normal(0, 0.3, (1, 21, 3))
    own.t[:, 2] = 0.0  # as ``KeypointInfo.to_motion`` gives it
    driven = with_absolute_lips(own, since(made[:1], made))
    ours = transform(
        canonical.astype(np.float32),
        rotation_matrix(driven.pitch, driven.yaw, driven.roll),
        driven.exp,
        driven.scale,
        driven.t,
    )

    turned = rotation_matrix(made.pitch, made.yaw, made.roll)
    rotation = (
        turned @ turned[:1].transpose(0, 2, 1) @ rotation_matrix(own.pitch, own.yaw, own.roll)
    )
    exp = own.exp + made.exp - made.exp[:1]
    exp[:, [6, 12, 14, 17, 19, 20]] = made.exp[:, [6, 12, 14, 17, 19, 20]]
    scale = own.scale * made.scale / made.scale[0]
    t = own.t + made.t - made.t[0]
    t[:, 2] = 0.0
    official = scale[:, None, None] * (canonical @ rotation + exp) + t[:, None]
    np.testing.assert_allclose(ours, official, atol=2e-5)


def test_the_first_frame_is_the_portrait_with_the_generated_lips() -> None:
    own, made = some_motion(1), some_motion(3)
    first = with_absolute_lips(own, since(made[:1], made))[:1]
    for name in ("pitch", "yaw", "roll", "scale"):
        np.testing.assert_allclose(getattr(first, name), getattr(own, name), atol=1e-4)
    others = np.setdiff1d(np.arange(21), LIPS)
    np.testing.assert_allclose(first.exp[:, others], own.exp[:, others], atol=1e-6)
    np.testing.assert_array_equal(first.exp[:, LIPS], made.exp[:1, LIPS])
