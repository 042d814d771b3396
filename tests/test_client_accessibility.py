"""For everyone: axe-core's rules, keyboard, screen reader, small screens, little motion."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client_page import LIVE, ClientPages, wait_for_phase, wait_for_picture

pytestmark = pytest.mark.browser

WEB = Path(__file__).resolve().parent.parent / "client" / "web"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
OPEN_ALL = """() => {
  for (const fold of document.querySelectorAll("details")) fold.open = true;
}"""
FIND = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations
    .filter((one) => one.impact === "serious" || one.impact === "critical")
    .map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" | ")}`);
}"""


@pytest.fixture(scope="module")
def axe() -> str:
    """The rules, from the lock file's version."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed (npm ci in client/web)")
    return AXE.read_text()


def violations(page: Any, axe: str) -> list[str]:
    page.evaluate(axe)
    found: list[str] = page.evaluate(FIND)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_violation_at_rest_and_live(pages: ClientPages, axe: str, scheme: str) -> None:
    page = pages.open_gallery(color_scheme=scheme, reduced_motion="reduce")
    page.evaluate(OPEN_ALL)
    assert violations(page, axe) == []
    page.get_by_test_id("sample").click()
    wait_for_picture(page)
    assert violations(page, axe) == []


@pytest.mark.parametrize("path", ["/present.html?background=green", "/examples/component.html"])
def test_no_serious_violation_on_the_other_pages(pages: ClientPages, axe: str, path: str) -> None:
    assert violations(pages.open(path), axe) == []


def test_light_and_dark_can_be_chosen_and_are_remembered(pages: ClientPages) -> None:
    page = pages.open_gallery(color_scheme="light")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    button = page.get_by_test_id("theme")
    assert button.get_attribute("aria-label") == "Colours: as the system"
    button.click()
    button.click()
    assert button.get_attribute("aria-label") == "Colours: dark"
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark


def test_what_happens_is_announced_and_no_more(pages: ClientPages) -> None:
    """A face that turns from idle to speaking would never let a screen reader finish."""
    page = pages.open_gallery()
    announcer = page.get_by_role("status").and_(page.locator("#announcer"))
    page.get_by_test_id("sample").click()
    wait_for_phase(page, *LIVE)
    announcer.get_by_text("The face is live.").wait_for()
    wait_for_phase(page, "speaking")
    assert announcer.inner_text() == "The face is live."
    assert page.locator("[aria-live=assertive]").count() == 0


def test_every_control_is_reached_by_tab_and_shows_it(pages: ClientPages) -> None:
    page = pages.open_gallery()
    seen: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            """() => [document.activeElement.dataset.testid ?? document.activeElement.tagName,
                      getComputedStyle(document.activeElement).outlineStyle]"""
        )
        seen.append(name)
        if name not in ("BODY", "INPUT", "composer-text", "portrait-input"):
            assert outline != "none", name
    wanted = {"theme", "primary", "microphone", "sample", "file", "composer-text", "composer-send"}
    assert wanted <= set(seen)
    assert seen.count("SUMMARY") >= 8


@pytest.mark.parametrize(("width_px", "height_px"), [(360, 740), (390, 844)])
def test_a_phone_has_the_face_first_and_the_controls_in_reach(
    pages: ClientPages, width_px: int, height_px: int
) -> None:
    page = pages.open_gallery(
        viewport={"width": width_px, "height": height_px}, has_touch=True, is_mobile=True
    )
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") <= width_px
    page.evaluate("scrollTo(0, 0)")
    face = page.get_by_test_id("poster").bounding_box()
    assert face["y"] < 80
    assert face["width"] > 0.7 * width_px
    for name in ("primary", "microphone", "interrupt", "composer-send"):
        box = page.get_by_test_id(name).bounding_box()
        assert min(box["width"], box["height"]) >= 44, (name, box)
        assert box["y"] > face["y"] + face["height"]
        assert box["y"] + box["height"] <= height_px, (name, box)


def test_little_motion_where_that_is_asked_for(pages: ClientPages) -> None:
    page = pages.open_gallery(reduced_motion="reduce")
    page.get_by_test_id("sample").click()
    wait_for_phase(page, *LIVE)
    moving = page.evaluate("document.getAnimations().length")
    assert moving == 0
