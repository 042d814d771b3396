"""The triangles that carry the picture: MediaPipe's face, its eye and mouth holes, and three rings
around the face oval that pass head motion on to hair, neck and background, fading to stillness."""

import itertools
from dataclasses import dataclass

import numpy as np

from models.face_keypoints import FACE_OVAL, LOWER_INNER_LIP, UPPER_INNER_LIP
from models.shapes import LANDMARKS, FloatArray, IntArray

RING_VERTICES = 3 * len(FACE_OVAL)

# upper lid and lower lid from the outer to the inner corner, in columns; then the other eye
UPPER_LIDS = np.array(
    [[33, 246, 161, 160, 159, 158, 157, 173, 133], [263, 466, 388, 387, 386, 385, 384, 398, 362]],
    np.int64,
)
LOWER_LIDS = np.array(
    [[33, 7, 163, 144, 145, 153, 154, 155, 133], [263, 249, 390, 373, 374, 380, 381, 382, 362]],
    np.int64,
)

# per ring, at (chin, lower side, side, top): radius over the oval's; share of the head's motion;
# share of the oval's own expression (the jaw's opening)
_RADII = np.array([[1.10, 1.12, 1.20, 1.50], [1.40, 1.55, 1.65, 2.0], [1.9, 2.3, 2.4, 2.7]])
_HEAD_SHARES = np.array([[0.60, 0.75, 1.0, 1.0], [0.10, 0.20, 0.40, 0.60], [0.0, 0.0, 0.0, 0.0]])
_EXPRESSION_SHARES = np.array([[0.6, 0.5, 0.3, 0.1], [0.15, 0.1, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
_EDGE_ZONE = 0.25  # of the face height: over which hair under the photograph's edge stretches
_RING_DEPTH = 0.04  # of the face height, further back with each ring: rings lie behind the face


@dataclass(frozen=True, slots=True)
class Rings:
    """Ring vertices of one portrait, ring by ring, in the order of FACE_OVAL."""

    head: FloatArray  # [V, 3] as if fixed to the skull: canonical units along the head's axes
    points: FloatArray  # [V, 3] in the picture, pixels
    head_share: FloatArray  # [V, 1]
    expression_share: FloatArray  # [V, 1]
    sink_share: FloatArray  # [V, 1] of a movement downwards


def place_rings(
    points: FloatArray,
    scale: float,
    turn: FloatArray,
    shift: FloatArray,
    photo_top: float = -np.inf,
) -> Rings:
    """Rings around a face [L, 3] in pixels, whose head pose is (scale, turn [3, 3], shift [3]).

    photo_top: y of the photograph's first row. Nothing lies above it that could come down into the
    picture: there the hair between forehead and edge stretches instead.
    """
    oval = points[FACE_OVAL]
    centre = oval.mean(0)
    height = np.linalg.norm(points[10] - points[152])
    spokes = oval - centre
    # where along chin .. lower side .. side .. top a spoke points, from its angle off the chin
    down = (points[152] - points[10])[:2] / height
    along = spokes[:, :2] @ down
    across = np.abs(spokes[:, :2] @ np.array([-down[1], down[0]]))
    angle = np.degrees(np.arctan2(across, along))  # 0 chin, 90 side, 180 top
    stations = np.array([0.0, 45.0, 90.0, 160.0])
    vertices, head_shares, expression_shares = [], [], []
    radii = _drawn_in(
        np.stack([np.interp(angle, stations, _RADII[ring]) for ring in range(3)]),
        (photo_top - centre[1]) / np.minimum(spokes[:, 1], -1e-3),
    )
    for ring in range(3):
        vertex = centre + radii[ring][:, None] * spokes
        vertex[:, 2] = oval[:, 2] + (ring + 1) * _RING_DEPTH * height
        vertices.append(vertex)
        head_shares.append(np.interp(angle, stations, _HEAD_SHARES[ring]))
        expression_shares.append(np.interp(angle, stations, _EXPRESSION_SHARES[ring]))
    flat = np.concatenate(vertices).astype(np.float32)
    below_edge = (flat[:, 1:2] - photo_top) / (_EDGE_ZONE * height)
    return Rings(
        ((flat - shift) / scale @ turn.T).astype(np.float32),
        flat,
        np.concatenate(head_shares).astype(np.float32)[:, None],
        np.concatenate(expression_shares).astype(np.float32)[:, None],
        np.clip(below_edge, 0.0, 1.0).astype(np.float32),
    )


def _drawn_in(radii: FloatArray, edge: FloatArray) -> FloatArray:
    """Radii [3, 36] of which the first beyond the photograph's ``edge`` [36] is laid upon it.

    Without a vertex on the edge, the triangle across it would carry the edge along.
    """
    drawn = radii.copy()
    for spoke in range(radii.shape[1]):
        beyond = np.flatnonzero(radii[:, spoke] > edge[spoke])
        if len(beyond):
            ring = beyond[0]
            inner = 1.0 if ring == 0 else drawn[ring - 1, spoke]
            drawn[ring, spoke] = max(edge[spoke], 1.03 * inner)
    return drawn


def move_rings(rings: Rings, head_moved: FloatArray, oval_moved: FloatArray) -> FloatArray:
    """Ring vertices [V, 3] in a new frame.

    head_moved: [V, 3], ``rings.head`` under the new head pose, in pixels; oval_moved: [36, 3], how
    far expression alone moved the oval, in pixels.
    """
    by = rings.head_share * (head_moved - rings.points)
    by += rings.expression_share * np.tile(oval_moved, (3, 1))
    by[:, 1:2] = np.where(by[:, 1:2] > 0, rings.sink_share * by[:, 1:2], by[:, 1:2])
    moved: FloatArray = rings.points + by
    return moved


def face_triangles(tessellation: IntArray) -> IntArray:
    """All triangles over the vertices [face 478, ring 1, ring 2, ring 3]."""
    return np.concatenate(
        [
            tessellation,
            *(_strip(UPPER_LIDS[eye], LOWER_LIDS[eye]) for eye in range(2)),
            _strip(UPPER_INNER_LIP, LOWER_INNER_LIP),
            _ring_triangles(),
        ]
    )


def _strip(upper: IntArray, lower: IntArray) -> IntArray:
    """Triangles between two rows that share their first and last point."""
    triangles = []
    for column in range(len(upper) - 1):
        a, b, c, d = upper[column], upper[column + 1], lower[column], lower[column + 1]
        triangles += [(a, b, c)] if a != c else []
        triangles += [(b, d, c)] if b != d else []
    return np.array(triangles, np.int64)


def _ring_triangles() -> IntArray:
    count = len(FACE_OVAL)
    rows = [FACE_OVAL, *(LANDMARKS + ring * count + np.arange(count) for ring in range(3))]
    triangles = []
    for inner, outer in itertools.pairwise(rows):
        for spoke in range(count):
            after = (spoke + 1) % count
            triangles.append((inner[spoke], inner[after], outer[spoke]))
            triangles.append((inner[after], outer[after], outer[spoke]))
    return np.array(triangles, np.int64)
