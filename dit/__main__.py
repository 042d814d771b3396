"""The motion room's command line: ``python -m dit COMMAND``."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Make data, train, sample and evaluate the motion generator."""


@app.command("speech-corpus")
def speech_corpus(
    out: Annotated[Path, typer.Argument(help="folder for NAME.flac and NAME.npz")],
    hours: Annotated[float, typer.Option(min=0.0, help="how much speech to make")] = 1.5,
    seed: Annotated[int, typer.Option(help="another seed makes other sentences")] = 0,
    processes: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Make speech with known phoneme times by text-to-speech, in many voices and speeds."""
    from dit.speech_corpus import make_corpus

    make_corpus(out, hours, seed=seed, processes=processes)


@app.command("speak")
def speak(
    text: Annotated[str, typer.Argument(help="what to say; a bar | is a pause of 0.35 s")],
    out: Annotated[Path, typer.Argument(help="WAV file, 16 kHz mono")],
    speed: Annotated[float, typer.Option(min=0.5, max=2.0)] = 1.0,
) -> None:
    """Say a text with the corpus's synthesiser; the sample of the web page was made so."""
    from dit.speech_corpus import speak as say

    say(text, out, speed)


@app.command("distill-encoder")
def distill_encoder(
    corpus: Annotated[Path, typer.Option(help="folder made by speech-corpus")],
    out: Annotated[Path, typer.Option(help="folder for the encoder")],
    clips: Annotated[Path | None, typer.Option(help="folder of talking clips")] = None,
    cache: Annotated[Path, typer.Option(help="targets and checkpoint")] = Path("runs/encoder"),
    steps: Annotated[int, typer.Option(min=1)] = 1000,
    threads: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Train the default speech encoder by distilling a speech recogniser's encoder."""
    from dit.distill import DistillSettings, distill

    distill(corpus, clips, out, cache, DistillSettings(steps=steps, threads=threads))


WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
CONFIGS = Path(__file__).resolve().parent.parent / "configs"
EncoderOption = Annotated[Path, typer.Option(help="speech encoder, a Hugging Face directory")]


@app.command()
def prepare(
    clips: Annotated[Path, typer.Argument(help="folder of talking clips, and folders in it")],
    out: Annotated[Path, typer.Argument(help="folder for shards, tracks and the report")],
    engine: Annotated[str, typer.Option(help="whose motion: lite or liveportrait")] = "lite",
    encoder: EncoderOption = WEIGHTS / "encoder-moonshine",
    config: Annotated[Path | None, typer.Option(help="thresholds, YAML; else the engine's")] = None,
    splits: Annotated[
        Path | None, typer.Option(help="beginning of a clip's name: split; YAML or JSON")
    ] = None,
    speech: Annotated[Path | None, typer.Option(help="folder made by speech-corpus")] = None,
    tracks_only: Annotated[bool, typer.Option(help="stop before motion and features")] = False,
    processes: Annotated[int, typer.Option(min=1, help="clips at a time")] = 1,
    ray: Annotated[bool, typer.Option("--ray", help="run on Ray Data: pip install ray[data]")] = (
        False
    ),
    weights: Annotated[Path, typer.Option(help="folder of the model files")] = WEIGHTS,
    seeded_weights: Annotated[
        bool, typer.Option("--seeded-weights", help="made-up engine networks: tries the path")
    ] = False,
) -> None:
    """Turn talking clips (and a speech corpus) into training data; finished parts are kept."""
    from dit.preparation.command import Preparation
    from dit.preparation.command import prepare as run
    from models.errors import VisavisError

    asked = Preparation(
        clips,
        out,
        engine,
        encoder,
        weights,
        config,
        splits,
        speech,
        tracks_only,
        processes,
        ray,
        seeded_weights,
    )
    try:
        run(asked, typer.echo)
    except VisavisError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


@app.command("train-voice-to-mouth")
def train_voice_to_mouth(
    corpus: Annotated[Path, typer.Argument(help="folder made by speech-corpus")],
    out: Annotated[Path, typer.Argument(help="folder for the network")],
    steps: Annotated[int, typer.Option(min=1)] = 2000,
) -> None:
    """Train the network by which prepare tells whether a clip's sound is late, or another one."""
    from dit.preparation.voice_to_mouth import train_voice_to_mouth as train

    typer.echo(f"mean squared error {train(corpus, out, steps=steps):.3f} of the tracks' variance")


@app.command()
def train(
    data: Annotated[Path, typer.Argument(help="folder made by prepare")],
    out: Annotated[Path, typer.Argument(help="folder for state, curves and checkpoints")],
    config: Annotated[Path, typer.Option(help="settings, YAML")] = CONFIGS / "train/default.yaml",
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="section.name=value, over the file's")
    ] = None,
    encoder: EncoderOption = WEIGHTS / "encoder-moonshine",
) -> None:
    """Train the motion network, or go on with the run in OUT. The result is OUT/best.

    Several processes: torchrun --nproc-per-node N -m dit train ...
    """
    from dit.training.command import train as run
    from dit.training.config import load_config
    from models.errors import VisavisError

    try:
        run(data, out, load_config(config, setting), encoder, typer.echo)
    except VisavisError as error:
        typer.echo(f"{error.code}: {error}", err=True)
        raise typer.Exit(1) from error


@app.command()
def sample(
    audio: Annotated[Path, typer.Option(help="sound file of a voice")],
    out: Annotated[Path, typer.Option(help="motion file to write (.npz)")],
    checkpoint: Annotated[Path, typer.Option(help="motion checkpoint")] = WEIGHTS / "motion/lite",
    encoder: EncoderOption = WEIGHTS / "encoder-moonshine",
    mode: Annotated[str, typer.Option(help="live or chunk")] = "chunk",
    seed: Annotated[int, typer.Option(help="another seed moves the head otherwise")] = 0,
    style: Annotated[
        str | None,
        typer.Option(help="a reference clip's manner: motion or track .npz, or SHARDS:NAME"),
    ] = None,
) -> None:
    """Write the motion for a sound file, 25 frames a second (fields: dit/README.md)."""
    from dit.sample import sample as run
    from models.errors import VisavisError

    try:
        typer.echo(run(audio, out, checkpoint, encoder, mode, seed, style))
    except VisavisError as error:
        typer.echo(f"{error.code}: {error}", err=True)
        raise typer.Exit(1) from error


@app.command()
def evaluate(
    data: Annotated[Path, typer.Argument(help="folder made by prepare")],
    checkpoint: Annotated[Path, typer.Option(help="motion checkpoint")] = WEIGHTS / "motion/lite",
    encoder: EncoderOption = WEIGHTS / "encoder-moonshine",
    speech: Annotated[Path | None, typer.Option(help="speech corpus, for closures")] = None,
    report: Annotated[Path | None, typer.Option(help="folder for report and sheets")] = None,
    mode: Annotated[list[str] | None, typer.Option(help="live, chunk; both if not given")] = None,
    split: Annotated[str, typer.Option(help="test, or validation to choose by")] = "test",
    splits: Annotated[Path | None, typer.Option(help="table of another data set's splits")] = None,
    minutes: Annotated[float, typer.Option(help="length of the stream for joints, drift")] = 10.0,
    hop: Annotated[int, typer.Option(min=1, help="frames a live hop")] = 5,
    lookahead: Annotated[int, typer.Option(min=1, help="frames of voice beyond a hop")] = 5,
    bench: Annotated[bool, typer.Option(help="also measure milliseconds a stage")] = True,
) -> None:
    """Compare generated motion with that of people who were never trained on."""
    from dit.evaluation.command import EvaluateJob, run_job
    from models.errors import VisavisError

    command = "python -m dit evaluate " + shlex.join(sys.argv[2:])
    try:
        job = EvaluateJob(
            data, checkpoint, encoder, speech, report, mode, split, splits, minutes, hop, lookahead
        )
        typer.echo(run_job(job, bench, command, lambda line: typer.echo(line, err=True)))
    except VisavisError as error:
        typer.echo(f"{error.code}: {error}", err=True)
        raise typer.Exit(1) from error


@app.command("train-phonemes")
def train_phonemes(
    data: Annotated[Path, typer.Argument(help="folder made by prepare --speech")],
    encoder: Annotated[
        Path, typer.Option(help="the encoder of that data; the head goes into its folder")
    ] = WEIGHTS / "encoder-moonshine",
) -> None:
    """Train the phoneme head of a speech encoder on synthetic speech."""
    from dit.phoneme_head import save_phoneme_head
    from dit.phoneme_training import HeadTraining, accuracy, train_head
    from dit.training.sequences import load_spoken

    heard, unseen = (
        [(item.voice.embeddings, item.times) for item in load_spoken(data / "spoken", held_out)]
        for held_out in (False, True)
    )
    if not heard or not unseen:
        raise typer.BadParameter(f"{data} holds no speech: python -m dit prepare --speech CORPUS")
    head = train_head(heard, HeadTraining())
    save_phoneme_head(head, encoder)
    typer.echo(f"{accuracy(head, unseen):.1%} of the frames of {len(unseen)} unseen items named")


@app.command("probe-encoder")
def probe_encoder(
    tracks: Annotated[Path, typer.Option(help="folder of tracked clips")],
    encoder: EncoderOption = WEIGHTS / "encoder-moonshine",
    out: Annotated[Path | None, typer.Option(help="JSON file for the figures")] = None,
) -> None:
    """Show how well lips of people left out follow from the encoder's features, linearly."""
    from dit.distill_probe import probe_all
    from models.device import DevicePolicy
    from models.speech_encoder import SpeechEncoder

    probe_all(tracks, SpeechEncoder.load(encoder, DevicePolicy.for_this_machine()), out)


if __name__ == "__main__":
    app()
