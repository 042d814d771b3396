"""Which entries of an expression belong to which region, and the face at rest."""

import numpy as np
import pytest

from liveportrait.animation.options import AnimationRegion
from liveportrait.animation.regions import REGION_MASKS, added, copied
from liveportrait.animation.rest_expression import REST_EXPRESSION
from tests.animation_fixtures import furthest
from tests.liveportrait_fixtures import golden_arrays, golden_json

SIZES: list[tuple[AnimationRegion, int]] = [
    ("all", 45),
    ("exp", 45),
    ("pose", 0),
    ("lip", 18),
    ("eyes", 15),
]


def test_the_face_at_rest_is_the_official_one() -> None:
    assert furthest(REST_EXPRESSION[None], golden_arrays("geometry")["lip_array"]) < 1e-9
    assert furthest(REST_EXPRESSION[None], np.array(golden_json("configs")["lip_array"])) < 1e-9


@pytest.mark.parametrize(("region", "size"), SIZES)
def test_regions_take_their_entries_and_no_others(region: AnimationRegion, size: int) -> None:
    source, driven = np.zeros((1, 21, 3), np.float32), np.ones((4, 21, 3), np.float32)
    taken = copied(source, driven, region)
    assert taken.shape == (4, 21, 3)
    assert REGION_MASKS[region].sum() == size
    assert (taken == REGION_MASKS[region]).all()


def test_lips_and_eyes_do_not_overlap_and_lie_in_the_face() -> None:
    lips, eyes, face = (REGION_MASKS[name] for name in ("lip", "eyes", "all"))
    assert not (lips & eyes).any()
    assert ((lips | eyes) <= face).all()


def test_a_change_of_the_whole_face_takes_every_entry() -> None:
    source, driven = np.zeros((1, 21, 3), np.float32), np.ones((2, 21, 3), np.float32)
    assert added(source, driven, "all").all()
    assert added(source, driven, "exp").all()
    assert added(source, driven, "lip").sum() == 2 * 18
