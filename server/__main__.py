"""``python -m server``: serve the API and the page, render a sound file to a video, measure."""

from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import typer

from dit.moods import MOOD_NAMES, NEUTRAL
from liveportrait.output import FramingName, OutputOptions, SizePx, parse_background
from server.engine.config import MAX_LEVEL, MAX_MOOD_STRENGTH

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    engine: Annotated[
        str | None, typer.Option(help="A name in configs/engine/, or a file.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A YAML file of settings.")] = None,
) -> None:
    """Serve until Ctrl-C; prints the page's address once the engine is ready."""
    import asyncio

    from models.errors import VisavisError
    from models.library_threads import limit_library_threads
    from server.config.settings import load_settings
    from server.engine.config import load_engine_config
    from server.logs import configure_logs
    from server.serve import serve as serve_until_stopped

    limit_library_threads(1)  # the loop's small products are not worth a second core
    try:
        settings = load_settings(config, host=host, port=port, engine=engine)
        load_engine_config(settings.engine)  # a wrong name is told before anything starts
        configure_logs(settings.log_format, settings.log_level, settings.api_keys)

        def announce(address: str) -> None:
            typer.echo(f"\n  Visavis is ready: {address}\n")

        asyncio.run(serve_until_stopped(settings, announce))
    except VisavisError as error:
        _give_up(str(error))
    except OSError as error:
        _give_up(f"the server cannot start: {error}")


def _shown(text: str, **settings: Any) -> Any:
    return typer.Option(help=text, rich_help_panel="Picture", **settings)


def _moved(text: str, most: float = MAX_LEVEL) -> Any:
    return typer.Option(min=0, max=most, help=text, rich_help_panel="Motion")


@app.command()
def render(
    avatar: Annotated[str, typer.Option(help="A shipped avatar's name, or a picture file.")],
    audio: Annotated[Path, typer.Option(help="WAV, FLAC, MP3, OGG/Opus or M4A.")],
    out: Annotated[Path, typer.Option(help="The MP4 file to write.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same video.")] = 0,
    engine: Annotated[str, typer.Option(help="A name in configs/engine/, or a file.")] = "lite",
    size: Annotated[int, _shown("256, 512 or 768: the square in which the face moves.")] = 512,
    framing: Annotated[FramingName, _shown("The face, or the full photograph.")] = "face",
    background: Annotated[
        str, _shown("none, blur, blur:0.8, green, #rrggbb, or a picture file.")
    ] = "none",
    head: Annotated[float, _moved("Head motion: 0 none, 1 natural.")] = 1.0,
    expression: Annotated[float, _moved("Expression.")] = 1.0,
    blink: Annotated[float, _moved("Blinks.")] = 1.0,
    gaze: Annotated[float, _moved("Gaze.")] = 1.0,
    mood: Annotated[
        str, typer.Option(help=", ".join(MOOD_NAMES), rich_help_panel="Motion")
    ] = NEUTRAL,
    mood_strength: Annotated[float, _moved("How much of the mood.", MAX_MOOD_STRENGTH)] = 1.0,
) -> None:
    """Render a talking face to an MP4 with its sound."""
    import asyncio

    from models.errors import ConfigError, VisavisError
    from server.engine.config import MotionLevels
    from server.logs import configure_logs
    from server.videos.offline import render_file
    from server.videos.render_job import RenderJob

    configure_logs("console", "warning")
    try:
        if mood not in MOOD_NAMES:
            raise ConfigError(f"mood is {mood!r}; accepted: {', '.join(MOOD_NAMES)}")
        # a size that does not exist is refused by OutputOptions itself
        output = OutputOptions(cast(SizePx, size), framing, parse_background(background))
        levels = MotionLevels(head, expression, blink, gaze, mood, mood_strength)
        job = RenderJob(avatar, audio, out, seed, engine, output=output, levels=levels)
        asyncio.run(render_file(job))
    except VisavisError as error:
        _give_up(str(error))


@app.command()
def bench(
    seconds: Annotated[float, typer.Option(min=0, help="Of live sessions side by side.")] = 60.0,
    sessions: Annotated[int, typer.Option(min=1, help="How many of them.")] = 1,
    rounds: Annotated[
        int, typer.Option(min=0, help="Of first pictures and of interruptions.")
    ] = 10,
    soak: Annotated[float, typer.Option(min=0, help="Minutes of one long session.")] = 0.0,
    video: Annotated[float, typer.Option(min=0, help="Seconds of a video to order.")] = 0.0,
    engine: Annotated[str, typer.Option(help="A name in configs/engine/, or a file.")] = "lite",
    url: Annotated[
        str | None, typer.Option(help="A server that runs already, instead of one of its own.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="That server's key.")] = None,
    avatar: Annotated[str, typer.Option(help="An avatar's id.")] = "anna",
    audio: Annotated[Path | None, typer.Option(help="What is said; default: the sample.")] = None,
    size: Annotated[int, _shown("256, 512 or 768.")] = 512,
    framing: Annotated[FramingName, _shown("The face, or the full photograph.")] = "face",
    background: Annotated[str, _shown("none, blur or colour.")] = "none",
    out: Annotated[Path | None, typer.Option(help="A JSON file for every figure.")] = None,
) -> None:
    """Measure a server from its clients' side: voice to lips, first picture, interrupt, load."""
    import asyncio
    import signal
    import sys

    import httpx

    from models.errors import VisavisError
    from server.bench.run import SAMPLE, BenchPlan, run_bench, table
    from server.logs import configure_logs

    configure_logs("console", "warning")
    # the server that was started for it must not outlive it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    output = {"size": size, "framing": framing, "background": {"type": background}}
    plan = BenchPlan(
        seconds,
        sessions,
        rounds,
        soak,
        video,
        engine,
        url,
        key,
        audio or SAMPLE,
        {"avatar_id": avatar, "output": output},
    )
    try:
        result = asyncio.run(run_bench(plan, lambda text: typer.echo(f"... {text}", err=True)))
    except VisavisError as error:
        _give_up(str(error))
    except (httpx.HTTPError, RuntimeError) as error:
        _give_up(f"the server cannot be measured: {error}")
    typer.echo(f"{result.machine}, load before {result.load_average}\n{table(result.rows())}")
    if out is not None:
        out.write_text(result.as_json())


def _give_up(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
