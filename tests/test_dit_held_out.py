from pathlib import Path

from dit.held_out import is_held_out


def test_whole_sources_are_held_out() -> None:
    assert is_held_out("LipNet__bbaf2n.mpg")
    assert is_held_out("MimicTalk__German_20s.npz")
    assert not is_held_out("EDTalk__pose_source2.mp4")


def test_a_part_of_the_clips_is_left_on_each_side(shared: Path) -> None:
    names = [p.name for p in (shared / "data" / "clips").iterdir()]
    held = sum(is_held_out(name) for name in names)
    assert 10 <= held <= len(names) - 10
