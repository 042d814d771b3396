"""Pieces that several tabs use: a portrait with shipped faces, job buttons, the result."""

import html
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from models.errors import VisavisError
from server.jobs.runner import JobCancelledError
from server.jobs.task import Outcome, Task
from server.studio.parts import StudioParts

ENGINES = [("Lite", "lite"), ("LivePortrait", "liveportrait")]
JOBS = "studio-jobs"  # Gradio's queue lets one of them run and shows the others their place


@dataclass(frozen=True, slots=True)
class Result:
    """Where a job's files are shown; a tab without stills or templates leaves those out."""

    video: Any
    summary: Any
    download: Any
    picture: Any | None
    template: Any | None

    @property
    def stage(self) -> list[Any]:
        """Where progress is shown."""
        return [part for part in (self.video, self.picture) if part is not None]

    @property
    def outputs(self) -> list[Any]:
        """In the order of ``shown``."""
        extra = [part for part in (self.picture, self.template) if part is not None]
        return [self.video, self.summary, self.download, *extra]

    def shown(self, outcome: Outcome | None) -> list[Any]:
        """Values of ``outputs``; without an outcome they stay as they are."""
        if outcome is None:
            return [gr.skip()] * len(self.outputs)
        made, *others = outcome.files
        still = made.suffix != ".mp4"
        values = [
            gr.update(value=None if still else str(made), visible=not still),
            html.escape(outcome.summary),
            gr.update(value=str(made), interactive=True),
        ]
        if self.picture is not None:
            values.append(gr.update(value=str(made) if still else None, visible=still))
        if self.template is not None:
            template = str(others[0]) if others else None
            values.append(gr.update(value=template, visible=template is not None))
        return values


def portrait_input(parts: StudioParts, elem_id: str, label: str = "Portrait") -> Any:
    """A picture to upload, paste or photograph, with the shipped faces below."""
    shipped = [str(path) for path in parts.portraits]
    portrait = gr.Image(
        value=shipped[0],
        type="filepath",
        label=label,
        sources=["upload", "webcam", "clipboard"],
        height=300,
        elem_id=elem_id,
    )
    with gr.Column(elem_classes="faces", min_width=160):
        gr.Examples(
            [[path] for path in shipped],
            [portrait],
            label="Shipped faces",
            examples_per_page=len(shipped),
            elem_id=f"{elem_id}-shipped",
            api_visibility="private",
        )
    return portrait


def result_output(elem_id: str, *, picture: bool = False, template: bool = False) -> Result:
    """The finished video, or picture, and its download."""
    return Result(
        video=gr.Video(
            label="Result",
            interactive=False,
            height=420,
            buttons=["download"],
            elem_id=f"{elem_id}-video",
        ),
        picture=gr.Image(
            type="filepath", label="Result", interactive=False, height=420, visible=False
        )
        if picture
        else None,
        summary=gr.Markdown(elem_classes="note", elem_id=f"{elem_id}-summary"),
        download=gr.DownloadButton("Download", interactive=False, elem_id=f"{elem_id}-download"),
        template=gr.DownloadButton("Download motion template", visible=False) if template else None,
    )


def job_buttons(
    parts: StudioParts, label: str, elem_id: str, start: Callable[..., Any]
) -> Callable[[Collection[Any], Result], None]:
    """A start and a stop button; the returned function connects them once all inputs exist."""
    with gr.Row():
        make = gr.Button(label, variant="primary", elem_id=f"{elem_id}-make", scale=3)
        stop = gr.Button("Stop", elem_id=f"{elem_id}-stop", scale=1, min_width=80)

    def connect(inputs: Collection[Any], result: Result) -> None:
        make.click(
            start,
            inputs,
            result.outputs,
            show_progress_on=result.stage,
            concurrency_limit=1,
            concurrency_id=JOBS,
            api_visibility="private",
        )
        stop.click(canceller(parts), None, None, queue=False, api_visibility="private")

    return connect


def canceller(parts: StudioParts, *, asked: bool = True) -> Callable[..., None]:
    """Ends the visitor's job; ``asked`` by them, who are told when there is none."""

    def cancel(request: gr.Request) -> None:
        if not parts.jobs.cancel(str(request.session_hash)) and asked:
            gr.Info("No job of yours is running.", duration=4, title="Nothing to stop")

    return cancel


def run_task(
    parts: StudioParts, request: gr.Request, progress: gr.Progress, task: Task
) -> Outcome | None:
    """The task in its own process, its steps on the page; None when it was stopped.

    Raises gr.Error.
    """

    def report(done: int, total: int, what: str) -> None:
        progress((done, total) if total else 0, desc=what, unit="frames")

    with readable_errors():
        report(0, 0, "Starting")
        try:
            return parts.jobs.run(str(request.session_hash), task, report)
        except JobCancelledError:
            gr.Info("The job was stopped.", duration=4, title="Stopped")
            return None


@contextmanager
def readable_errors() -> Iterator[None]:
    """Named errors become messages on the page."""
    try:
        yield
    except VisavisError as error:
        text = html.escape(str(error))
        raise gr.Error(text, None, title="That did not work", print_exception=False) from error


def named(folder: Path, *parts: str | Path) -> Path:
    """A file for a job's result whose name says what is in it."""
    stems = [part.stem if isinstance(part, Path) else part for part in parts]
    safe = "-".join("".join(c for c in stem if c.isalnum() or c in "_-")[:24] for stem in stems)
    return folder / f"visavis-{safe}.mp4"
