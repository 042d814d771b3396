"""A depth-buffered triangle raster: where in the source picture each pixel of a frame comes from."""

import functools
from collections.abc import Callable

import numpy as np

from models.shapes import AnyArray, FloatArray, IntArray

Kernel = Callable[..., None]


def _fill_triangles(
    flow: AnyArray, depth: AnyArray, triangles: AnyArray, targets: AnyArray, sources: AnyArray
) -> None:
    """Write source coordinates into ``flow`` [H, W, 2] where a triangle is nearest; numba's input.

    targets: [V, 3] in raster pixels (z: smaller is nearer); sources: [V, 2].
    """
    height, width = depth.shape
    for index in range(triangles.shape[0]):
        a, b, c = triangles[index, 0], triangles[index, 1], triangles[index, 2]
        ax, ay = targets[a, 0], targets[a, 1]
        bx, by = targets[b, 0], targets[b, 1]
        cx, cy = targets[c, 0], targets[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-6:
            continue
        left = max(0, int(np.ceil(min(ax, bx, cx))))
        right = min(width - 1, int(np.floor(max(ax, bx, cx))))
        top = max(0, int(np.ceil(min(ay, by, cy))))
        bottom = min(height - 1, int(np.floor(max(ay, by, cy))))
        step_b = (cy - ay) / area
        step_c = -(by - ay) / area
        for y in range(top, bottom + 1):
            share_b = ((left - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
            share_c = ((bx - ax) * (y - ay) - (by - ay) * (left - ax)) / area
            for x in range(left, right + 1):
                share_a = 1.0 - share_b - share_c
                if share_a >= -1e-4 and share_b >= -1e-4 and share_c >= -1e-4:
                    z = share_a * targets[a, 2] + share_b * targets[b, 2] + share_c * targets[c, 2]
                    if z < depth[y, x]:
                        depth[y, x] = z
                        for axis in range(2):
                            flow[y, x, axis] = (
                                share_a * sources[a, axis]
                                + share_b * sources[b, axis]
                                + share_c * sources[c, axis]
                            )
                share_b += step_b
                share_c += step_c


@functools.cache
def _kernel() -> Kernel:
    """The loop above as machine code; kept on disk where that is allowed."""
    from numba import njit

    try:
        compiled: Kernel = njit(cache=True, fastmath=True)(_fill_triangles)
    except RuntimeError:  # numba found no folder that it may write its cache to
        compiled = njit(fastmath=True)(_fill_triangles)
    return compiled


class FlowRaster:
    """Rasters flow at ``cells`` x ``cells`` for frames of ``side`` x ``side`` pixels."""

    def __init__(self, side: int, cells: int) -> None:
        self._scale = cells / side
        grid = (np.arange(cells, dtype=np.float32) + 0.5) / self._scale - 0.5
        self._still = np.stack(np.meshgrid(grid, grid), -1)  # [cells, cells, 2]: nothing moves
        self._depth = np.empty((cells, cells), np.float32)
        self._side = side

    def __call__(self, triangles: IntArray, targets: FloatArray, sources: FloatArray) -> FloatArray:
        """triangles: [n, 3]; targets: [V, 3] frame pixels; sources: [V, 2] -> [side, side, 2].

        Pixels that no triangle covers come from their own place.
        """
        import cv2

        flow = self._still.copy()
        self._depth.fill(np.inf)
        cells = targets.copy()
        cells[:, :2] = (targets[:, :2] + 0.5) * self._scale - 0.5
        _kernel()(flow, self._depth, triangles, cells, sources)
        if flow.shape[0] == self._side:
            return flow
        full: FloatArray = cv2.resize(
            flow, (self._side, self._side), interpolation=cv2.INTER_LINEAR
        )
        return full
