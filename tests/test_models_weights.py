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
    with pytest.raises(MissingWeightsError, match=r"git checkout -- weights/.*made by: make it"):
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
        "weights: {a: {path: x, licence: x, source: x, about: x,"
        " files: {x: {bytes: null, sha256: null}}}}",
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


def unpublished(root: Path) -> None:
    """Take bytes and sha256 of the fetched file out of the manifest."""
    content = yaml.safe_load((root / "manifest.yaml").read_text())
    content["weights"]["face"]["files"]["face.bin"].update(bytes=None, sha256=None)
    (root / "manifest.yaml").write_text(yaml.safe_dump(content))


def test_a_file_without_published_digest_is_held_to_what_was_fetched(tmp_path: Path) -> None:
    far = tmp_path / "far.bin"
    far.write_bytes(b"a face of unknown size")
    root = write_manifest(tmp_path / "weights", far.as_uri())
    unpublished(root)
    entry = load_manifest(root)["face"]
    (root / "face.bin").unlink()
    with pytest.raises(MissingWeightsError, match="python -m models fetch face"):
        verify(entry, root)
    weights.fetch(entry, root)
    verify(entry, root)
    digest = sha256_of(far)
    assert (root / "face.bin.sha256").read_text() == f"{digest}  face.bin\n"
    (root / "face.bin").write_bytes(b"damaged")
    with pytest.raises(ChecksumError, match=r"another sha256 than face\.bin\.sha256"):
        verify(entry, root)
    weights.fetch(entry, root)
    assert sha256_of(root / "face.bin") == digest


def test_a_file_without_published_digest_may_be_put_there_by_hand(tmp_path: Path) -> None:
    root = write_manifest(tmp_path, (tmp_path / "nothing").as_uri())
    unpublished(root)
    (root / "face.bin").write_bytes(b"brought on a stick")
    entry = load_manifest(root)["face"]
    verify(entry, root)
    weights.fetch(entry, root)  # there is nothing to hold it to, so it is not fetched again
    assert (root / "face.bin").read_bytes() == b"brought on a stick"


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


def test_recording_a_fetched_folder_keeps_to_its_files(tmp_path: Path) -> None:
    root = write_manifest(tmp_path)
    content = yaml.safe_load((root / "manifest.yaml").read_text())
    for name, file in content["weights"]["net"]["files"].items():
        file["url"] = f"https://example.org/{name}"
    (root / "manifest.yaml").write_text(yaml.safe_dump(content))
    (root / "net" / "converted.safetensors").write_bytes(b"ours")
    record("net", root)
    assert [f.file for f in load_manifest(root)["net"].files] == ["net/a.bin", "net/b.bin"]
    (root / "net" / "b.bin").unlink()
    with pytest.raises(MissingWeightsError, match=r"no file at .*b\.bin"):
        record("net", root)


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


def test_the_command_line_is_polite_about_what_was_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = tmp_path / "far.bin"
    far.write_bytes(b"face")
    root = write_manifest(tmp_path / "weights", far.as_uri())
    (root / "face.bin").unlink()
    entries = load_manifest(root)
    monkeypatch.setattr(weights, "load_manifest", lambda: entries)
    monkeypatch.setattr(weights, "WEIGHTS_DIR", root)
    for command in (weights.verify, weights.fetch, weights.verify_file):
        monkeypatch.setattr(
            command,
            "__defaults__",
            tuple(root if isinstance(d, Path) else d for d in command.__defaults__ or ()),
        )
    runner = CliRunner()
    verified = runner.invoke(app, ["verify"])
    assert (verified.exit_code, verified.output) == (0, "face: not fetched\nnet: ok\n")
    asked = runner.invoke(app, ["fetch"])
    assert isinstance(asked.exception, WeightsError)
    assert asked.output == "face: a test [MIT]\n"  # and nothing was fetched
    assert not (root / "face.bin").exists()
    fetched = runner.invoke(app, ["fetch", "face"])
    assert fetched.exit_code == 0
    assert "face: MIT" in fetched.output
    assert runner.invoke(app, ["verify"]).output == "face: ok\nnet: ok\n"
    unpublished(root)
    entries.update(load_manifest(root))
    assert "face: ok (no published sha256)" in runner.invoke(app, ["verify"]).output
    assert "size unknown" in runner.invoke(app, ["list"]).output
