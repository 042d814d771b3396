"""How the page behaves, in headless Chromium, against the real server."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from server.bench.server_process import ROOT, ServerProcess, running_server
from tests.e2e.browser import chromium

pytestmark = pytest.mark.browser

PORTRAIT = ROOT / "server" / "avatars" / "p02.jpg"
PHONE = {"width": 390, "height": 844}
SMALL_TEXT_FILE = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture at all"}
LIVE = ("idle", "listening", "speaking")
GIVES_UP_AFTER_MS = 26_000  # of trying to reconnect, by the page's clock


@pytest.fixture(scope="module")
def browser(needs_chromium: None) -> Iterator[Any]:  # noqa: ARG001
    """A machine without a microphone: what the page must cope with."""
    with chromium(microphone=False) as running:
        yield running


@pytest.fixture
def page(browser: Any, live_server: ServerProcess) -> Iterator[Any]:
    """The opened page with its gallery filled; its own errors fail the test."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
    opened = context.new_page()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(live_server.url)
    opened.get_by_role("radio").nth(7).wait_for(state="attached")
    yield opened
    context.close()
    assert errors == []


def wait_for_phase(page: Any, *phases: str) -> None:
    page.wait_for_function(
        "phases => phases.includes(visavis.phase())", arg=list(phases), timeout=60_000
    )


def test_shows_the_shipped_portraits_and_the_first_one_on_the_stage(page: Any) -> None:
    assert page.get_by_role("radio").count() == 8
    assert page.get_by_role("radio").first.is_checked()
    assert page.get_by_test_id("poster").get_attribute("src").startswith("blob:")
    assert page.get_by_test_id("state").inner_text() == "Ready"
    assert "lite" in page.get_by_test_id("server").inner_text()


def test_asks_nobody_but_its_server(browser: Any, live_server: ServerProcess) -> None:
    context = browser.new_context()
    opened = context.new_page()
    asked: set[str] = set()
    opened.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    opened.goto(live_server.url)
    opened.get_by_role("radio").nth(7).wait_for(state="attached")
    context.close()
    assert asked - {""} == {urlsplit(live_server.url).netloc}


def test_a_file_that_is_no_picture_is_refused_in_words(page: Any) -> None:
    page.get_by_test_id("portrait-input").set_input_files(SMALL_TEXT_FILE)
    error = page.get_by_test_id("gallery-error")
    error.wait_for()
    assert "not a picture" in error.inner_text()
    assert "JPEG" in error.inner_text()
    assert page.get_by_role("radio").count() == 8


def test_a_photograph_becomes_a_face_and_can_be_removed(page: Any) -> None:
    photograph = {"name": "Me.jpg", "mimeType": "image/jpeg", "buffer": PORTRAIT.read_bytes()}
    page.get_by_test_id("portrait-input").set_input_files(photograph)
    added = page.get_by_role("radio", name="Me")
    added.wait_for(state="attached", timeout=60_000)
    assert added.is_checked()
    page.get_by_role("button", name="Remove Me").click()
    added.wait_for(state="detached")
    assert page.get_by_role("radio").first.is_checked()


def test_the_picture_can_be_small_and_before_green(page: Any, live_server: ServerProcess) -> None:
    """Chosen on the page, told to the server, and seen in the video."""
    page.locator("#picture summary").click()
    page.get_by_test_id("picture-size").select_option("256")
    assert not page.get_by_test_id("picture-colour").is_visible()
    page.get_by_test_id("picture-background").select_option("colour")
    assert page.get_by_test_id("picture-colour").is_visible()
    page.get_by_test_id("primary").click()
    wait_for_phase(page, *LIVE)
    page.wait_for_function("document.documentElement.dataset.picture === 'live'")
    sessions = live_server.get("/v1/sessions")["sessions"]
    assert isinstance(sessions, list)
    assert sessions[0]["output"]["background"] == {"type": "colour", "colour": "#00b140"}
    corner = page.get_by_test_id("video").evaluate(
        """video => {
             const pen = new OffscreenCanvas(video.videoWidth, video.videoHeight).getContext('2d');
             pen.drawImage(video, 0, 0);
             return [video.videoWidth, ...pen.getImageData(246, 10, 1, 1).data];
           }"""
    )
    width, red, green, blue = corner[:4]
    assert width == 256
    assert green > 2 * red
    assert green > 1.5 * blue
    page.get_by_test_id("primary").click()
    wait_for_phase(page, "ready")


def test_without_a_microphone_it_says_so_and_the_face_lives(page: Any) -> None:
    page.get_by_test_id("primary").click()
    wait_for_phase(page, *LIVE)
    notice = page.get_by_test_id("notice").inner_text()
    assert "microphone" in notice
    assert "play the sample" in notice
    assert page.get_by_test_id("microphone").get_attribute("aria-pressed") == "false"
    page.wait_for_function("document.documentElement.dataset.picture === 'live'")
    page.get_by_test_id("primary").click()
    wait_for_phase(page, "ready")


def test_keyboard_alone_holds_a_conversation(page: Any) -> None:
    """Arrow to another face, sample by its key, interrupt by the space bar, end by Enter."""
    page.get_by_role("radio").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("radio").nth(1).is_checked()
    page.keyboard.press("p")
    wait_for_phase(page, "speaking")
    assert "hello.wav" in page.get_by_test_id("caption").inner_text()
    page.get_by_test_id("video").evaluate("video => document.activeElement.blur()")
    page.keyboard.press("Space")
    page.wait_for_function(
        "document.querySelector('[data-testid=caption]').textContent.startsWith('Interrupted')"
    )
    wait_for_phase(page, "idle", "listening")
    page.get_by_test_id("primary").focus()
    page.keyboard.press("Enter")
    wait_for_phase(page, "ready")


def test_a_broken_sound_file_is_refused_and_the_face_lives_on(page: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF0000WAVEjunk" * 20)
    page.get_by_test_id("sound-input").set_input_files(str(broken))
    page.get_by_test_id("notice").get_by_text("not a sound").wait_for(timeout=60_000)
    assert page.evaluate("visavis.phase()") in LIVE


def test_another_face_takes_over_during_a_session(page: Any, live_server: ServerProcess) -> None:
    page.get_by_test_id("sample").click()
    wait_for_phase(page, "speaking")
    page.get_by_role("radio").nth(4).check(force=True)
    wait_for_phase(page, "ready", "connecting")
    wait_for_phase(page, *LIVE)
    sessions = live_server.get("/v1/sessions")["sessions"]
    chosen = page.get_by_role("radio").nth(4).get_attribute("value")
    assert isinstance(sessions, list)
    assert [session["avatar_id"] for session in sessions] == [chosen]


def test_closing_the_page_ends_the_session(page: Any, live_server: ServerProcess) -> None:
    page.get_by_test_id("sample").click()
    wait_for_phase(page, *LIVE)
    page.goto("about:blank")
    deadline = time.monotonic() + 4  # sooner than the server would miss a client that died
    while live_server.get("/v1/sessions")["sessions"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert live_server.get("/v1/sessions")["sessions"] == []
    page.goto(live_server.url)


def test_muting_the_face(page: Any) -> None:
    sound = page.get_by_test_id("sound")
    sound.click()
    assert sound.get_attribute("aria-pressed") == "true"
    assert page.get_by_test_id("video").evaluate("video => video.muted")
    page.keyboard.press("s")
    assert not page.get_by_test_id("video").evaluate("video => video.muted")


@pytest.mark.parametrize("width_px", [320, 390, 768, 1280])
def test_fits_the_screen_with_targets_for_a_thumb(page: Any, width_px: int) -> None:
    page.set_viewport_size({"width": width_px, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= width_px
    for name in ("primary", "microphone", "sample", "file", "interrupt", "sound"):
        box = page.get_by_test_id(name).bounding_box()
        assert min(box["width"], box["height"]) >= 44, (name, box)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(
    browser: Any, live_server: ServerProcess, scheme: str
) -> None:
    """Contrast of the running text against the page: at least 4.5 to 1 (WCAG AA)."""
    context = browser.new_context(color_scheme=scheme, viewport=PHONE)
    opened = context.new_page()
    opened.goto(live_server.url)
    ratio = opened.evaluate(
        """() => {
          const luminance = (text) => {
            const [r, g, b] = text.match(/\\d+/g).map((v) => v / 255)
              .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const ground = luminance(getComputedStyle(document.documentElement).backgroundColor);
          const hint = luminance(getComputedStyle(document.getElementById("hint")).color);
          return (Math.max(ground, hint) + 0.05) / (Math.min(ground, hint) + 0.05);
        }"""
    )
    context.close()
    assert ratio >= 4.5


def test_a_lost_server_is_noticed_and_reconnect_is_offered(browser: Any, tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        context = browser.new_context(bypass_csp=True)
        page = context.new_page()
        page.clock.install()
        page.goto(server.url)
        page.get_by_role("radio").nth(7).wait_for(state="attached")
        page.get_by_test_id("sample").click()
        wait_for_phase(page, *LIVE)
        server.kill()
        wait_for_phase(page, "reconnecting")
        page.clock.fast_forward(GIVES_UP_AFTER_MS)
        wait_for_phase(page, "lost")
        notice = page.get_by_test_id("notice")
        notice.get_by_text("connection to the server was lost").wait_for()
        page.get_by_test_id("notice-action").click()
        notice.get_by_text("does not answer").wait_for()
        assert page.get_by_test_id("primary").inner_text() == "Reconnect"
        context.close()
