"""From a rough mask to a matte that follows hair, and to the person's colours without the light of
the old background."""

import numpy as np

from models.shapes import AnyArray, FloatArray, Image

_BAND_SHARE = 0.02  # of the shorter side: how far the true edge may be from the rough one
_GUIDE_SHARE = 1 / 70
_GUIDE_EPSILON = 2e-4
_CLEAR, _SOLID = 0.12, 0.88  # of the filtered mask: nothing and all of the person
_LARGEST_HOLE = 0.004  # of the picture: a hole that is larger may be an arm akimbo
_COLOUR_WINDOWS_PX = (91, 7)  # coarse, then fine


def person_matte(image: Image, probability: FloatArray, place: tuple[float, float]) -> FloatArray:
    """How much of each pixel is the person's: 0..1 [H, W], exactly 0 and 1 away from the edge.

    probability: [H, W], of being any person; place: x, y of a pixel of the person's, such as the
    face's middle. Other people and far islands are background.
    """
    import cv2

    person = _person_at(probability, place)
    size = max(3, int(_BAND_SHARE * min(person.shape)) | 1)
    kernel = np.ones((size, size), np.uint8)
    # the picture's own border is no edge of the person
    core = cv2.erode(person, kernel, borderType=cv2.BORDER_REPLICATE) > 0
    far = cv2.dilate(person, kernel, borderType=cv2.BORDER_REPLICATE) == 0
    matte = _guided(image, person.astype(np.float32), ~(core | far))
    matte = np.clip((matte - _CLEAR) / (_SOLID - _CLEAR), 0.0, 1.0)
    matte[core], matte[far] = 1.0, 0.0
    return np.asarray(matte, np.float32)


def foreground_colours(image: Image, matte: FloatArray) -> Image:
    """The person's own colours [H, W, 3] where ``matte`` [H, W] mixes them with the background's.

    Source: M. Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021: means of both
    sides, weighted by the matte, then what is left over given to the person.
    """
    import cv2

    picture = image.astype(np.float32)
    share = matte[..., None]
    person, behind = picture, picture
    for window in _COLOUR_WINDOWS_PX:
        weight = cv2.blur(matte, (window, window))[..., None]
        near = cv2.blur(person * share, (window, window)) / (weight + 1e-5)
        behind = cv2.blur(behind * (1 - share), (window, window)) / (1 - weight + 1e-5)
        person = np.clip(near + share * (picture - share * near - (1 - share) * behind), 0, 255)
    colours: Image = np.where(share < 1, person + 0.5, picture).astype(np.uint8)
    return colours


def _person_at(probability: FloatArray, place: tuple[float, float]) -> Image:
    """The connected part of the mask around ``place``, small holes filled: uint8 [H, W], 0 or 1."""
    import cv2

    likely = (probability > 0.5).astype(np.uint8)
    _, parts, figures, _ = cv2.connectedComponentsWithStats(likely)
    height, width = likely.shape
    x, y = int(np.clip(place[0], 0, width - 1)), int(np.clip(place[1], 0, height - 1))
    part = int(parts[y, x])
    if part == 0 and len(figures) > 1:  # not seen as a person's: the largest one then
        part = 1 + int(np.argmax(figures[1:, cv2.CC_STAT_AREA]))
    person = (parts == part).astype(np.uint8) if part else np.zeros_like(likely)
    outlines, nesting = cv2.findContours(person, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for index, outline in enumerate(outlines):
        is_hole = nesting[0, index, 3] >= 0
        if is_hole and cv2.contourArea(outline) < _LARGEST_HOLE * likely.size:
            cv2.drawContours(person, [outline], -1, 1, -1)
    return np.asarray(person, np.uint8)


def _guided(image: Image, mask: FloatArray, wanted: FloatArray) -> FloatArray:
    """``mask`` [H, W] moved onto the picture's own edges, where ``wanted`` [H, W] is true;
    elsewhere it is only smooth.

    Source: K. He, J. Sun, X. Tang, "Guided Image Filtering", TPAMI 2013, colour guide (eq. 19-21).
    """
    import cv2

    radius = max(2, int(_GUIDE_SHARE * min(mask.shape)))
    window = (2 * radius + 1, 2 * radius + 1)

    def mean(values: AnyArray) -> FloatArray:
        return cv2.blur(values, window, borderType=cv2.BORDER_REFLECT)  # type: ignore[no-any-return]

    guide = image.astype(np.float32) / 255
    guide_mean, mask_mean = mean(guide), mean(mask)
    # a pixel's value is the mean over the windows it lies in: all of those need their line
    needed = cv2.dilate(wanted.astype(np.uint8), np.ones(window, np.uint8)) > 0
    products = mean(np.stack([guide[..., i] * guide[..., j] for i, j in _PAIRS[:3]], -1))
    squares = mean(np.stack([guide[..., i] * guide[..., j] for i, j in _PAIRS[3:]], -1))
    spread = np.empty((int(needed.sum()), 3, 3), np.float32)
    for values, pairs in ((products, _PAIRS[:3]), (squares, _PAIRS[3:])):
        for index, (i, j) in enumerate(pairs):
            flat = values[..., index] - guide_mean[..., i] * guide_mean[..., j]
            spread[:, i, j] = spread[:, j, i] = flat[needed]
    together = mean(guide * mask[..., None]) - guide_mean * mask_mean[..., None]
    slope = np.zeros_like(guide)
    ridge = _GUIDE_EPSILON * np.eye(3, dtype=np.float32)
    slope[needed] = np.linalg.solve(spread + ridge, together[needed][..., None])[..., 0]
    offset = mask_mean - (slope * guide_mean).sum(-1)
    filtered: FloatArray = (mean(slope) * guide).sum(-1) + mean(offset)
    return filtered


_PAIRS = ((0, 1), (0, 2), (1, 2), (0, 0), (1, 1), (2, 2))
