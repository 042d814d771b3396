"""Mouth, eyes and glasses from frame to frame: nothing flickers, bends or glares."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from liveportrait.lite.engine import LitePortrait, LiteRenderer
from liveportrait.lite.face_light import teeth_light
from liveportrait.lite.mesh import LOWER_LIDS, UPPER_LIDS
from liveportrait.lite.mouth import OUTLINE
from liveportrait.lite.sheet import gaze, lids, mouth, pose
from models.device import DevicePolicy
from models.shapes import FloatArray
from tests.conftest import ROOT
from tests.lite_portraits import drawn, prepared

NAMES = ("p02", "p04", "p08")
IRISES = slice(468, 478)  # of the mesh
Box = tuple[slice, slice]


@pytest.fixture(scope="module")
def renderer() -> LiteRenderer:
    return LiteRenderer(DevicePolicy(), ROOT / "weights")


@pytest.fixture(scope="module")
def portraits(renderer: LiteRenderer) -> dict[str, LitePortrait]:
    return prepared(renderer, NAMES)


def around(points: FloatArray, margin: int) -> Box:
    left, top = (points.min(0) - margin).astype(int)
    right, bottom = (points.max(0) + margin).astype(int)
    return slice(top, bottom), slice(left, right)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("moved", "at_most"),
    [
        (lambda share: mouth(2.0 + 14.0 * share, 4.0 * share), 7.0),
        (lambda share: lids(0.9 * share), 8.0),
    ],
    ids=["mouth", "lids"],
)
def test_a_slow_movement_has_no_flicker(
    renderer: LiteRenderer,
    portraits: dict[str, LitePortrait],
    name: str,
    moved: Callable[[float], Callable[[FloatArray], None]],
    at_most: float,
) -> None:
    portrait = portraits[name]
    frames = np.stack(
        [
            drawn(renderer, portrait, pose(0, 0, 0, moved(share)))
            for share in np.linspace(0.2, 0.8, 15)
        ]
    ).astype(np.float32)
    step = np.abs(np.diff(frames, axis=0)).mean((1, 2, 3))
    assert step.min() > 0.001
    assert step.max() < at_most * np.median(step)  # no frame jumps
    back_and_forth = np.abs(np.diff(frames, n=2, axis=0)).mean()
    assert back_and_forth < 1.5 * step.mean()


@pytest.mark.parametrize("name", NAMES)
def test_teeth_are_no_brighter_than_the_faces_light_allows(
    renderer: LiteRenderer, portraits: dict[str, LitePortrait], name: str
) -> None:
    portrait = portraits[name]
    at_rest = drawn(renderer, portrait, pose())
    light = teeth_light(at_rest, portrait.points)
    motion = renderer.drive(portrait, pose(0, 0, 0, mouth(12.0, 3.0)))
    frame = renderer.render([portrait], motion)[0]
    outline = renderer.move(portrait, motion).points[OUTLINE, :2]
    mask = np.zeros(frame.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 1)
    mask = cv2.erode(mask, np.ones((5, 5), np.uint8))
    inside = frame[mask > 0].astype(np.float32).mean(1)
    assert np.quantile(inside, 0.99) < 1.3 * light.mean()
    assert np.quantile(inside, 0.99) > 0.5 * light.mean()  # and they are there
    assert np.quantile(inside, 0.02) > 5  # a mouth is dark red, not a black hole


def test_glasses_stay_stiff_when_the_face_behind_them_moves(
    renderer: LiteRenderer, portraits: dict[str, LitePortrait]
) -> None:
    def raised_brows(exp: FloatArray) -> None:
        exp[[18, 19], 1] -= 6.0

    portrait = portraits["p04"]
    assert portrait.glasses is not None
    rim = portrait.glasses.hold[:, 0] > 0.9
    assert rim.sum() > 15
    still = renderer.move(portrait, renderer.drive(portrait, pose())).points
    for shapes in ((mouth(6.0, 8.0),), (raised_brows,), (lids(1.0),)):
        motion = renderer.drive(portrait, pose(0, 0, 0, *shapes))
        off = np.linalg.norm(renderer.move(portrait, motion).points - still, axis=1)
        assert off[rim].max() < 0.6  # pixels


@pytest.mark.parametrize("name", ["p02", "p08"])
def test_gaze_changes_only_what_is_between_the_lids(
    renderer: LiteRenderer, portraits: dict[str, LitePortrait], name: str
) -> None:
    portrait = portraits[name]
    motions = [renderer.drive(portrait, pose(0, 0, 0, gaze(across, 0.0))) for across in (0.0, 3.0)]
    ahead, aside = (renderer.move(portrait, motion).points for motion in motions)
    skin = np.ones(len(ahead), bool)
    skin[IRISES] = False
    assert np.linalg.norm(aside - ahead, axis=1)[skin].max() < 0.3  # pixels
    frames = [renderer.render([portrait], motion)[0].astype(int) for motion in motions]
    change = np.abs(frames[1] - frames[0]).max(-1)
    outside = np.ones(change.shape, bool)
    for eye in range(2):
        box = around(portrait.points[[*UPPER_LIDS[eye], *LOWER_LIDS[eye]], :2], 4)
        assert change[box].max() > 40
        outside[box] = False
    assert change[outside].mean() < 0.3  # grey levels


@pytest.mark.parametrize("name", ["p02", "p08"])
def test_a_lid_half_shut_has_lashes_and_a_shadow_under_it(
    renderer: LiteRenderer, portraits: dict[str, LitePortrait], name: str
) -> None:
    portrait = portraits[name]
    motion = renderer.drive(portrait, pose(0, 0, 0, lids(0.45)))
    frame = renderer.render([portrait], motion)[0].astype(np.float32).mean(-1)
    points = renderer.move(portrait, motion).points[:, :2]
    for eye in range(2):
        edge = points[UPPER_LIDS[eye, 3:6]].mean(0).round().astype(int)
        lashes = frame[edge[1] - 1 : edge[1] + 2, edge[0] - 4 : edge[0] + 5].mean()
        lid = frame[edge[1] - 6 : edge[1] - 3, edge[0] - 4 : edge[0] + 5].mean()
        assert lashes < 0.85 * lid
