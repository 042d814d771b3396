"""What the commands of this room say on a terminal: a bar, and errors in one line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from models.errors import VisavisError


@contextmanager
def progress_bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar to be told (done, total)."""
    from tqdm import tqdm

    with tqdm(unit="step", desc=name) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


@contextmanager
def plain_errors() -> Iterator[None]:
    """What a user can mend is told in one line."""
    import typer

    try:
        yield
    except VisavisError as error:
        typer.echo(f"{error.code}: {error}", err=True)
        raise typer.Exit(1) from error
