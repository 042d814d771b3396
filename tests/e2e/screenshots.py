"""The README's pictures, taken from a running session: ``python -m tests.e2e.screenshots``.

``client/pictures/page.jpg`` is the page with a face in mid-speech; ``client/pictures/strip.jpg``
shows what two faces make of the same words, one picture every 160 ms; ``studio.jpg``, in the
server's README, a face moved by the studio's sliders. ``--states FOLDER`` writes the page in all
its states and sizes instead, for looking at.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from models.face_keypoints import eye_openness, lip_gap
from models.face_landmarks import MediaPipeDetector
from models.images import decode_image
from models.shapes import FloatArray, Image
from server.bench.server_process import ROOT, ServerProcess, running_server
from tests.e2e.browser import chromium
from tests.e2e.recording import QUIET_DB, RECORDER, start_recorder, stop_recorder
from tests.e2e.state_pictures import write_states

FACE_TASK = ROOT / "weights" / "face_landmarker.task"
PICTURES = ROOT / "client" / "pictures"
STRIP_LENGTH = 8
STRIP_STEP_MS = 160.0
STRIP_START_MS = (
    1200.0  # after the sample's first sound: past its greeting and the pause that follows
)
STRIP_SIDE_PX = 180
SHOTS = 24
STILL_LIPS = 0.03  # lip gap over eye distance


def open_page(browser: Any, server: ServerProcess, portrait: str) -> Any:
    """The page with this portrait chosen, at the size of a small laptop."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True).new_page()
    page.add_init_script(path=str(RECORDER))
    page.goto(server.url)
    page.get_by_role("radio").nth(7).wait_for(state="attached")
    page.locator(f"input[name=avatar][value={portrait}]").check(force=True)
    return page


def speak(page: Any) -> None:
    """Plays the sample and waits for its first words."""
    page.get_by_test_id("sample").click()
    page.wait_for_function("document.documentElement.dataset.picture === 'live'", timeout=60_000)
    page.wait_for_function("visavis.phase() === 'speaking'", timeout=60_000)


def picture_of_the_page(page: Any) -> bytes:
    """The page (JPEG) at the moment, of many, when the mouth was open but not at its widest."""
    page.locator("#figures").evaluate("details => { details.open = true; }")
    speak(page)
    page.wait_for_timeout(1500)
    shots = [page.screenshot(type="jpeg", quality=88) for _ in range(SHOTS)]
    points = _landmarks(shots)
    gaps, eyes = lip_gap(points), eye_openness(points)
    awake = eyes > 0.8 * np.median(eyes)  # not in a blink
    wanted = np.quantile(gaps[awake], 0.8)
    best = int(np.argmin(np.where(awake, np.abs(gaps - wanted), np.inf)))
    chosen: bytes = shots[best]
    return chosen


def _landmarks(jpegs: list[bytes]) -> FloatArray:
    """The largest face of every picture [T, L, 3]."""
    detector = MediaPipeDetector(FACE_TASK, search_tiles=True)
    try:
        found = [detector.detect(decode_image(jpeg)) for jpeg in jpegs]
    finally:
        detector.close()
    return np.stack([faces[0].points for faces in found])


def strip_of(page: Any) -> Image:
    """One row of pictures [side, length * side, 3], evenly spaced, the same words in all."""
    import cv2

    page.get_by_test_id("sample").click()
    page.wait_for_function("document.documentElement.dataset.picture === 'live'", timeout=60_000)
    start_recorder(page)
    page.wait_for_function("visavis.phase() === 'speaking'", timeout=60_000)
    page.wait_for_timeout(int(STRIP_START_MS + STRIP_LENGTH * STRIP_STEP_MS) + 1500)
    recording = stop_recorder(page)
    voice = recording.voice_db
    onset_ms = voice.times_ms[int(np.argmax(voice.values > QUIET_DB))]
    times = onset_ms + STRIP_START_MS + STRIP_STEP_MS * np.arange(STRIP_LENGTH)
    nearest = [int(np.abs(recording.frame_times_ms - time).argmin()) for time in times]
    chosen = [recording.jpegs[index] for index in nearest]
    if np.ptp(lip_gap(_landmarks(chosen))) < STILL_LIPS:
        raise SystemExit("the lips stood still: this machine is too busy now, try again later")
    pictures = [decode_image(jpeg) for jpeg in chosen]
    size = (STRIP_SIDE_PX, STRIP_SIDE_PX)
    small = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in pictures]
    return np.hstack(small).astype(np.uint8)


def picture_of_the_studio(browser: Any, server: ServerProcess) -> bytes:
    """The studio's sliders (JPEG) with open lips, the head a little to the side."""
    page = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
    page.goto(f"{server.url}/studio/")
    page.get_by_role("tab", name="Retarget").click(timeout=120_000)
    preview = page.locator("#retarget-preview img")
    preview.wait_for(timeout=120_000)
    for name, value in (("lip_ratio", "0.35"), ("yaw", "-9")):
        source = preview.get_attribute("src")
        page.locator(f"#slider-{name} input[type=number]").fill(value)
        page.wait_for_function(
            "src => document.querySelector('#retarget-preview img')?.src !== src", arg=source
        )
    page.wait_for_timeout(3000)  # Gradio fades pictures in
    picture: bytes = page.screenshot(type="jpeg", quality=88)
    page.context.close()
    return picture


def main() -> None:
    """Starts the server and the browser, takes all pictures and says where they are."""
    import cv2

    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--portrait", default="anna", help="whose page is shown")
    options.add_argument(
        "--strip", nargs="+", default=["clara", "felix"], help="who is in the strip"
    )
    options.add_argument("--out", type=Path, default=PICTURES)
    options.add_argument("--states", type=Path, help="a folder for the page's states, as PNGs")
    chosen = options.parse_args()
    if chosen.states:
        with (
            tempfile.TemporaryDirectory() as logs,
            running_server(Path(logs)) as server,
            chromium() as browser,
        ):
            write_states(browser, server.url, chosen.states)
        return
    chosen.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as logs,
        running_server(Path(logs)) as server,
        chromium() as browser,
    ):
        page = open_page(browser, server, chosen.portrait)
        (chosen.out / "page.jpg").write_bytes(picture_of_the_page(page))
        page.context.close()
        (chosen.out / "studio.jpg").write_bytes(picture_of_the_studio(browser, server))
        rows = []
        for portrait in chosen.strip:
            page = open_page(browser, server, portrait)
            rows.append(strip_of(page))
            page.context.close()
    strip = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(chosen.out / "strip.jpg"), strip, [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(f"wrote page.jpg, strip.jpg and studio.jpg to {chosen.out}")


if __name__ == "__main__":
    main()
