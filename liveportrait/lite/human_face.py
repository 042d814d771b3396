"""Whether what looks like a face can be measured as one: animals' faces cannot."""

import numpy as np

from models.errors import NoFaceError
from models.face_landmarks import FaceDetector
from models.shapes import FloatArray, Image

# measured: people, statues and paintings up to .011 of the face height, animals from .026 on
_MOST_DISAGREEMENT = 0.018
# points that lie on each other's place in the mirror
_PAIRS = np.array(
    [(33, 263), (61, 291), (133, 362), (234, 454), (58, 288)]
    + [(263, 33), (291, 61), (362, 133), (454, 234), (288, 58)]
    + [(middle, middle) for middle in (1, 152, 13, 14, 10, 0, 17)],
    np.int64,
)


def mirror_disagreement(detector: FaceDetector, frame: Image, points: FloatArray) -> float:
    """How far the mesh found in the mirrored frame [S, S, 3] is off ``points`` [L, 3] (the one
    found in the frame), over the face height; infinite where there is none.

    The tracker knows people's faces: on others its guess changes with how it looks at them.
    """
    mirrored = detector.detect(np.ascontiguousarray(frame[:, ::-1]))
    if not mirrored:
        return float("inf")
    back = mirrored[0].points[:, :2] * np.array([-1, 1]) + np.array([frame.shape[1] - 1, 0])
    off = np.linalg.norm(back[_PAIRS[:, 0]] - points[_PAIRS[:, 1], :2], axis=1).mean()
    return float(off / np.linalg.norm(points[10] - points[152]))


def require_human_face(detector: FaceDetector, frame: Image, points: FloatArray) -> None:
    """Raises NoFaceError for a face [L, 3] in ``frame`` [S, S, 3] that is no person's."""
    if mirror_disagreement(detector, frame, points) > _MOST_DISAGREEMENT:
        raise NoFaceError(
            "the face in this picture cannot be measured as a person's (an animal, a drawing, or "
            "a face that is largely covered); accepted is a photograph or painting of one person. "
            "Animals: python -m liveportrait animate --engine liveportrait --animal"
        )
