"""``python -m server``: serve the API and the page, or render a sound file to a video."""

from pathlib import Path
from typing import Annotated

import typer

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
    from server.engine import load_engine_config
    from server.logs import configure_logs
    from server.serve import serve as serve_until_stopped
    from server.settings import load_settings

    try:
        settings = load_settings(config, host=host, port=port, engine=engine)
        load_engine_config(settings.engine)  # a wrong name is told before anything starts
        configure_logs(settings.log_format, settings.log_level)

        def announce(address: str) -> None:
            typer.echo(f"\n  Visavis is ready: {address}\n")

        asyncio.run(serve_until_stopped(settings, announce))
    except VisavisError as error:
        _give_up(str(error))
    except OSError as error:
        _give_up(f"cannot listen on {host or ''}:{port or ''}: {error.strerror}")


@app.command()
def render(
    avatar: Annotated[str, typer.Option(help="A shipped avatar's name, or a picture file.")],
    audio: Annotated[Path, typer.Option(help="WAV, FLAC, MP3, OGG/Opus or M4A.")],
    out: Annotated[Path, typer.Option(help="The MP4 file to write.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same video.")] = 0,
    engine: Annotated[str, typer.Option(help="A name in configs/engine/, or a file.")] = "lite",
) -> None:
    """Render a talking face to an MP4 with its sound."""
    import asyncio

    from models.errors import VisavisError
    from server.logs import configure_logs
    from server.offline import RenderJob, render_file

    configure_logs("console", "warning")
    try:
        asyncio.run(render_file(RenderJob(avatar, audio, out, seed, engine)))
    except VisavisError as error:
        _give_up(str(error))


def _give_up(message: str) -> None:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
