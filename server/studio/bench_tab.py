"""The benchmark: the committed results, and a run on this machine."""

from typing import Any

import gradio as gr

from server.studio.bench_results import HEADERS, BenchResult, committed_results, read_result
from server.studio.parts import DRIVING_CLIP, StudioParts
from server.studio.tasks import BenchTask
from server.studio.widgets import JOBS, canceller, readable_errors, run_task

_NONE = (
    "No result is committed for any machine yet. `python -m liveportrait bench`, or the button"
    " above, measures this one."
)
_ABOUT = (
    "The LivePortrait networks: the original against what this engine does, one step at a time."
    " Each step keeps all steps above it."
)


def bench_tab(parts: StudioParts) -> None:
    """A committed result to choose, its table and its chart; and a button that makes a new one."""
    results = {result.title: result for result in committed_results()}

    def choose(title: str) -> list[Any]:
        return _shown(results.get(title))

    def run(
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> list[Any]:
        from liveportrait.bench.job import BenchJob

        with readable_errors():
            job = BenchJob(parts.portraits[0], DRIVING_CLIP, parts.new_folder())
        outcome = run_task(parts, request, progress, BenchTask(job))
        if outcome is None:
            return [gr.skip()] * len(outputs)
        return _shown(read_result(outcome.files[0].parent))

    gr.Markdown(_ABOUT, elem_classes="note")
    with gr.Row():
        chosen = gr.Dropdown(
            list(results), value=next(iter(results), None), label="Result", scale=3
        )
        start = gr.Button("Measure this machine", elem_id="bench-make", scale=1, min_width=180)
        stop = gr.Button("Stop", elem_id="bench-stop", scale=1, min_width=80)
    title, table, chart, notes = _shown(next(iter(results.values()), None))
    outputs = [
        gr.Markdown(title, elem_id="bench-title"),
        gr.Dataframe(table, headers=HEADERS, interactive=False, wrap=True, elem_id="bench-table"),
        gr.Image(
            chart,
            type="filepath",
            label="Frames a second",
            show_label=False,
            interactive=False,
            buttons=["download", "fullscreen"],
            elem_id="bench-chart",
        ),
        gr.Markdown(notes, elem_classes="note"),
    ]
    chosen.change(choose, chosen, outputs, queue=False, api_visibility="private")
    start.click(
        run,
        None,
        outputs,
        show_progress_on=outputs[1],
        concurrency_limit=1,
        concurrency_id=JOBS,
        api_visibility="private",
    )
    stop.click(canceller(parts), None, None, queue=False, api_visibility="private")


def _shown(result: BenchResult | None) -> list[Any]:
    if result is None:
        return [_NONE, [[""] * len(HEADERS)], None, ""]
    return [f"**{result.title}**", result.table, result.chart, result.notes]
