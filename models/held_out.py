"""Whole people kept out of every training: some to choose checkpoints by, others to report on.

Clips are named ``SOURCE__NAME.mp4`` after the project they came from; a source shows its own
people, so leaving out a source leaves out its people. Another data set brings its own table.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from models.errors import ConfigError

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, slots=True)
class Splits:
    """Which clip names belong to which split, by how they begin; the longest beginning decides.

    Raises ConfigError on a split that is none of train, validation, test.
    """

    by_prefix: Mapping[str, Split]  # names that begin with none of them are trained on

    def __post_init__(self) -> None:
        for prefix, split in self.by_prefix.items():
            if not isinstance(prefix, str) or split not in SPLITS:
                raise ConfigError(
                    f"splits: {prefix!r} is put into {split!r}; accepted: {', '.join(SPLITS)}"
                )

    def split_of(self, clip_name: str) -> Split:
        """The split of a clip (a file name, without folders)."""
        fitting = [prefix for prefix in self.by_prefix if clip_name.startswith(prefix)]
        return self.by_prefix[max(fitting, key=len)] if fitting else "train"

    def is_held_out(self, clip_name: str) -> bool:
        """Whether a clip must not be trained on."""
        return self.split_of(clip_name) != "train"

    @classmethod
    def load(cls, path: Path) -> "Splits":
        """Read a table ``beginning of the name: split`` from YAML or JSON.

        Raises ConfigError when the file is missing or holds something else.
        """
        try:
            text = path.read_text()
            table: Any = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"{path} cannot be read as a table of splits: {error}") from error
        if not isinstance(table, dict):
            raise ConfigError(
                f"{path} holds no table `beginning of a clip's name: {' | '.join(SPLITS)}`"
            )
        return cls(table)


TALKING_CLIPS = Splits(
    {
        "video-retalking__": "validation",
        "MimicTalk__": "validation",
        "LipNet__": "test",
        "SadTalker__": "test",
    }
)


def split_of(clip_name: str) -> Split:
    """The split of one of the talking clips that the default weights are made from."""
    return TALKING_CLIPS.split_of(clip_name)


def is_held_out(clip_name: str) -> bool:
    """Whether a clip (a file name, without folders) belongs to the people never trained on."""
    return TALKING_CLIPS.is_held_out(clip_name)
