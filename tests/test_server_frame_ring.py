import numpy as np
import pytest

from server.engine.frame_ring import RENDER_LEAD, RING_FRAMES, FrameRing


def test_frames_cross_between_two_openings_of_the_ring() -> None:
    ours = FrameRing(2)
    theirs = FrameRing(2, name=ours.name)
    theirs.slot(1, 20, (64, 32))[:] = 7
    assert (ours.slot(1, 20, (64, 32)) == 7).all()
    assert ours.slot(1, 20, (64, 32)).shape == (48, 64)
    assert not ours.slot(0, 20, (64, 32)).any()
    theirs.close()
    ours.close()


def test_frames_within_the_lead_never_share_a_slot() -> None:
    ring = FrameRing(1)
    for frame in range(RENDER_LEAD + 2):
        ring.slot(0, frame, (16, 16))[:] = frame
    assert [int(np.mean(ring.slot(0, f, (16, 16)))) for f in range(RENDER_LEAD + 2)] == list(
        range(12)
    )
    assert RENDER_LEAD + 2 <= RING_FRAMES
    ring.close()


def test_the_memory_is_gone_after_its_creator_closed_it() -> None:
    ring = FrameRing(1)
    name = ring.name
    ring.close()
    with pytest.raises(FileNotFoundError):
        FrameRing(1, name=name)
