"""Talking to the face and what the page tells of it: text, captions, transcript, microphone."""

import json
from typing import Any

import pytest

from tests.e2e.client_page import LIVE, ClientPages, wait_for_phase, wait_for_picture
from tests.server_fixtures import FakeServer

pytestmark = pytest.mark.browser


def only_session(server: FakeServer) -> Any:
    sessions = server.app.state.context.sessions.all()
    assert len(sessions) == 1
    return sessions[0]


def test_typed_text_is_said_with_captions_and_stands_in_the_transcript(pages: ClientPages) -> None:
    page = pages.open_gallery()
    page.locator("#transcript summary").click()
    page.get_by_test_id("composer-text").fill("Good to see you. This is the second sentence.")
    page.keyboard.press("Enter")
    wait_for_phase(page, "speaking")
    page.get_by_test_id("subtitles").get_by_text("Good to see you.").wait_for()
    page.get_by_test_id("subtitles").get_by_text("second sentence").wait_for()
    wait_for_phase(page, "idle", "listening")
    line = page.get_by_test_id("transcript-list").locator("li[data-who=Face]")
    assert "Good to see you" in line.inner_text()
    line.get_by_text(" s").wait_for()  # how long it took
    assert page.get_by_test_id("composer-text").input_value() == ""


def test_captions_can_be_off_and_that_is_remembered(pages: ClientPages) -> None:
    page = pages.open_gallery()
    page.get_by_test_id("captions").click()
    page.reload()
    page.get_by_role("radio").nth(7).wait_for(state="attached")
    assert page.get_by_test_id("captions").get_attribute("aria-pressed") == "false"
    page.get_by_test_id("composer-text").fill("Nobody reads this.")
    page.keyboard.press("Enter")
    wait_for_phase(page, "speaking")
    page.locator("#subtitles").get_by_text("Nobody reads this.").wait_for(state="attached")
    assert not page.get_by_test_id("subtitles").is_visible()


def test_no_shortcut_while_typing(pages: ClientPages) -> None:
    page = pages.open_gallery()
    page.keyboard.press("/")
    page.keyboard.type("sm/t")
    assert page.get_by_test_id("composer-text").input_value() == "sm/t"
    assert page.get_by_test_id("sound").get_attribute("aria-pressed") == "false"
    assert page.get_by_test_id("microphone").get_attribute("aria-pressed") == "false"


def test_own_voice_is_in_the_transcript(pages: ClientPages) -> None:
    """With the face as mouth, what the microphone hears is speech of its own."""
    page = pages.open_gallery()
    page.locator("#transcript summary").click()
    page.get_by_test_id("primary").click()
    wait_for_phase(page, *LIVE)
    page.get_by_test_id("transcript-list").locator("li[data-who=You]").first.wait_for()
    assert "spoke" in page.get_by_test_id("transcript-list").inner_text()


def test_a_chatbots_microphone_is_listened_to(pages: ClientPages, page_server: FakeServer) -> None:
    page = pages.open_gallery()
    page.locator("#listening summary").click()
    page.get_by_test_id("voice-mode").select_option("heard")
    page.get_by_test_id("barge-in").check()
    page.get_by_test_id("primary").click()
    wait_for_phase(page, *LIVE)
    plan = only_session(page_server).plan
    assert (plan.voice_in, plan.listen) == ("api", "barge_in")
    assert "notices when you talk" in page.get_by_test_id("hint").inner_text()


def test_talking_is_noticed_and_interrupts(pages: ClientPages) -> None:
    page = pages.open_gallery()
    page.locator("#transcript summary").click()
    page.locator("#listening summary").click()
    page.get_by_test_id("voice-mode").select_option("heard")
    page.get_by_test_id("barge-in").check()
    page.get_by_test_id("primary").click()
    wait_for_phase(page, *LIVE)
    page.get_by_test_id("sample").click()
    lines = page.get_by_test_id("transcript-list")
    lines.get_by_text("interrupted by you").wait_for()
    lines.locator("li[data-who=You]", has_text="spoke").first.wait_for()


def test_push_to_talk_is_heard_while_it_is_held(pages: ClientPages) -> None:
    page = pages.open_gallery()
    page.locator("#devices summary").click()
    page.get_by_test_id("push-to-talk").check()
    button = page.get_by_test_id("microphone")
    assert "Hold to talk" in button.inner_text()
    page.locator("#devices summary").focus()
    page.keyboard.down("t")
    page.locator("#microphone[data-held][aria-pressed=true]").wait_for()
    wait_for_phase(page, *LIVE)
    page.keyboard.up("t")
    page.locator("#microphone:not([data-held])").wait_for()
    names = page.get_by_test_id("microphones").locator("option").all_inner_texts()
    assert len(names) > 1  # they have names once a microphone has been allowed
    page.get_by_test_id("microphones").select_option(index=1)
    page.locator("#microphone[aria-pressed=true]").wait_for()


def test_event_log_copies_as_json_and_marks_errors(pages: ClientPages) -> None:
    page = pages.open_gallery(permissions=["clipboard-read", "clipboard-write", "microphone"])
    page.locator("#events summary").click()
    broken = {"name": "broken.wav", "mimeType": "audio/wav", "buffer": b"RIFF0000WAVEjunk"}
    page.get_by_test_id("sound-input").set_input_files(broken)
    page.get_by_test_id("events-list").locator("li[data-error]").wait_for()
    page.get_by_test_id("events-copy").click()
    page.get_by_text("Copied").wait_for()
    entries = json.loads(page.evaluate("navigator.clipboard.readText()"))
    types = [entry["event"]["type"] for entry in entries]
    assert "session.ready" in types
    assert {"type": "problem", "code": "bad_audio"}.items() <= entries[-1]["event"].items() or (
        "bad_audio" in [entry["event"].get("code") for entry in entries]
    )
    assert page.locator("#events-body li b", has_text="stats").count() == 0


def test_picture_and_sound_are_recorded(pages: ClientPages) -> None:
    page = pages.open_gallery()
    page.get_by_test_id("sample").click()
    wait_for_picture(page)
    page.keyboard.press("r")
    page.get_by_test_id("recording").get_by_text("0:02").wait_for()
    with page.expect_download() as download:
        page.keyboard.press("r")
    file = download.value
    assert file.suggested_filename.endswith((".webm", ".mp4"))
    assert file.path().stat().st_size > 5_000
    with page.expect_download() as still:
        page.get_by_test_id("snapshot").click(force=True)
    assert still.value.path().read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_live_figures_of_the_server_are_in_plain_words(pages: ClientPages) -> None:
    page = pages.open_gallery()
    page.locator("#figures summary").click()
    page.get_by_test_id("sample").click()
    wait_for_picture(page)
    drawing = page.locator("#figures-list div", has_text="Drawing a picture").locator("dd")
    drawing.get_by_text(" ms").wait_for()
    quality = page.locator("#figures-list div", has_text="Quality").locator("dd")
    assert quality.inner_text() == "full"
