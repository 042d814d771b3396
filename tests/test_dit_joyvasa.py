"""JoyVASA against the official implementation, on seeded weights (golden/motion/README.md)."""

import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dit.published.joyvasa import DenoisingNetwork, JoyvasaNetwork, Positions
from dit.published.joyvasa_audio import VoiceFeatures, hubert_base, padded_window
from dit.published.joyvasa_checkpoint import (
    NETWORK_FILE,
    TEMPLATE_FILE,
    JoyvasaCheckpoint,
    load_joyvasa,
    newer_spelling,
)
from dit.published.joyvasa_template import load_template, with_smooth_pose
from dit.published.joyvasa_vectors import VectorStream
from dit.published.joyvasa_windows import JoyvasaSampling, JoyvasaWindows, WindowPlan
from dit.sampler import cosine_alpha_bars
from models.device import DevicePolicy
from models.errors import ChecksumError, ConfigError, MissingWeightsError, WeightsError
from models.motion import Motion, concatenate, rotation_matrix
from models.shapes import AnyArray, FloatArray
from tests.published_joyvasa import template_numbers, write_files
from tests.published_weights import golden_motion, seeded_parameters, tensor_list

POLICY = DevicePolicy("cpu", "fp32", "torch")
NETWORK_TOLERANCE, PIPELINE_TOLERANCE = 2e-5, 1e-4


def assert_close(ours: AnyArray, theirs: AnyArray, tolerance: float = NETWORK_TOLERANCE) -> None:
    """Largest error as a share of the largest value."""
    assert ours.shape == theirs.shape
    assert np.isfinite(ours).all()
    assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()


def wave(pcm: AnyArray) -> FloatArray:
    return (pcm / np.float32(32768)).astype(np.float32)


@dataclass(frozen=True)
class GivenNoise:
    """The noise that the official code drew: of windows in order, first steps first."""

    start_noise: FloatArray  # [100, 73]
    steps: FloatArray  # [W, 49, 1, 100, 73]

    def start(self, frames: range) -> FloatArray:
        return self.start_noise[: len(frames)]

    def step(self, window: int, index: int, shape: tuple[int, ...]) -> FloatArray:
        noise: FloatArray = self.steps[window // 100, index]
        assert noise.shape == shape
        return noise


def test_the_recipe_gives_the_listed_weights() -> None:
    parameters = seeded_parameters("joyvasa")
    listed = {t["name"]: t for t in tensor_list("joyvasa")["tensors"] if t["kind"] == "param"}
    assert parameters.keys() == listed.keys()
    for name, tensor in parameters.items():
        assert tensor.flatten()[0].item() == pytest.approx(listed[name]["first"], rel=1e-6)
        assert tensor.double().sum().item() == pytest.approx(listed[name]["sum"], abs=1e-3)


def test_names_and_shapes_are_the_official_ones() -> None:
    with torch.device("meta"):
        ours = JoyvasaNetwork(hubert_base()).state_dict()
    listed = {t["name"]: t for t in tensor_list("joyvasa")["tensors"]}
    assert ours.keys() == listed.keys()
    for name, tensor in ours.items():
        assert list(tensor.shape) == listed[name]["shape"], name
        assert str(tensor.dtype).removeprefix("torch.") == listed[name]["dtype"], name


def test_tables_are_the_official_ones(joyvasa: JoyvasaCheckpoint) -> None:
    golden, computed = golden_motion("joyvasa/buffers"), DenoisingNetwork().state_dict()
    assert_close(computed["TE.pe"][0, :60].numpy(), golden["TE_pe_first_60"])
    assert_close(computed["PE.pe"][0, :120].numpy(), golden["PE_pe_first_120"])
    alpha_bars = golden["diffusion_sched.alpha_bars"]
    np.testing.assert_array_equal(joyvasa.schedule.alpha_bars, alpha_bars)
    assert_close(cosine_alpha_bars(50, least_beta=1e-4), alpha_bars)


def test_the_file_loads_whole(joyvasa: JoyvasaCheckpoint) -> None:
    state = joyvasa.network.state_dict()
    for name, tensor in seeded_parameters("joyvasa").items():
        assert torch.equal(state[name], tensor), name
    # whatever a file says about it, the step table is computed
    assert torch.equal(state["denoising_net.TE.pe"], DenoisingNetwork().state_dict()["TE.pe"])
    assert not joyvasa.network.training


@pytest.mark.parametrize("positions", ["constant", "sequential"])
def test_denoiser(joyvasa: JoyvasaCheckpoint, positions: Positions) -> None:
    golden = golden_motion("joyvasa/denoiser")
    network = DenoisingNetwork(positions)
    network.load_state_dict(joyvasa.network.denoising_net.state_dict())
    names = ("motion", "audio", "prev_motion", "prev_audio", "step")
    with torch.inference_mode():
        out = network(*(torch.from_numpy(golden[name]) for name in names)).numpy()
    assert_close(out, golden[f"out_{positions}"])


def test_audio_features(joyvasa: JoyvasaCheckpoint) -> None:
    golden = golden_motion("joyvasa/audio")
    padded = padded_window(wave(golden["audio_int16"]))
    assert len(padded) == golden["padded_len"]
    np.testing.assert_array_equal(padded[:48], golden["padded_first_48"])
    np.testing.assert_array_equal(padded[-48:], golden["padded_last_48"])
    with torch.inference_mode():
        voice = torch.from_numpy(padded)[None]
        states = joyvasa.network.audio_encoder(voice).last_hidden_state[0]
        features = VoiceFeatures(joyvasa.network)(voice)[0]
    assert_close(states[::10].numpy(), golden["hidden_every_10"])
    assert_close(features.numpy(), golden["audio_feat"])
    with pytest.raises(ValueError, match=r"\[64000\]"):
        padded_window(padded)


def test_published_sampling(joyvasa: JoyvasaCheckpoint) -> None:
    golden = golden_motion("joyvasa/sample")
    windows = JoyvasaWindows(joyvasa, POLICY, JoyvasaSampling())
    assert windows.sampling.guidance == pytest.approx(float(golden["cfg_scale"]))
    noise = GivenNoise(golden["x_T"][0], golden["z"][None])
    plan = WindowPlan(0, noise.start(range(100)))
    out = windows.draw(plan, golden["audio_feat"][0], windows.before, noise)
    assert_close(out, golden["out_constant"][0])


def test_few_steps_are_ddims_on_the_published_table(joyvasa: JoyvasaCheckpoint) -> None:
    golden = golden_motion("joyvasa/sample")
    heard, x = golden["audio_feat"][0], golden["x_T"][0]
    windows = JoyvasaWindows(joyvasa, POLICY, JoyvasaSampling(steps=2, eta=0.0, guidance=1.0))
    noise = GivenNoise(x, np.zeros((1, 0), np.float32))
    drawn = windows.draw(WindowPlan(0, x), heard, windows.before, noise)
    bars = golden_motion("joyvasa/buffers")["diffusion_sched.alpha_bars"].astype(np.float64)
    clean = x0(joyvasa, x, heard, 50)
    eps = (x - np.sqrt(bars[50]) * clean) / np.sqrt(1 - bars[50])
    middle = (np.sqrt(bars[25]) * clean + np.sqrt(1 - bars[25]) * eps).astype(np.float32)
    assert_close(drawn, x0(joyvasa, middle, heard, 25))


def x0(joyvasa: JoyvasaCheckpoint, x: FloatArray, heard: FloatArray, step: int) -> FloatArray:
    network = joyvasa.network
    motion, voice = torch.from_numpy(x)[None], torch.from_numpy(heard)[None]
    past = (network.start_motion_feat, network.start_audio_feat)
    with torch.inference_mode():
        clean: Tensor = network.denoising_net(motion, voice, *past, torch.tensor([step]))
    return clean[0, 10:].numpy()


def test_whole_clip(joyvasa: JoyvasaCheckpoint) -> None:
    golden = golden_motion("joyvasa/pipeline")
    windows = JoyvasaWindows(joyvasa, POLICY, JoyvasaSampling())
    stream = VectorStream(windows, "chunk", GivenNoise(golden["x_T"][0], golden["z"]), 5)
    voice = wave(golden["audio_int16"])
    parts = [stream.push(packet) for packet in np.array_split(voice, 7)]
    vectors = np.concatenate([*parts, stream.finish()])
    assert len(vectors) == 165  # a frame for every 640 samples; the official code adds three
    motion = joyvasa.template.motion(vectors)
    assert_motion(motion, golden, "")
    halves = [with_smooth_pose(motion[:70], None)]
    halves.append(with_smooth_pose(motion[70:], halves[0][-1:]))
    assert_motion(concatenate(halves), golden, "_ema")


def assert_motion(motion: Motion, golden: dict[str, AnyArray], suffix: str) -> None:
    frames = len(motion)
    assert_close(motion.exp, golden["exp"][:frames], PIPELINE_TOLERANCE)
    for name in ("scale", "t", "pitch", "yaw", "roll"):
        theirs = golden[name + suffix][:frames]
        ours = getattr(motion, name).reshape(theirs.shape)
        assert_close(ours, theirs, PIPELINE_TOLERANCE)
    rotation = rotation_matrix(motion.pitch, motion.yaw, motion.roll)
    assert_close(rotation, golden["R" + suffix][:frames], PIPELINE_TOLERANCE)


def test_both_spellings_of_weight_norm() -> None:
    conv = "encoder.pos_conv_embed.conv"
    assert newer_spelling(f"{conv}.weight_g") == f"{conv}.parametrizations.weight.original0"
    assert newer_spelling(f"{conv}.weight_v") == f"{conv}.parametrizations.weight.original1"
    assert newer_spelling(f"{conv}.bias") == f"{conv}.bias"


def test_missing_files_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match=r"\.pt is missing; run: .* fetch joyvasa"):
        load_joyvasa(tmp_path)
    with pytest.raises(MissingWeightsError, match=r"\.pkl is missing; run: .* fetch joyvasa"):
        load_template(tmp_path / TEMPLATE_FILE)


def test_a_folder_among_the_weights_is_held_to_the_manifest(tmp_path: Path) -> None:
    write_files(tmp_path / "joyvasa", {})
    files = "{joyvasa/" + NETWORK_FILE + ": {bytes: 3, sha256: '00', url: 'https://example.org'}}"
    about = "path: joyvasa, licence: MIT, source: a test, about: seeded"
    (tmp_path / "manifest.yaml").write_text(f"weights: {{joyvasa: {{{about}, files: {files}}}}}")
    with pytest.raises(ChecksumError, match="fetch joyvasa"):
        load_joyvasa(tmp_path / "joyvasa")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"n_motions": 25}, "n_motions 25; accepted: 100"),
        ({"audio_model": "wav2vec2"}, "'wav2vec2'; accepted: hubert"),
        ({}, "another network than JoyVASA's: no audio_encoder"),
    ],
)
def test_other_generators_are_refused(
    tmp_path: Path, settings: dict[str, object], said: str
) -> None:
    write_files(tmp_path, {}, **settings)
    with pytest.raises(WeightsError, match=said):
        load_joyvasa(tmp_path)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"a_style.weight": torch.zeros(1)}, "unknown a_style"),
        ({"null_audio_feat": torch.zeros(2)}, r"null_audio_feat is not .* \[1, 1, 256\]"),
        ({"null_audio_feat": torch.full((1, 1, 256), torch.nan)}, "null_audio_feat .* finite"),
    ],
)
def test_what_is_wrong_with_a_tensor_is_said(
    tmp_path: Path, tensors: dict[str, Tensor], said: str
) -> None:
    with torch.device("meta"):
        names = JoyvasaNetwork(hubert_base()).state_dict()
    # as large as they say, in the file as small as one number
    others = {k: torch.zeros(1).expand(v.shape) for k, v in names.items()}
    write_files(tmp_path, {**others, **tensors})
    with pytest.raises(WeightsError, match=said):
        load_joyvasa(tmp_path)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    touched = tmp_path / "touched"

    class Touch:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (touched,)

    write_files(tmp_path, {"null_audio_feat": Touch()})  # type: ignore[dict-item]
    with pytest.raises(WeightsError, match="damaged or no torch weight file"):
        load_joyvasa(tmp_path)
    (tmp_path / TEMPLATE_FILE).write_bytes(pickle.dumps({"mean_exp": Touch()}))
    with pytest.raises(WeightsError, match="no motion template of JoyVASA"):
        load_template(tmp_path / TEMPLATE_FILE)
    assert not touched.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"std_exp": np.ones(3, np.float32)}, "std_exp holds 3 numbers, not 63"),
        ({"max_t": np.full(3, np.nan, np.float32)}, "highest_pose is not 7 finite numbers"),
    ],
)
def test_other_templates_are_refused(
    tmp_path: Path, change: dict[str, FloatArray], said: str
) -> None:
    path = tmp_path / "motion_template.pkl"
    path.write_bytes(pickle.dumps({**template_numbers(), **change}))
    with pytest.raises(WeightsError, match=said):
        load_template(path)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"steps": 51}, {"eta": 1.5}, {"guidance": -1.0}])
def test_sampling_outside_its_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="accepted"):
        JoyvasaSampling(**wrong)  # type: ignore[arg-type]
