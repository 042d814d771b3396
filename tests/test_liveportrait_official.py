"""Loading the official files: seeded weights are saved as the official ones are published."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor

from liveportrait.networks import official
from liveportrait.networks.networks import Networks
from liveportrait.networks.official import convert_weights, load_networks
from models.errors import ChecksumError, MissingWeightsError, WeightsError
from models.weights import load_manifest, sha256_of
from tests.liveportrait_fixtures import golden_json

BASE = "liveportrait/base_models"
ANIMALS = "liveportrait_animals/base_models_v1.1"
APPEARANCE = f"{BASE}/appearance_feature_extractor.pth"
RETARGETING = "liveportrait/retargeting_models/stitching_retargeting_module.pth"
BASE_NAMES = (
    "appearance_feature_extractor",
    "motion_extractor",
    "warping_module",
    "spade_generator",
)
FETCH = "python -m models fetch liveportrait"


def retargeting_file(networks: Networks) -> dict[str, Any]:
    """The published layout: a dict for each network, and something that nothing uses."""
    small = networks.retargeting
    return {
        "retarget_shoulder": {f"module.{k}": v for k, v in small.stitching.state_dict().items()},
        "retarget_mouth": dict(small.lip.state_dict()),
        "retarget_eye": {f"module.{k}": v for k, v in small.eye.state_dict().items()},
        "something_else": {"step": 7, "moments": [torch.zeros(3)]},
    }


def write_pth(root: Path, file: str, content: object) -> None:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, root / file)


def write_manifest(root: Path, known: bool = True) -> None:
    """List all files under ``root``; with ``known`` false, without bytes and sha256."""
    entries = {}
    for name, folder in (("liveportrait", "liveportrait"), ("liveportrait-animals", ANIMALS)):
        files = {
            path.relative_to(root).as_posix(): {
                "bytes": path.stat().st_size if known else None,
                "sha256": sha256_of(path) if known else None,
                "url": f"https://example.org/{path.name}",
            }
            for path in root.rglob("*.pth")
            if path.relative_to(root).as_posix().startswith(f"{folder}/")
        }
        address: dict[str, Any] = {
            "bytes": None,
            "sha256": None,
            "url": "https://example.org/other",
        }
        files = files or {f"{folder}/other": address}
        about = {"path": folder, "licence": "MIT", "source": "a test", "about": "seeded"}
        entries[name] = {**about, "files": files}
    (root / "manifest.yaml").write_text(yaml.safe_dump({"weights": entries}))


def states(networks: Networks) -> dict[str, Mapping[str, Tensor]]:
    return {name: module.state_dict() for name, module in networks.by_official_name().items()}


def assert_same(ours: Networks, theirs: Networks, names: tuple[str, ...]) -> None:
    for name in names:
        expected, got = states(theirs)[name], states(ours)[name]
        assert list(got) == list(expected)
        assert all(torch.equal(got[key], expected[key]) for key in expected), name


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seeded: Networks) -> Path:
    """A weights folder of which only the smallest base network and the MLPs are looked for."""
    monkeypatch.setattr(official, "_BASE_NAMES", ("appearance_feature_extractor",))
    write_pth(tmp_path, APPEARANCE, seeded.appearance.state_dict())
    write_pth(tmp_path, RETARGETING, retargeting_file(seeded))
    write_manifest(tmp_path)
    return tmp_path


SMALL = ("appearance_feature_extractor", "stitching", "lip", "eye")


def test_all_published_files_load_to_the_bit(tmp_path: Path, seeded: Networks) -> None:
    for name in BASE_NAMES:
        module = seeded.by_official_name()[name]
        write_pth(tmp_path, f"{BASE}/{name}.pth", module.state_dict())
        (tmp_path / ANIMALS).mkdir(parents=True, exist_ok=True)
        os.link(tmp_path / f"{BASE}/{name}.pth", tmp_path / f"{ANIMALS}/{name}.pth")
    write_pth(tmp_path, RETARGETING, retargeting_file(seeded))
    write_manifest(tmp_path)
    loaded = load_networks(tmp_path)
    assert_same(loaded, seeded, (*BASE_NAMES, "stitching", "lip", "eye"))
    modules = [*loaded.by_official_name().values(), loaded.retargeting]
    assert not any(module.training for module in modules)
    assert not any(p.requires_grad or p.is_meta for module in modules for p in module.parameters())
    # the animal networks are files of their own, with the human stitching
    (tmp_path / APPEARANCE).unlink()
    assert_same(load_networks(tmp_path, "animal"), seeded, BASE_NAMES)


def test_the_manifest_lists_every_official_file_with_its_published_digest() -> None:
    manifest = load_manifest()
    listed = {f.file: f for entry in manifest.values() for f in entry.files}
    for known in golden_json("weight_files"):
        file = listed[known["path"]]
        assert (file.bytes, file.sha256) == (known["bytes"], known["sha256"])
        assert file.url is not None
        assert file.url.startswith("https://")
        assert file.url.endswith(known["path"])
    for name in BASE_NAMES:
        assert listed[f"{ANIMALS}/{name}.pth"].sha256 is None
    assert "non-commercial" in manifest["insightface"].licence


def test_a_converted_folder_loads_without_its_pth(small: Path, seeded: Networks) -> None:
    written = convert_weights(small)
    assert written == [
        (small / APPEARANCE).with_suffix(".safetensors"),
        (small / RETARGETING).with_suffix(".safetensors"),
    ]
    (small / APPEARANCE).unlink()
    (small / RETARGETING).unlink()
    assert_same(load_networks(small), seeded, SMALL)
    with pytest.raises(MissingWeightsError, match=f"no official .pth file .*{FETCH}"):
        convert_weights(small)


def test_a_conversion_of_another_file_is_noticed(small: Path, seeded: Networks) -> None:
    convert_weights(small)
    state = {k: v + 1 for k, v in seeded.appearance.state_dict().items()}
    write_pth(small, APPEARANCE, state)
    write_manifest(small)
    with pytest.raises(ChecksumError, match="made from another appearance_feature"):
        load_networks(small)


def test_safetensors_published_elsewhere_load(small: Path, seeded: Networks) -> None:
    save_file(
        dict(seeded.appearance.state_dict()), (small / APPEARANCE).with_suffix(".safetensors")
    )
    flat = {
        f"{part}.{key.removeprefix('module.')}": value
        for part, state in retargeting_file(seeded).items()
        if part != "something_else"
        for key, value in state.items()
    }
    save_file(flat, (small / RETARGETING).with_suffix(".safetensors"))
    (small / APPEARANCE).unlink()
    (small / RETARGETING).unlink()
    assert_same(load_networks(small), seeded, SMALL)


def test_a_folder_without_manifest_is_held_to_the_official_digests(small: Path) -> None:
    (small / "manifest.yaml").unlink()
    with pytest.raises(ChecksumError, match=f"bytes, not 3387959; run: {FETCH}"):
        load_networks(small)


def test_missing_file(small: Path) -> None:
    (small / APPEARANCE).unlink()
    with pytest.raises(MissingWeightsError, match=f"extractor.pth is missing; run: {FETCH}$"):
        load_networks(small)
    with pytest.raises(MissingWeightsError, match=f"run: {FETCH}-animals$"):
        load_networks(small, "animal")


def test_truncated_file(small: Path) -> None:
    whole = (small / APPEARANCE).read_bytes()
    (small / APPEARANCE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ChecksumError, match=rf"has \d+ bytes, not {len(whole)}; run: {FETCH}"):
        load_networks(small)
    write_manifest(small, known=False)
    with pytest.raises(WeightsError, match=f"damaged or no torch weight file .*; run: {FETCH}"):
        load_networks(small)


def test_one_wrong_byte(small: Path) -> None:
    content = bytearray((small / APPEARANCE).read_bytes())
    content[len(content) // 2] ^= 1
    (small / APPEARANCE).write_bytes(content)
    with pytest.raises(ChecksumError, match=f"another sha256 than the manifest; run: {FETCH}"):
        load_networks(small)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\x03\x04 not a zip after all"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_that_holds_no_weights(small: Path, content: bytes, suffix: str) -> None:
    write_manifest(small, known=False)
    (small / APPEARANCE).with_suffix(suffix).write_bytes(content)
    with pytest.raises(WeightsError, match=rf"extractor\{suffix} is damaged or no"):
        load_networks(small)


def test_a_pickle_that_would_run_code_is_refused(small: Path) -> None:
    touched = small / "touched"

    class Touch:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (touched,)

    write_pth(small, APPEARANCE, {"first.conv.weight": Touch()})
    write_manifest(small)
    with pytest.raises(WeightsError, match="damaged or no torch weight file"):
        load_networks(small)
    assert not touched.exists()


def test_another_networks_file_under_this_name(small: Path, seeded: Networks) -> None:
    write_pth(small, APPEARANCE, seeded.retargeting.lip.state_dict())
    write_manifest(small)
    with pytest.raises(
        WeightsError,
        match=f"another network than appearance_feature_extractor: no .* more; run: {FETCH}",
    ):
        load_networks(small)
    write_pth(small, APPEARANCE, [torch.zeros(1)])
    write_manifest(small)
    with pytest.raises(WeightsError, match="holds a list, not named tensors"):
        load_networks(small)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"second.bias": None}, "no second.bias;"),
        ({"third.bias": torch.zeros(2)}, "unknown third.bias;"),
        ({"second.bias": torch.zeros(2)}, r"second.bias is \[2\], not \[512\];"),
        ({"second.bias": torch.zeros(512, dtype=torch.int32)}, "second.bias is torch.int32, not"),
    ],
)
def test_one_tensor_too_few_too_many_or_of_another_kind(
    small: Path, seeded: Networks, change: dict[str, Tensor | None], said: str, suffix: str
) -> None:
    state = {**seeded.appearance.state_dict(), **change}
    kept = {k: v for k, v in state.items() if v is not None}
    if suffix == ".pth":
        write_pth(small, APPEARANCE, kept)
    else:
        save_file(kept, (small / APPEARANCE).with_suffix(suffix))
    write_manifest(small)
    with pytest.raises(WeightsError, match=rf"extractor\{suffix} holds another network.*: {said}"):
        load_networks(small)


def test_a_retargeting_file_without_one_of_its_networks(small: Path, seeded: Networks) -> None:
    content = retargeting_file(seeded)
    del content["retarget_eye"]
    write_pth(small, RETARGETING, content)
    write_manifest(small)
    with pytest.raises(WeightsError, match=f"has no 'retarget_eye'; run: {FETCH}"):
        load_networks(small)
    content = retargeting_file(seeded)
    content["retarget_mouth"]["mlp.0.bias"] = torch.zeros(1)
    write_pth(small, RETARGETING, content)
    write_manifest(small)
    with pytest.raises(WeightsError, match=r"mlp.0.bias is \[1\], not \[128\]"):
        load_networks(small)


def test_half_precision_files_become_float32(small: Path, seeded: Networks) -> None:
    half = {
        k: v.half() if v.is_floating_point() else v
        for k, v in seeded.appearance.state_dict().items()
    }
    write_pth(small, APPEARANCE, half)
    write_manifest(small)
    weight = load_networks(small).appearance.second.weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, half["second.weight"].float())


def test_converted_tensors_are_the_files(small: Path, seeded: Networks) -> None:
    converted = load_file(convert_weights(small)[1])
    assert len(converted) == 8 + 8 + 12
    expected = seeded.retargeting.eye.state_dict()["mlp.0.weight"]
    assert torch.equal(converted["retarget_eye_module.mlp.0.weight"], expected)
