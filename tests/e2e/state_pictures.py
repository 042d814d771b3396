"""The page in its states and sizes, light and dark, as PNGs to look at."""

from pathlib import Path
from typing import Any

from tests.e2e.client_page import wait_for_phase, wait_for_picture

SIZES = {"desktop": (1440, 900), "laptop": (1280, 720), "phone": (390, 844), "small": (360, 740)}
SCHEMES = ("light", "dark")
TEXT = "Good to see you. Type anything, and I will say it."
TAKE_OVER = """async () => {
  const { sessions } = await (await fetch("v1/sessions")).json();
  const connection = new RTCPeerConnection();
  connection.addTransceiver("video", { direction: "recvonly" });
  await connection.setLocalDescription(await connection.createOffer());
  const { sdp } = connection.localDescription;
  await fetch(`v1/sessions/${sessions[0].id}/offer`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ sdp, type: "offer" }),
  });
}"""
TAKEN = {
    "status": 503,
    "headers": {"Retry-After": "8", "Content-Type": "application/problem+json"},
    "body": '{"code": "at_capacity", "status": 503, "title": "Every place is taken"}',
}


def write_states(browser: Any, url: str, folder: Path) -> None:
    """One picture of every state; raises Playwright's errors when a state is not reached."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (width, height) in SIZES.items():
        for scheme in SCHEMES:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                has_touch=width < 600,
                is_mobile=width < 600,
            )
            page = context.new_page()
            page.goto(url)
            page.get_by_role("radio").nth(7).wait_for(state="attached")
            page.evaluate("document.fonts.ready")
            stem = f"{name}-{scheme}"
            page.screenshot(path=folder / f"{stem}-1-ready.png")
            _waiting(page, folder / f"{stem}-2-waiting.png")
            _speaking(page, folder / f"{stem}-3-speaking.png")
            _refused(page, folder / f"{stem}-4-refused.png")
            _open_panels(page, folder / f"{stem}-5-panels.png")
            _reconnecting(page, folder / f"{stem}-6-reconnecting.png")
            context.close()


def _waiting(page: Any, path: Path) -> None:
    page.route("**/v1/sessions", lambda route: route.fulfill(**TAKEN))
    page.get_by_test_id("sample").click()
    wait_for_phase(page, "waiting")
    page.get_by_test_id("wait").wait_for()
    page.screenshot(path=path)
    page.get_by_test_id("wait-cancel").click()
    page.unroute("**/v1/sessions")


def _speaking(page: Any, path: Path) -> None:
    if page.get_by_test_id("composer").is_visible():
        page.get_by_test_id("composer-text").fill(TEXT)
        page.get_by_test_id("composer-send").click()
    else:
        page.get_by_test_id("sample").click()
    wait_for_picture(page)
    wait_for_phase(page, "speaking")
    page.get_by_test_id("video").hover(force=True)
    page.wait_for_timeout(1200)
    page.screenshot(path=path)


def _refused(page: Any, path: Path) -> None:
    broken = {"name": "notes.wav", "mimeType": "audio/wav", "buffer": b"no sound at all"}
    page.get_by_test_id("sound-input").set_input_files(broken)
    page.get_by_test_id("notice").wait_for()
    page.screenshot(path=path)
    page.locator("#notice-dismiss").click()


def _open_panels(page: Any, path: Path) -> None:
    for fold in ("transcript", "listening", "devices", "figures", "events"):
        page.locator(f"#{fold} > summary").click()
    page.wait_for_timeout(1500)
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=path, full_page=True)


def _reconnecting(page: Any, path: Path) -> None:
    """Another client takes the connection over, and no new offer gets through."""
    page.evaluate(TAKE_OVER)
    page.route("**/v1/sessions/*/offer", lambda route: route.abort())
    wait_for_phase(page, "reconnecting")
    page.wait_for_timeout(500)
    page.screenshot(path=path)
