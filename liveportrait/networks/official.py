"""The official weight files, as published: ``.pth`` with its own layout, or ``.safetensors``.

A ``.pth`` is held to the bytes and sha256 of ``weights/manifest.yaml`` where these are known, then
unpickled with ``weights_only``. Nobody publishes digests for ``.safetensors``; such a file is held
to the names, shapes and kinds of all tensors, and one made by ``convert_weights`` also to the
sha256 of the ``.pth`` it was made from. The layout is that of ``src/utils/helper.py: load_model``.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import safetensors
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from liveportrait.networks.networks import Networks, empty_networks
from models.errors import ChecksumError, MissingWeightsError, WeightsError
from models.weights import (
    MANIFEST_NAME,
    WEIGHTS_DIR,
    WeightEntry,
    WeightFile,
    load_manifest,
    remedy,
    verify_file,
)

Variant = Literal["human", "animal"]
State = Mapping[str, Tensor]

_BASE_FOLDERS: dict[Variant, str] = {
    "human": "liveportrait/base_models",
    "animal": "liveportrait_animals/base_models_v1.1",
}
_ENTRIES: dict[Variant, str] = {"human": "liveportrait", "animal": "liveportrait-animals"}
_BASE_NAMES = (
    "appearance_feature_extractor",
    "motion_extractor",
    "warping_module",
    "spade_generator",
)
# one file for three networks; animals use the human one, as the official code does
_RETARGETING = "liveportrait/retargeting_models/stitching_retargeting_module"
_RETARGETING_PARTS = {
    "stitching": "retarget_shoulder",
    "lip": "retarget_mouth",
    "eye": "retarget_eye",
}
_SOURCE_KEY = "pth_sha256"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one official file belongs and what the manifest says about it."""

    weights: Path
    stem: str  # relative to ``weights``, without suffix
    entry: WeightEntry
    listed: WeightFile | None

    @property
    def pth(self) -> Path:
        return self.weights / f"{self.stem}.pth"

    @property
    def safetensors(self) -> Path:
        return self.weights / f"{self.stem}.safetensors"

    @property
    def fetch_command(self) -> str:
        return remedy(self.entry)


def load_networks(weights: Path = WEIGHTS_DIR, variant: Variant = "human") -> Networks:
    """The networks with the official weights of a folder laid out as ``weights/`` or as published.

    Where both are there, ``X.safetensors`` is taken before ``X.pth``. The folder's own manifest is
    used, or this repository's when it has none.

    Raises MissingWeightsError when a file is not there, ChecksumError when it has other bytes than
    the manifest's, and WeightsError when it is no weight file or has other tensors; each names
    the file and the command that brings the right one.
    """
    networks = empty_networks()
    modules = networks.by_official_name()
    for name in _BASE_NAMES:
        place = _place(weights, variant, f"{_BASE_FOLDERS[variant]}/{name}")
        _fill(modules[name], _read(place), place)
    place = _place(weights, "human", _RETARGETING)
    parts = _retargeting_parts(_read(place), place)
    for name, part in _RETARGETING_PARTS.items():
        _fill(modules[name], parts[part], place)
    return networks


def convert_weights(weights: Path = WEIGHTS_DIR) -> list[Path]:
    """Write a ``.safetensors`` beside every official ``.pth`` of a folder; gives their paths.

    It loads faster and without pickle, and ``load_networks`` takes it from then on; the ``.pth``
    may be deleted. Human and animal files are converted, whichever are there.

    Raises MissingWeightsError when there is none, otherwise as ``load_networks``.
    """
    modules = empty_networks().by_official_name()
    places = [
        (name, _place(weights, variant, f"{folder}/{name}"))
        for variant, folder in _BASE_FOLDERS.items()
        for name in _BASE_NAMES
    ]
    written = []
    for name, place in places:
        if place.pth.is_file():
            state = _checked(_read_pth(place), modules[name], place.pth, place)
            written.append(_write(place, state))
    place = _place(weights, "human", _RETARGETING)
    if place.pth.is_file():
        parts = _retargeting_parts(_read_pth(place), place)
        flat = {
            f"{part}_module.{key}": value
            for name, part in _RETARGETING_PARTS.items()
            for key, value in _checked(parts[part], modules[name], place.pth, place).items()
        }
        written.append(_write(place, flat))
    if not written:
        raise MissingWeightsError(f"no official .pth file in {weights}; {place.fetch_command}")
    return written


def _place(weights: Path, variant: Variant, stem: str) -> _Place:
    root = weights if (weights / MANIFEST_NAME).is_file() else WEIGHTS_DIR
    manifest = load_manifest(root)
    name = _ENTRIES[variant]
    if name not in manifest:
        raise WeightsError(f"{root / MANIFEST_NAME} has no entry {name!r}")
    listed = next((f for f in manifest[name].files if f.file == f"{stem}.pth"), None)
    return _Place(weights, stem, manifest[name], listed)


def _read(place: _Place) -> Mapping[str, Any]:
    if place.safetensors.is_file():
        return _read_safetensors(place)
    return _read_pth(place)


def _read_pth(place: _Place) -> Mapping[str, Any]:
    path = place.pth
    if not path.is_file():
        raise MissingWeightsError(f"{path} is missing; {place.fetch_command}")
    if place.listed is not None:
        verify_file(place.entry, place.listed, place.weights)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        reason = str(error).split("\n", 1)[0]
        raise WeightsError(
            f"{path} is damaged or no torch weight file ({reason}); {place.fetch_command}"
        ) from error
    if not isinstance(content, Mapping):
        raise WeightsError(
            f"{path} holds a {type(content).__name__}, not named tensors; {place.fetch_command}"
        )
    return content


def _read_safetensors(place: _Place) -> dict[str, Tensor]:
    path = place.safetensors
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            made_from = (file.metadata() or {}).get(_SOURCE_KEY)
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(
            f"{path} is damaged or no safetensors file ({error}); delete it or convert anew"
        ) from error
    expected = place.listed.sha256 if place.listed else None
    if made_from and expected and made_from != expected:
        raise ChecksumError(
            f"{path} was made from another {place.pth.name} than the manifest lists; "
            f"delete it, then {place.fetch_command}"
        )
    return state


def _retargeting_parts(content: Mapping[str, Any], place: _Place) -> dict[str, State]:
    """The three networks of the retargeting file; it holds more, which nothing uses.

    ``.pth``: a dict for each network. ``.safetensors``: flat, ``retarget_eye_module.mlp.0.weight``
    or without ``_module``.
    """
    parts: dict[str, State] = {}
    for part in _RETARGETING_PARTS.values():
        if isinstance(content.get(part), Mapping):
            state = content[part]
        else:
            prefixes = (f"{part}_module.", f"{part}.")
            state = {
                key.removeprefix(prefix): value
                for key, value in content.items()
                for prefix in prefixes
                if key.startswith(prefix)
            }
        if not state:
            raise WeightsError(
                f"{place.weights / place.stem} has no {part!r}; {place.fetch_command}"
            )
        parts[part] = {key.replace("module.", ""): value for key, value in state.items()}
    return parts


def _checked(state: Mapping[str, Any], module: nn.Module, path: Path, place: _Place) -> State:
    """The state if it has exactly the module's names, shapes and kinds of numbers."""
    wanted = module.state_dict()
    wrong = [f"no {name}" for name in wanted if name not in state]
    wrong += [f"unknown {name}" for name in state if name not in wanted]
    for name in wanted.keys() & state.keys():
        got, like = state[name], wanted[name]
        if not isinstance(got, Tensor):
            wrong.append(f"{name} is a {type(got).__name__}")
        elif got.shape != like.shape:
            wrong.append(f"{name} is {list(got.shape)}, not {list(like.shape)}")
        elif got.is_floating_point() != like.is_floating_point():
            wrong.append(f"{name} is {got.dtype}, not {like.dtype}")
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise WeightsError(
            f"{path} holds another network than {place.stem.rsplit('/', 1)[-1]}: "
            f"{', '.join(wrong[:3])}{more}; {place.fetch_command}"
        )
    return {name: state[name].to(like.dtype).contiguous() for name, like in wanted.items()}


def _fill(module: nn.Module, state: Mapping[str, Any], place: _Place) -> None:
    path = place.safetensors if place.safetensors.is_file() else place.pth
    module.load_state_dict(_checked(state, module, path, place), strict=True, assign=True)


def _write(place: _Place, state: State) -> Path:
    metadata = {"format": "pt"}
    if place.listed is not None and place.listed.sha256 is not None:
        metadata[_SOURCE_KEY] = place.listed.sha256
    part = place.safetensors.with_suffix(".part")
    save_file(dict(state), part, metadata)
    part.replace(place.safetensors)
    return place.safetensors
