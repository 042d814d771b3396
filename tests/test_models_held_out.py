from pathlib import Path

import pytest

from models.errors import ConfigError
from models.held_out import Splits, is_held_out, split_of


def test_whole_sources_are_held_out() -> None:
    assert is_held_out("LipNet__bbaf2n.mpg")
    assert is_held_out("MimicTalk__German_20s.npz")
    assert not is_held_out("EDTalk__pose_source2.mp4")


def test_checkpoints_are_chosen_on_other_people_than_the_reported_ones() -> None:
    assert split_of("video-retalking__1.mp4") == "validation"
    assert split_of("MimicTalk__German_20s.npz") == "validation"
    assert split_of("LipNet__bbaf2n.mpg") == "test"
    assert split_of("SadTalker__a.mp4") == "test"
    assert split_of("EDTalk__pose_source2.mp4") == "train"


def test_every_split_of_the_talking_clips_has_some(shared: Path) -> None:
    splits = [split_of(p.name) for p in (shared / "data" / "clips").iterdir()]
    assert splits.count("train") >= 10
    assert splits.count("validation") >= 3
    assert splits.count("test") >= 3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("splits.yaml", "id1: validation\nid10: test\n"),
        ("splits.json", '{"id1": "validation", "id10": "test"}'),
    ],
)
def test_another_data_set_brings_its_own_table(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    splits = Splits.load(tmp_path / name)
    assert splits.split_of("id1_a.mp4") == "validation"
    assert splits.split_of("id10_a.mp4") == "test"  # the longest beginning decides
    assert splits.split_of("LipNet__x.mpg") == "train"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id1: valid", "accepted: train, validation, test"),
        ("[a, b]", "holds no table"),
        ("a: [", "cannot be read"),
    ],
)
def test_a_table_with_mistakes_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "splits.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        Splits.load(tmp_path / "splits.yaml")


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        Splits.load(tmp_path / "none.yaml")
