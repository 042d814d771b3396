import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from models.device import DevicePolicy
from models.errors import MissingWeightsError, WeightsError
from models.shapes import FloatArray
from models.speech import SpeechFeatures, concatenate, loudness_db
from models.speech_encoder import EncodedHop, EncoderWindow, SpeechEncoder
from models.speech_networks import load_speech_network
from tests.speech_encoder_fixtures import write_encoder, write_hubert, write_moonshine

TORCH = DevicePolicy(backend="torch")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> SpeechEncoder:
    return SpeechEncoder.load(write_encoder(tmp_path_factory.mktemp("encoder")), TORCH)


def noise(samples: int, seed: int = 0) -> FloatArray:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def finals(hops: list[EncodedHop]) -> SpeechFeatures:
    return concatenate([hop.final for hop in hops])


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_a_published_directory_loads_as_transformers_reads_it(
    tmp_path: Path, norm: str, file: str
) -> None:
    folder = write_encoder(tmp_path, norm, file=file, do_normalize=False)
    encoder = SpeechEncoder.load(folder, TORCH)
    assert encoder.dim == 24
    wave = noise(16_000)
    reference = transformers.Wav2Vec2ForCTC.from_pretrained(folder).eval().wav2vec2
    with torch.inference_mode():
        states = reference(torch.from_numpy(wave)[None]).last_hidden_state[0].numpy()
    # frame 10 is centred on sample 10.5 * 640 - 0.5, state j on sample 320 j + 199.5
    place = (10.5 * 640 - 0.5 - 199.5) / 320
    share = place - int(place)
    expected = states[int(place)] * (1 - share) + states[int(place) + 1] * share
    np.testing.assert_allclose(encoder.encode_whole(wave).embeddings[10], expected, atol=1e-5)


def test_a_hubert_directory_loads_as_transformers_reads_it(tmp_path: Path) -> None:
    folder = write_hubert(tmp_path)
    wave = noise(16_000)
    reference = transformers.HubertModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        states = reference(torch.from_numpy(wave)[None]).last_hidden_state[0].numpy()
        loaded = load_speech_network(folder).module(torch.from_numpy(wave)[None])[0].numpy()
    np.testing.assert_array_equal(loaded, states)


def test_moonshines_encoder_is_read_from_the_whole_recogniser(tmp_path: Path) -> None:
    folder = write_moonshine(tmp_path)
    encoder = SpeechEncoder.load(folder, TORCH)
    assert encoder.dim == 32
    wave = noise(16_000)
    reference = transformers.MoonshineForConditionalGeneration.from_pretrained(folder).eval()
    with torch.inference_mode():
        states = reference.model.encoder(torch.from_numpy(wave)[None]).last_hidden_state[0].numpy()
    # frame 10 is centred on sample 10.5 * 640 - 0.5, state j on sample 384 j + 447
    place = (10.5 * 640 - 0.5 - 447) / 384
    share = place - int(place)
    expected = states[int(place)] * (1 - share) + states[int(place) + 1] * share
    np.testing.assert_allclose(encoder.encode_whole(wave).embeddings[10], expected, atol=1e-5)


def test_weights_that_run_code_are_refused(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path, file="pytorch_model.bin")
    torch.save({"x": Path("/")}, folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="cannot be read"):
        SpeechEncoder.load(folder, TORCH)


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(0, 9_000), min_size=1, max_size=14))
def test_packets_of_any_size_give_the_features_of_the_file(
    encoder: SpeechEncoder, sizes: list[int]
) -> None:
    wave = noise(sum(sizes))
    stream = encoder.start()
    hops: list[EncodedHop] = []
    for part in np.split(wave, np.cumsum(sizes)[:-1]):
        hops += stream.push(part)
    hops += stream.finish()
    whole = encoder.encode(wave)
    assert len(whole) == -(-len(wave) // 640)
    assert [hop.start_frame for hop in hops] == list(range(0, len(whole), 5))
    if hops:
        streamed = finals(hops)
        np.testing.assert_array_equal(streamed.embeddings, whole.embeddings)
        np.testing.assert_array_equal(streamed.loudness_db, whole.loudness_db)


def test_a_hop_comes_as_soon_as_its_lookahead_is_there(encoder: SpeechEncoder) -> None:
    stream = encoder.start()
    assert stream.push(noise(10 * 640 - 1)) == []
    (hop,) = stream.push(noise(1))
    assert (hop.start_frame, len(hop.final), len(hop.lookahead)) == (0, 5, 5)


def test_the_lookahead_is_a_first_view_of_the_next_hop(encoder: SpeechEncoder) -> None:
    wave = noise(30 * 640)
    hops = encoder.start().push(wave)
    for hop, following in pairwise(hops):
        np.testing.assert_array_equal(hop.lookahead.loudness_db, following.final.loudness_db)
        change = np.abs(hop.lookahead.embeddings - following.final.embeddings).mean()
        assert 0 < change < np.abs(following.final.embeddings).mean()


def test_loudness_is_that_of_the_samples(encoder: SpeechEncoder) -> None:
    wave = noise(12_345)
    np.testing.assert_allclose(encoder.encode(wave).loudness_db, loudness_db(wave), atol=1e-5)


def test_windows_stay_near_one_pass_over_a_short_voice(tmp_path: Path) -> None:
    window = EncoderWindow(left_frames=0, hop_frames=25, lookahead_frames=0)
    folder = write_encoder(tmp_path, "layer", do_normalize=True)
    encoder = SpeechEncoder.load(folder, TORCH, window)
    wave = noise(16_000)
    whole, windowed = encoder.encode_whole(wave), encoder.encode(wave)
    np.testing.assert_allclose(windowed.embeddings, whole.embeddings, atol=1e-5)


def test_rewinding_is_as_if_the_forgotten_voice_never_came(encoder: SpeechEncoder) -> None:
    first, forgotten, second = noise(40 * 640, 1), noise(17 * 640 + 5, 2), noise(30 * 640, 3)
    stream = encoder.start()
    before = stream.push(first) + stream.push(forgotten)
    stream.rewind(40)
    after = stream.push(second) + stream.finish()
    assert after[0].start_frame == 40
    fresh = encoder.encode(np.concatenate([first, second]))
    np.testing.assert_array_equal(finals(after).embeddings, fresh.embeddings[40:])
    kept = [hop for hop in before if hop.start_frame < 35]  # their look-ahead was not forgotten
    np.testing.assert_array_equal(finals(kept).embeddings, fresh.embeddings[:35])


def test_rewinding_to_what_is_not_encoded_yet_keeps_its_hops_coming(
    encoder: SpeechEncoder,
) -> None:
    stream = encoder.start()
    hops = stream.push(noise(28 * 640))
    assert hops[-1].start_frame == 15
    stream.rewind(25)
    assert [h.start_frame for h in stream.push(noise(5 * 640, 1))] == [20]


def test_a_finished_voice_can_be_rewound_into_and_goes_on(encoder: SpeechEncoder) -> None:
    stream = encoder.start()
    stream.push(noise(9 * 640 + 100))
    stream.finish()
    stream.rewind(10)
    after = stream.push(noise(10 * 640, 1)) + stream.finish()
    assert [hop.start_frame for hop in after] == [10, 15]


@pytest.mark.parametrize(("frame", "said"), [(3, "multiples of 5"), (25, "not among those kept")])
def test_senseless_rewinds_are_refused(encoder: SpeechEncoder, frame: int, said: str) -> None:
    stream = encoder.start()
    stream.push(noise(20 * 640))
    with pytest.raises(ValueError, match=said):
        stream.rewind(frame)


def test_silence_is_no_error(encoder: SpeechEncoder) -> None:
    features = encoder.encode(np.zeros(8_000, np.float32))
    assert np.isfinite(features.embeddings).all()
    assert (features.loudness_db == -80).all()


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_silence_after_silence_costs_no_pass_and_gives_the_same(
    tmp_path: Path, norm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_encoder(tmp_path, norm)
    used, fresh = SpeechEncoder.load(folder, TORCH), SpeechEncoder.load(folder, TORCH)
    silence = np.zeros(used.window.frames * 640, np.float32)
    used.encode_window(silence, slice(0, len(silence)))
    used.encode_window(noise(len(silence)), slice(0, len(silence)))
    expected = fresh.encode_window(silence, slice(6400, len(silence)))
    monkeypatch.setattr(used, "_compiled", None)  # no pass is possible any more
    heard = used.encode_window(silence, slice(6400, len(silence)))
    np.testing.assert_array_equal(heard, expected)
    with pytest.raises(TypeError):
        used.encode_window(noise(len(silence)), slice(0, len(silence)))


def test_no_voice_has_no_frames(encoder: SpeechEncoder) -> None:
    for features in (
        encoder.encode(np.zeros(0, np.float32)),
        encoder.encode_whole(np.zeros(0, np.float32)),
    ):
        assert features.embeddings.shape == (0, 24)


def test_normalising_encoders_do_not_hear_the_gain(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path, do_normalize=True)
    wave = noise(16_000)
    encoder = SpeechEncoder.load(folder, TORCH)
    quiet, loud = encoder.encode(wave).embeddings, encoder.encode(4 * wave).embeddings
    np.testing.assert_allclose(quiet, loud, atol=1e-3)
    (folder / "preprocessor_config.json").write_text('{"do_normalize": false}')
    raw = SpeechEncoder.load(folder, TORCH).encode(wave).embeddings
    assert np.abs(raw - quiet).max() > 1e-2


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_openvino_gives_torchs_features(tmp_path: Path, norm: str) -> None:
    folder = write_encoder(tmp_path / "encoder", norm)
    compare_openvino(folder, tmp_path / "cache")


def test_openvino_gives_torchs_features_of_moonshine(tmp_path: Path) -> None:
    compare_openvino(write_moonshine(tmp_path / "encoder"), tmp_path / "cache")


def compare_openvino(folder: Path, cache_dir: Path) -> None:
    network = load_speech_network(folder)
    wave = noise(9_000)
    reference = SpeechEncoder(network, TORCH).encode(wave)
    fast = SpeechEncoder(network, DevicePolicy(backend="openvino"), cache_dir=cache_dir)
    np.testing.assert_allclose(
        fast.encode(wave).embeddings, reference.embeddings, atol=2e-4, rtol=1e-3
    )


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match=r"config\.json is missing"):
        SpeechEncoder.load(tmp_path, TORCH)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MissingWeightsError, match=r"accepted: model\.safetensors"):
        SpeechEncoder.load(tmp_path, TORCH)


def test_other_models_and_rates_are_refused(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "a", model_type="bert")
    with pytest.raises(WeightsError, match="'bert' model; accepted: hubert, moonshine, wav2vec2"):
        SpeechEncoder.load(folder, TORCH)
    folder = write_encoder(tmp_path / "c")
    (folder / "preprocessor_config.json").write_text('{"sampling_rate": 8000}')
    with pytest.raises(WeightsError, match="accepted: 16000 Hz"):
        SpeechEncoder.load(folder, TORCH)


def test_weights_that_do_not_fill_the_network_are_refused(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(WeightsError, match=r"lacks \d+ weights, the first: encoder.layers.2"):
        SpeechEncoder.load(folder, TORCH)


@pytest.mark.parametrize("damage", [b"", b"not a tensor file at all"])
def test_damaged_weights_are_refused(tmp_path: Path, damage: bytes) -> None:
    folder = write_encoder(tmp_path)
    (folder / "model.safetensors").write_bytes(damage)
    with pytest.raises(WeightsError, match="cannot be read"):
        SpeechEncoder.load(folder, TORCH)
