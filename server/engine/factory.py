"""Loads an engine inside the worker's process, as its file describes it."""

from dataclasses import asdict, replace
from typing import Any

from models.device import DevicePolicy
from models.weights import verify_at
from server.engine.config import Engine, EngineConfig, Generator, MotionLevels


def load(config: EngineConfig) -> Engine:
    """Speech encoder, motion generator and renderer of ``config``.

    Raises WeightsError: MissingWeightsError and ChecksumError name the command that brings the
    files, EngineMismatchError says for which engine's motion a checkpoint was made.
    """
    from dit.generator import MotionControls
    from liveportrait.renderer import RendererChoice, load_renderer

    for part in filter(None, (config.encoder, config.motion)):
        verify_at(config.path(part), config.path(config.weights))
    policy = policy_of(config)
    choice = RendererChoice(
        config.renderer, config.motion_layout, config.quality, config.seeded_weights
    )
    # the largest files first: when they are missing, that is told at once
    renderer = load_renderer(choice, policy, config.path(config.weights))
    if config.generator == "joyvasa":
        generator = load_joyvasa(config, policy)
    else:
        generator = load_dit(config, policy, choice.motion_engine)

    def make_controls(levels: MotionLevels) -> Any:
        return MotionControls(**asdict(levels))

    return Engine(policy.device, generator, renderer, make_controls)


def load_dit(config: EngineConfig, policy: DevicePolicy, motion_engine: str) -> Generator:
    """A checkpoint of this project behind its speech encoder. Raises as ``load``."""
    from dit.generator import MotionGenerator
    from models.speech_encoder import EncoderWindow, SpeechEncoder
    from models.speech_networks import load_speech_network

    network = load_speech_network(config.path(config.encoder))
    live = config.live
    window = EncoderWindow(network.left_frames, live.hop_frames, live.lookahead_frames)
    encoder = SpeechEncoder(network, policy, window)
    return MotionGenerator.load(config.path(config.motion), encoder, policy, engine=motion_engine)


def load_joyvasa(config: EngineConfig, policy: DevicePolicy) -> Generator:
    """The published network, its speech encoder inside. Raises as ``load``, and ConfigError."""
    from dit.published.joyvasa_generator import JoyvasaGenerator
    from dit.published.joyvasa_windows import JoyvasaSampling

    sampling = JoyvasaSampling(**config.joyvasa.model_dump())
    return JoyvasaGenerator.load(config.path(config.motion), policy, sampling)


def policy_of(config: EngineConfig) -> DevicePolicy:
    """This machine's best policy, with what the file fixes."""
    fixed: dict[str, Any] = {
        name: value
        for name in ("device", "precision", "backend")
        if (value := getattr(config, name)) != "auto"
    }
    return replace(DevicePolicy.for_this_machine(), threads=config.threads, **fixed)
