"""The raster: right against a plain reference, with depth, and still where nothing moves."""

import numpy as np

from liveportrait.lite.raster import FlowRaster
from models.shapes import AnyArray, FloatArray, IntArray

SIDE, MARGIN = 64, 8


def places(maps: tuple[AnyArray, AnyArray]) -> FloatArray:
    """OpenCV's fixed-point maps -> source places [H, W, 2]."""
    whole, part = maps
    fraction = np.stack([part & 31, part >> 5], -1).astype(np.float32) / 32
    return (whole + fraction).astype(np.float32)


def reference(triangles: IntArray, targets: FloatArray, sources: FloatArray) -> FloatArray:
    """Every pixel against every triangle, by solving for its shares."""
    y, x = np.mgrid[:SIDE, :SIDE]
    flow = np.stack([x, y], -1).astype(np.float64) + MARGIN
    depth = np.full((SIDE, SIDE), np.inf)
    for triangle in triangles:
        corners = np.vstack([targets[triangle, :2].T, np.ones(3)]).astype(np.float64)
        if abs(np.linalg.det(corners)) < 1e-6:
            continue
        shares = np.linalg.solve(corners, np.stack([x.ravel(), y.ravel(), np.ones(x.size)]))
        inside = (shares >= -1e-4).all(0).reshape(SIDE, SIDE)
        z = (shares.T @ targets[triangle, 2]).reshape(SIDE, SIDE)
        nearer = inside & (z < depth)
        depth[nearer] = z[nearer]
        flow[nearer] = (shares.T @ sources[triangle]).reshape(SIDE, SIDE, 2)[nearer]
    return flow.astype(np.float32)


def test_random_triangles_match_the_reference() -> None:
    rng = np.random.default_rng(0)
    targets = rng.uniform(-10, SIDE + 10, (60, 3)).astype(np.float32)
    sources = rng.uniform(0, SIDE, (60, 2)).astype(np.float32)
    triangles = rng.integers(0, 60, (25, 3))
    found = places(FlowRaster(SIDE, MARGIN)(triangles, targets, sources))
    expected = reference(triangles, targets, sources)
    wrong = np.abs(found - expected).max(-1) > 1 / 16
    assert wrong.mean() < 0.002  # single pixels on edges may fall to either side


def test_without_triangles_every_pixel_comes_from_its_own_place() -> None:
    nothing = np.zeros((0, 3), np.int64)
    points = np.zeros((3, 3), np.float32)
    found = places(FlowRaster(SIDE, MARGIN)(nothing, points, points[:, :2]))
    y, x = np.mgrid[:SIDE, :SIDE]
    np.testing.assert_array_equal(found, np.stack([x, y], -1) + MARGIN)


def test_the_nearer_triangle_hides_the_other_in_any_order() -> None:
    square = np.array([[0, 0], [63, 0], [0, 63]], np.float32)
    near = np.column_stack([square, np.full(3, 1.0)])
    far = np.column_stack([square, np.full(3, 2.0)])
    targets = np.concatenate([near, far]).astype(np.float32)
    sources = np.concatenate([square, square + 20]).astype(np.float32)
    for order in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]):
        found = places(FlowRaster(SIDE, MARGIN)(np.array(order), targets, sources))
        np.testing.assert_allclose(found[10, 10], (10, 10), atol=1 / 16)


def test_neighbouring_triangles_leave_no_gap() -> None:
    rng = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(np.arange(0, 64, 7.0), np.arange(0, 64, 7.0)), -1).reshape(-1, 2)
    targets = np.column_stack([grid + rng.uniform(-2, 2, grid.shape), np.zeros(len(grid))])
    cells = [(r * 10 + c) for r in range(9) for c in range(9)]
    triangles = [(i, i + 1, i + 10) for i in cells] + [(i + 1, i + 11, i + 10) for i in cells]
    away = np.full((len(grid), 2), 500.0, np.float32)
    flow = FlowRaster(SIDE, MARGIN)(np.array(triangles), targets.astype(np.float32), away)
    np.testing.assert_array_equal(places(flow)[5:58, 5:58], 500.0)


def test_one_raster_serves_frame_after_frame() -> None:
    raster = FlowRaster(SIDE, MARGIN)
    targets = np.array([[0, 0, 0], [40, 0, 0], [0, 40, 0]], np.float32)
    triangle = np.array([[0, 1, 2]])
    first = places(raster(triangle, targets, targets[:, :2])).copy()
    raster(triangle, targets + 15, targets[:, :2])
    np.testing.assert_array_equal(places(raster(triangle, targets, targets[:, :2])), first)
