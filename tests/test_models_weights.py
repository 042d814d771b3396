from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from models import weights
from models.__main__ import app
from models.errors import ChecksumError, MissingWeightsError, WeightsError
from models.weights import load_manifest, path_of, record, sha256_of, verify


def write_manifest(root: Path, url: str | None = None) -> Path:
    """A weights folder with one file and one folder, and their manifest."""
    (root / "net").mkdir(parents=True)
    (root / "face.bin").write_bytes(b"face")
    (root / "net" / "a.bin").write_bytes(b"aa")
    (root / "net" / "b.bin").write_bytes(b"bbb")
    common = {"licence": "MIT", "source": "make it", "about": "a test", "files": {}}
    content = {
        "weights": {"face": {"path": "face.bin", **common}, "net": {"path": "net", **common}}
    }
    (root / "manifest.yaml").write_text(yaml.safe_dump(content))
    record("face", root)
    record("net", root)
    if url is not None:
        content = yaml.safe_load((root / "manifest.yaml").read_text())
        content["weights"]["face"]["files"]["face.bin"]["url"] = url
        (root / "manifest.yaml").write_text(yaml.safe_dump(content))
    return root


def test_recorded_weights_are_found_and_verified(tmp_path: Path) -> None:
    root = write_manifest(tmp_path)
    assert path_of("face", root) == root / "face.bin"
    assert path_of("net", root) == root / "net"
    entry = load_manifest(root)["net"]
    assert [f.file for f in entry.files] == ["net/a.bin", "net/b.bin"]
    assert entry.shipped


def test_missing_damaged_and_shortened_files_are_told_apart(tmp_path: Path) -> None:
    root = write_manifest(tmp_path)
    path_of("face", root)  # a verified file is not trusted for ever
    (root / "face.bin").write_bytes(b"fake")
    with pytest.raises(ChecksumError, match="another sha256"):
        path_of("face", root)
    (root / "face.bin").write_bytes(b"fac")
    with pytest.raises(ChecksumError, match="3 bytes, not 4"):
        path_of("face", root)
    (root / "face.bin").unlink()
    with pytest.raises(MissingWeightsError, match="is made by: make it"):
        path_of("face", root)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="known: face, net"):
        path_of("voice", write_manifest(tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2",
        "weights: 3",
        "other: {}",
        "weights: {face: {path: x}}",
        "weights: {a: {path: x, licence: x, source: x, about: x,"
        " files: {../x: {bytes: 1, sha256: x}}}}",
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.yaml").write_text(text)
    with pytest.raises(WeightsError, match="is not a weights manifest"):
        load_manifest(tmp_path)


def test_no_manifest_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="no weights manifest"):
        load_manifest(tmp_path)


def test_fetching_brings_missing_and_damaged_files(tmp_path: Path) -> None:
    far = tmp_path / "far.bin"
    far.write_bytes(b"face")
    root = write_manifest(tmp_path / "weights", far.as_uri())
    entry = load_manifest(root)["face"]
    assert not entry.shipped
    (root / "face.bin").unlink()
    with pytest.raises(MissingWeightsError, match="python -m models fetch face"):
        verify(entry, root)
    heard: list[int] = []
    weights.fetch(entry, root, lambda _, fresh: heard.append(fresh))
    assert sum(heard) == 4
    (root / "face.bin").write_bytes(b"fake")
    weights.fetch(entry, root)
    assert sha256_of(root / "face.bin") == entry.files[0].sha256
    far.unlink()
    weights.fetch(entry, root)  # nothing is missing, so nothing is asked for


@pytest.mark.parametrize(
    ("sent", "said"), [(b"fake", "has sha256"), (b"face and more", "is longer than 4 bytes")]
)
def test_other_bytes_never_get_the_files_name(tmp_path: Path, sent: bytes, said: str) -> None:
    far = tmp_path / "far.bin"
    far.write_bytes(sent)
    root = write_manifest(tmp_path / "weights", far.as_uri())
    (root / "face.bin").unlink()
    with pytest.raises(ChecksumError, match=said):
        weights.fetch(load_manifest(root)["face"], root)
    assert [p.name for p in root.glob("face*")] == []


def test_an_address_that_does_not_answer_is_named(tmp_path: Path) -> None:
    root = write_manifest(tmp_path / "weights", (tmp_path / "nothing").as_uri())
    (root / "face.bin").unlink()
    with pytest.raises(MissingWeightsError, match="cannot fetch file:"):
        weights.fetch(load_manifest(root)["face"], root)


def test_recording_keeps_addresses_and_refuses_what_is_not_there(tmp_path: Path) -> None:
    root = write_manifest(tmp_path, "https://example.org/face.bin")
    (root / "face.bin").write_bytes(b"a new face")
    record("face", root)
    (file,) = load_manifest(root)["face"].files
    assert (file.bytes, file.url) == (10, "https://example.org/face.bin")
    (root / "face.bin").unlink()
    with pytest.raises(MissingWeightsError, match="no file at"):
        record("face", root)
    with pytest.raises(WeightsError, match="unknown weights 'voice'"):
        record("voice", root)


def test_the_repositorys_own_weights_are_whole() -> None:
    manifest = load_manifest()
    assert {"face-landmarker", "speech-encoder"} <= set(manifest)
    for entry in manifest.values():
        assert entry.files
        assert entry.licence
        if entry.shipped:
            verify(entry)


def test_the_command_line_lists_and_verifies() -> None:
    listed = CliRunner().invoke(app, ["list"])
    assert listed.exit_code == 0
    assert "face-landmarker" in listed.output
    verified = CliRunner().invoke(app, ["verify", "face-landmarker"])
    assert (verified.exit_code, verified.output) == (0, "face-landmarker: ok\n")
    refused = CliRunner().invoke(app, ["verify", "nothing"])
    assert refused.exit_code != 0
    assert isinstance(refused.exception, WeightsError)
