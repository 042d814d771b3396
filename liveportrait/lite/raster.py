"""A depth-buffered triangle raster: where in the source picture each pixel of a frame is from."""

import functools

import numpy as np

from liveportrait.machine_code import Kernel, machine_code
from models.shapes import AnyArray, FloatArray, IntArray


def _fill_triangles(
    whole: AnyArray,
    part: AnyArray,
    depth: AnyArray,
    triangles: AnyArray,
    targets: AnyArray,
    sources: AnyArray,
) -> None:
    """Write source places where a triangle is nearest; numba's input.

    Places are OpenCV's fixed-point maps: ``whole`` int16 [H, W, 2] pixels and ``part`` uint16
    [H, W], 32nds of a pixel (y * 32 + x). targets: [V, 3] frame pixels, a smaller z is nearer;
    sources: [V, 2]. Each row of a triangle is one span, along which all values grow evenly.
    """
    height, width = depth.shape
    for index in range(triangles.shape[0]):
        a, b, c = triangles[index, 0], triangles[index, 1], triangles[index, 2]
        ax, ay, az = targets[a, 0], targets[a, 1], targets[a, 2]
        bx, by, bz = targets[b, 0] - ax, targets[b, 1] - ay, targets[b, 2] - az
        cx, cy, cz = targets[c, 0] - ax, targets[c, 1] - ay, targets[c, 2] - az
        area = bx * cy - by * cx
        if abs(area) < 1e-6:
            continue
        au, av = sources[a, 0] * 32.0 + 0.5, sources[a, 1] * 32.0 + 0.5
        bu, bv = (sources[b, 0] - sources[a, 0]) * 32.0, (sources[b, 1] - sources[a, 1]) * 32.0
        cu, cv = (sources[c, 0] - sources[a, 0]) * 32.0, (sources[c, 1] - sources[a, 1]) * 32.0
        step_b, step_c = cy / area, -by / area  # of the shares of b and c, per pixel to the right
        step_a = -step_b - step_c
        step_u, step_v = step_b * bu + step_c * cu, step_b * bv + step_c * cv
        step_z = step_b * bz + step_c * cz
        top = max(0, int(np.ceil(ay + min(0.0, by, cy))))
        bottom = min(height - 1, int(np.floor(ay + max(0.0, by, cy))))
        for y in range(top, bottom + 1):
            # shares at x = ax; the span is where none is negative
            share_b, share_c = -(y - ay) * cx / area, bx * (y - ay) / area
            low, high = min(0.0, bx, cx), max(0.0, bx, cx)
            for share, step in (
                (share_b, step_b),
                (share_c, step_c),
                (1 - share_b - share_c, step_a),
            ):
                if step > 1e-9:
                    low = max(low, (-1e-4 - share) / step)
                elif step < -1e-9:
                    high = min(high, (-1e-4 - share) / step)
                elif share < -1e-4:
                    high = low - 1.0
            left, right = max(0, int(np.ceil(ax + low))), min(width - 1, int(np.floor(ax + high)))
            off = left - ax
            u = au + share_b * bu + share_c * cu + off * step_u
            v = av + share_b * bv + share_c * cv + off * step_v
            z = az + share_b * bz + share_c * cz + off * step_z
            for x in range(left, right + 1):
                if z < depth[y, x]:
                    depth[y, x] = z
                    fixed_u, fixed_v = int(np.floor(u)), int(np.floor(v))
                    whole[y, x, 0] = fixed_u >> 5
                    whole[y, x, 1] = fixed_v >> 5
                    part[y, x] = ((fixed_v & 31) << 5) | (fixed_u & 31)
                u += step_u
                v += step_v
                z += step_z


@functools.cache
def _kernel() -> Kernel:
    return machine_code(_fill_triangles, fastmath=True)


class FlowRaster:
    """Rasters the flow of frames of ``side`` x ``side`` pixels at full resolution: at a lower one
    the seam of shut lids and lips would smear."""

    def __init__(self, side: int, margin: int) -> None:
        place = np.arange(side, dtype=np.int16) + margin
        self._still = np.ascontiguousarray(np.stack(np.meshgrid(place, place), -1))
        self._whole = np.empty_like(self._still)
        self._part = np.empty((side, side), np.uint16)
        self._depth = np.empty((side, side), np.float32)

    def __call__(
        self, triangles: IntArray, targets: FloatArray, sources: FloatArray
    ) -> tuple[AnyArray, AnyArray]:
        """triangles: [n, 3]; targets: [V, 3] frame pixels; sources: [V, 2] texture pixels ->
        the two maps that ``cv2.remap`` takes, good until the next call.

        Pixels that no triangle covers come from their own place.
        """
        np.copyto(self._whole, self._still)
        self._part.fill(0)
        self._depth.fill(np.inf)
        _kernel()(self._whole, self._part, self._depth, triangles, targets, sources)
        return self._whole, self._part
