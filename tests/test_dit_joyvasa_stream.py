"""JoyVASA as a stream: packets, modes, rewinding, controls. A small encoder, the real denoiser."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dit.compose import EASE_FRAMES
from dit.controls import EASE_CHANGE_FRAMES, MotionControls
from dit.idle import idle_pose
from dit.published.absolute_lips import EYES, GAZE_POINTS, LIPS, UNIT
from dit.published.joyvasa_checkpoint import NETWORK_FILE
from dit.published.joyvasa_generator import JoyvasaGenerator, JoyvasaStream
from dit.published.joyvasa_vectors import HISTORY_FRAMES, Mode
from dit.published.joyvasa_windows import (
    JoyvasaSampling,
    JoyvasaWindows,
    SeededNoise,
    WindowPlan,
)
from dit.sample import sample
from models.device import DevicePolicy
from models.errors import ConfigError
from models.motion import Motion, concatenate
from models.shapes import FloatArray
from models.timing import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from tests.dit_fixtures import babble
from tests.published_joyvasa import small_joyvasa

POLICY = DevicePolicy("cpu", "fp32", "torch")
FAST = JoyvasaSampling(steps=1, eta=0.0, guidance=1.0)
GENERATOR = JoyvasaGenerator(small_joyvasa(), POLICY, FAST)
VOICE = babble(4.3, seed=5)  # a window, and a part of one


def whole(stream: JoyvasaStream, voice: FloatArray = VOICE) -> Motion:
    return concatenate([stream.push(voice), stream.finish()])


def in_packets(stream: JoyvasaStream, voice: FloatArray, size: int) -> Motion:
    parts = [stream.push(voice[i : i + size]) for i in range(0, len(voice), size)]
    return concatenate([*parts, stream.finish()])


def assert_same(ours: Motion, theirs: Motion) -> None:
    for field in fields(Motion):
        np.testing.assert_array_equal(getattr(ours, field.name), getattr(theirs, field.name))


@pytest.mark.parametrize(("mode", "size"), [("chunk", 333), ("live", 5_000)])
def test_packets_of_any_size_are_the_whole_file(mode: Mode, size: int) -> None:
    once = whole(GENERATOR.start(mode=mode, seed=3, hop_frames=20))
    assert len(once) == -(-len(VOICE) // SAMPLES_PER_FRAME)
    assert_same(in_packets(GENERATOR.start(mode=mode, seed=3, hop_frames=20), VOICE, size), once)


def test_seed_and_voice_decide() -> None:
    voice = VOICE[: 30 * SAMPLES_PER_FRAME]
    first, again, other = (whole(GENERATOR.start(mode="chunk", seed=s), voice) for s in (1, 1, 2))
    assert_same(first, again)
    assert not np.array_equal(first.exp, other.exp)
    quiet = whole(GENERATOR.start(mode="chunk", seed=1), np.zeros_like(voice))
    assert np.abs(quiet.exp - first.exp).max() > 1e-4


def test_live_gives_each_hop_as_soon_as_its_lookahead_is_there() -> None:
    stream = GENERATOR.start(mode="live", seed=0)
    assert stream.delay_frames == 7  # 5 + 5 - 1, less the two frames that lips come later
    given = []
    for frame in range(20):
        stream.push(VOICE[frame * SAMPLES_PER_FRAME : (frame + 1) * SAMPLES_PER_FRAME])
        given.append(stream.committed_frames)
    assert given == [0] * 7 + [5] * 5 + [10] * 5 + [15] * 3
    assert GENERATOR.start(mode="chunk", seed=0).delay_frames == 97


def test_frames_that_were_shown_are_kept_while_the_window_slides() -> None:
    """Past 4 s the window moves: what it holds must be what was given out."""
    stream = GENERATOR.start(mode="live", seed=0, hop_frames=20)
    shown = concatenate([stream.push(packet) for packet in np.array_split(babble(6.0), 25)])
    assert len(shown) == stream.committed_frames == 140
    steps = np.abs(np.diff(shown.exp, axis=0)).max((1, 2))
    assert steps[90:].max() < 2 * steps[:90].max()  # no jump where the window begins to slide


@pytest.mark.parametrize("mode", ["live", "chunk"])
def test_a_rewound_stream_repeats_itself(mode: Mode) -> None:
    voice = VOICE if mode == "chunk" else VOICE[: 40 * SAMPLES_PER_FRAME]
    stream = GENERATOR.start(mode=mode, seed=4)
    first = stream.push(voice)
    again_from = 15 if mode == "live" else 0
    stream.rewind(again_from)
    assert stream.committed_frames == again_from
    assert_same(stream.push(voice[again_from * SAMPLES_PER_FRAME :]), first[again_from:])


def test_rewinding_a_chunk_goes_on_from_what_was_shown() -> None:
    stream = GENERATOR.start(mode="chunk", seed=4)
    stream.push(VOICE)
    stream.rewind(5)
    motion = concatenate([stream.push(np.zeros(6400, np.float32)), stream.finish()])
    assert len(motion) == 10
    assert np.isfinite(motion.exp).all()


@pytest.mark.parametrize("frame", [7, 110, -5])
def test_rewinding_elsewhere_is_refused(frame: int) -> None:
    stream = GENERATOR.start(mode="chunk", seed=0)
    stream.push(VOICE)
    with pytest.raises(ValueError, match="cannot rewind to frame"):
        stream.rewind(frame)


def test_what_is_kept_is_bounded() -> None:
    stream = GENERATOR.start(mode="chunk", seed=0)
    voice = np.zeros((HISTORY_FRAMES + 300) * SAMPLES_PER_FRAME, np.float32)
    stream.push(voice)
    frames = stream.committed_frames
    assert frames == HISTORY_FRAMES + 300
    with pytest.raises(ValueError, match="from 410 to 1300"):
        stream.rewind(400)
    stream.rewind(1200)
    assert len(stream.push(voice[: 98 * SAMPLES_PER_FRAME])) == 100


def test_an_interrupted_face_leaves_its_mouth_smoothly() -> None:
    stream, plain = (GENERATOR.start(mode="live", seed=0) for _ in range(2))
    voice, silence = VOICE[: 30 * SAMPLES_PER_FRAME], np.zeros(20 * SAMPLES_PER_FRAME, np.float32)
    shown = stream.push(voice)
    stream.interrupt(15)
    after = stream.push(silence)
    assert len(after) > EASE_FRAMES
    plain.push(voice)
    plain.rewind(15)
    free = plain.push(silence)
    held = shown.exp[14, LIPS]
    eased, jumped = (np.abs(m.exp[0, LIPS] - held).max() for m in (after, free))
    assert eased < 0.2 * jumped
    np.testing.assert_allclose(after.exp[EASE_FRAMES:], free.exp[EASE_FRAMES:], atol=1e-6)
    with pytest.raises(ValueError, match="cannot interrupt at frame 500"):
        stream.interrupt(500)


def test_openvino_draws_what_torch_draws(tmp_path: Path) -> None:
    sampling = JoyvasaSampling(steps=2, eta=0.0)
    by_openvino = DevicePolicy("cpu", "fp32", "openvino")
    voice, noise = VOICE[:64_000], SeededNoise(1)
    plan, drawn = WindowPlan(0, noise.start(range(100))), []
    for policy in (by_openvino, POLICY):
        windows = JoyvasaWindows(small_joyvasa(), policy, sampling, tmp_path)
        drawn.append(windows.draw(plan, windows.features(voice), windows.before, noise))
    assert np.abs(drawn[0] - drawn[1]).max() < 1e-4 * np.abs(drawn[1]).max()


def test_the_first_frame_is_the_portraits_own_pose() -> None:
    motion = whole(GENERATOR.start(mode="chunk", seed=9))
    idle = idle_pose(np.arange(1), 9)
    assert motion.yaw[0] == pytest.approx(idle.yaw[0], abs=1e-4)
    np.testing.assert_allclose(motion.t[0], UNIT * idle.t[0], atol=1e-6)
    others = np.setdiff1d(np.arange(21), LIPS)
    np.testing.assert_array_equal(motion.exp[0, others], 0.0)
    assert np.abs(motion.exp[0, LIPS]).max() > 0.0


def controlled(
    *, head: float = 1.0, expression: float = 1.0, blink: float = 1.0, gaze: float = 1.0
) -> Motion:
    controls = MotionControls(head, expression, blink, gaze)
    return whole(GENERATOR.start(mode="chunk", seed=6, controls=controls))


def test_controls_act_on_their_part_alone() -> None:
    plain = controlled()
    still = controlled(head=0.0)
    np.testing.assert_array_equal(still.yaw, 0.0)
    np.testing.assert_array_equal(still.t, 0.0)
    np.testing.assert_array_equal(still.scale, 1.0)
    np.testing.assert_array_equal(still.exp, plain.exp)

    blank = controlled(expression=0.0)
    usual = GENERATOR.windows.template.mean_expression
    np.testing.assert_allclose(blank.exp[:, LIPS], np.tile(usual[LIPS], (len(blank), 1, 1)))
    np.testing.assert_array_equal(np.delete(blank.exp, LIPS, 1), 0.0)
    np.testing.assert_array_equal(blank.pitch, plain.pitch)

    open_eyed, staring = controlled(blink=0.0), controlled(gaze=0.0)
    np.testing.assert_array_equal(open_eyed.exp[:, EYES, 1], 0.0)
    np.testing.assert_array_equal(open_eyed.exp[:, GAZE_POINTS, 0], plain.exp[:, GAZE_POINTS, 0])
    np.testing.assert_array_equal(staring.exp[:, GAZE_POINTS, 0], 0.0)
    np.testing.assert_array_equal(staring.exp[:, EYES, 1], plain.exp[:, EYES, 1])
    np.testing.assert_array_equal(staring.exp[:, LIPS], plain.exp[:, LIPS])
    assert_same(controlled(blink=2.0), plain)  # the network blinks when it likes


def test_controls_change_while_it_runs() -> None:
    stream = GENERATOR.start(mode="live", seed=6)
    stream.push(VOICE[: 15 * SAMPLES_PER_FRAME])
    stream.controls = MotionControls(head=0.0)
    assert stream.controls.head == 0.0
    later = stream.push(VOICE[15 * SAMPLES_PER_FRAME : 45 * SAMPLES_PER_FRAME])
    assert len(later) == 30
    assert np.abs(later.yaw[0]) > 0.0  # it eases
    np.testing.assert_array_equal(later.yaw[EASE_CHANGE_FRAMES:], 0.0)


def test_dit_sample_takes_the_published_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, sound = tmp_path / "joyvasa", tmp_path / "voice.wav"
    (folder / NETWORK_FILE).parent.mkdir(parents=True)
    (folder / NETWORK_FILE).touch()
    soundfile.write(sound, babble(0.4), SAMPLE_RATE_HZ)
    monkeypatch.setattr(JoyvasaGenerator, "load", lambda *_: GENERATOR)
    out = tmp_path / "motion.npz"
    said = sample(sound, out, folder, tmp_path, "chunk", 0, None)
    assert said.startswith("10 frames (0.40 s) for engine liveportrait")
    with np.load(out) as motion:
        assert motion["exp"].shape == (10, 21, 3)
    with pytest.raises(ConfigError, match="JoyVASA has none"):
        sample(sound, out, folder, tmp_path, "chunk", 0, "clip.npz")


def test_what_is_no_voice_is_refused() -> None:
    stream = GENERATOR.start(mode="live", seed=0)
    with pytest.raises(ValueError, match=r"float32 \[n\], not float64 \(3,\)"):
        stream.push(np.zeros(3))  # type: ignore[arg-type]
    stream.finish()
    assert len(stream.finish()) == 0
    with pytest.raises(ValueError, match="the voice is over"):
        stream.push(VOICE)


def test_wrong_modes_and_hops_are_refused() -> None:
    with pytest.raises(ConfigError, match="mode is 'fast'; accepted: live, chunk"):
        GENERATOR.start(mode="fast", seed=0)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="hop_frames is 3; accepted: multiples of 5"):
        GENERATOR.start(mode="live", seed=0, hop_frames=3)
    far = JoyvasaGenerator(
        small_joyvasa(), POLICY, JoyvasaSampling(steps=1, eta=0, lookahead_frames=96)
    )
    with pytest.raises(ConfigError, match="lookahead_frames is 96; accepted"):
        far.start(mode="live", seed=0)
