"""What the Draw page offers beside drawing a digit."""

import re

import pytest
from playwright.sync_api import Page, expect

from deploy.local.settings import ROOT
from examples.browser import canvas, draw, picture_of_canvas
from examples.digit_strokes import DIGIT_STROKES
from tests.browsing import DESKTOP, PATIENCE_MS, PHONE, SCREENSHOTS, scrolls_sideways, wait_until_run

pytestmark = [pytest.mark.browser, pytest.mark.server]

SEVEN = DIGIT_STROKES["7"][0]
CROSS = [[(0.05, 0.05), (0.95, 0.95)], [(0.95, 0.05), (0.05, 0.95)]]


def choose(page: Page, recogniser: str) -> None:
    """Choose a recogniser by its name and version, and wait as a person does who looks before drawing."""
    canvas(page).wait_for()
    page.get_by_role("combobox").first.click()
    page.get_by_role("option", name=recogniser, exact=True).click()
    wait_until_run(page)


def small(digit: str, left: float, top: float) -> list:
    """A digit's strokes at half their size, somewhere on the canvas."""
    return [[(left + 0.45 * x, top + 0.45 * y) for x, y in stroke] for stroke in DIGIT_STROKES[digit][0]]


def test_another_recogniser_reads_the_same_drawing(chromium):
    page = chromium()
    draw(page, SEVEN)
    expect(page.locator(".ink-source")).to_contain_text("digits 1.0")
    choose(page, "characters 1.0")
    expect(page.locator(".ink-source")).to_contain_text("characters 1.0", timeout=PATIENCE_MS)
    expect(page.locator(".ink-label")).to_have_text("7")


def test_the_drawing_and_its_answer_survive_a_change_of_page(chromium):
    page = chromium()
    draw(page, SEVEN)
    expect(page.locator(".ink-label")).to_have_text("7")
    page.get_by_role("link", name="Models").click()
    expect(page.locator(".ink-name", has_text="digits 1.0")).to_be_visible()
    page.get_by_role("link", name="Draw").click()
    expect(page.locator(".ink-label")).to_have_text("7", timeout=PATIENCE_MS)
    draw(page, [[(0.3, 0.55), (0.6, 0.55)]])  # a bar through the seven that came back
    expect(page.locator(".ink-label")).to_have_text("7")
    expect(page.locator("figure .ink-box")).to_have_count(1)


@pytest.mark.parametrize(("there", "wait_ms"), [("Models", 0), ("Models", 30), ("Examples", 20), ("Examples", 60)])
def test_a_drawing_survives_a_look_elsewhere_that_is_over_at_once(chromium, there, wait_ms):
    page = chromium()
    draw(page, SEVEN)
    expect(page.locator(".ink-label")).to_have_text("7")
    picture = picture_of_canvas(page)
    names = page.locator("a, label, button")
    elsewhere = names.get_by_text(there, exact=True)
    back = page.get_by_role("link", name="Draw") if there == "Models" else names.get_by_text("Draw", exact=True).last
    elsewhere.evaluate(
        f"(elsewhere, back) => {{ elsewhere.click(); setTimeout(() => back.click(), {wait_ms}) }}",
        back.element_handle(),
    )
    page.wait_for_timeout(1500)
    expect(page.locator(".ink-label")).to_have_text("7")
    assert picture_of_canvas(page) == picture
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".ink-note")).to_contain_text("Draw on the canvas")
    expect(undo_buttons(page)[0]).to_be_disabled()


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_reload_keeps_the_drawing_and_the_choice(chromium, size):
    page = chromium(size=size)
    choose(page, "characters 1.0")
    draw(page, SEVEN)
    expect(page.locator(".ink-label")).to_have_text("7")
    picture = picture_of_canvas(page)
    page.reload()
    expect(page.locator(".ink-label")).to_have_text("7", timeout=PATIENCE_MS)
    expect(page.locator(".ink-source")).to_contain_text("characters 1.0")
    assert picture_of_canvas(page) == picture
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".ink-note")).to_contain_text("Draw on the canvas")
    other = chromium(size=size)  # a tab of its own
    canvas(other).wait_for()
    expect(other.locator(".ink-note")).to_contain_text("Draw on the canvas")


def test_grad_cam_is_shown_over_the_frame_and_said_in_words(chromium):
    page = chromium()
    draw(page, SEVEN)
    expect(page.locator(".ink-label")).to_have_text("7")
    page.get_by_text("Show Grad-CAM heatmap").click()
    expect(page.locator(".ink-heat")).to_have_count(1, timeout=PATIENCE_MS)
    expect(page.locator("figcaption").first).to_contain_text("strongest at the")


def test_an_answer_under_the_threshold_is_marked_unsure(chromium):
    page = chromium()
    draw(page, [[(0.2, 0.3), (0.8, 0.35), (0.3, 0.7), (0.75, 0.72)]])  # a 2, or a 7, or a Z
    expect(page.locator(".ink-label")).to_be_visible()
    page.get_by_role("button", name="Options").click()
    page.get_by_role("slider", name="Unsure below").press("End")
    expect(page.locator(".ink-unsure")).to_have_text("unsure", timeout=PATIENCE_MS)


def test_several_digits_are_read_as_text_with_a_box_each(chromium):
    page = chromium()
    choose(page, "reader 1.0")
    draw(page, small("7", 0, 0.05) + small("3", 0.5, 0.05) + small("4", 0.2, 0.52))
    expect(page.locator(".ink-text")).to_have_text("73\n4", timeout=PATIENCE_MS)
    expect(page.locator(".ink-box")).to_have_count(3)
    page.screenshot(path=SCREENSHOTS / "draw-reader.png")


def test_the_latency_strip_has_the_whole_wait_and_its_parts_add_up(chromium):
    page = chromium()
    draw(page, [[(0.25, 0.2), (0.75, 0.2), (0.4, 0.85)]])
    whole = page.locator(".ink-times p")
    expect(whole).to_have_text(re.compile(r"From the end of the stroke to this answer: \d+ ms"))
    texts = page.locator(".ink-times li").all_inner_texts()
    named = ("network", "preprocessing", "inference", "other handler time", "rendering", "canvas and page")
    parts_ms = []
    for part, text in zip(named, texts, strict=True):
        found = re.search(rf"{part}.* (\d+\.\d) ms$", text)
        parts_ms.append(float(found[1]))
    assert sum(parts_ms) == pytest.approx(float(re.search(r"(\d+) ms", whole.inner_text())[1]), abs=1)
    assert parts_ms[-1] > 30  # so long it takes until the stroke is reported
    report = page.locator(".st-key-canvas").get_by_label("Update the app with this drawing")
    expect(report).to_have_count(1)  # the canvas' own button, by which it is
    page.screenshot(path=SCREENSHOTS / "draw-latency.png")
    first = whole.inner_text()
    draw(page, [[(0.35, 0.5), (0.7, 0.5)]])
    expect(whole).not_to_have_text(first)
    expect(whole).to_be_visible()
    page.get_by_role("button", name="Undo").click()  # another answer, after no stroke
    expect(whole).to_be_hidden()
    expect(page.locator(".ink-times")).to_be_visible()


def test_an_example_is_read(chromium):
    page = chromium()
    page.get_by_text("Examples", exact=True).click()
    page.get_by_role("button", name="3", exact=True).click()
    expect(page.locator(".ink-label")).to_have_text("3", timeout=PATIENCE_MS)


def test_a_file_and_a_pasted_picture_are_read(chromium):
    page = chromium()
    page.get_by_text("File", exact=True).click()
    page.locator("input[type=file]").first.set_input_files(ROOT / "examples/digits/5-1.png")
    expect(page.locator(".ink-label")).to_have_text("5", timeout=PATIENCE_MS)
    page.get_by_label("Remove").first.click()
    expect(page.locator(".ink-note")).to_contain_text("Choose or paste")
    box = page.get_by_placeholder("Paste a picture here")
    box.click()
    picture = (ROOT / "examples/digits/8-1.png").read_bytes()
    box.evaluate(
        """(element, bytes) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "pasted.png", {type: "image/png"}));
            element.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
        }""",
        list(picture),
    )
    page.wait_for_timeout(500)
    box.press("Enter")
    expect(page.locator(".ink-label")).to_have_text("8", timeout=PATIENCE_MS)


def test_no_source_scrolls_a_phone_sideways(chromium):
    page = chromium(size=PHONE, color_scheme="dark")
    canvas(page).wait_for()
    for source in ("File", "Camera", "Examples", "Draw"):
        page.get_by_text(source, exact=True).first.click()
        page.wait_for_timeout(800)
        assert not scrolls_sideways(page)
    page.screenshot(path=SCREENSHOTS / "draw-phone-dark.png")


def undo_buttons(page: Page):
    return [page.get_by_role("button", name=name) for name in ("Undo", "Redo", "Clear")]


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_strokes_are_undone_and_redone_also_after_another_page(chromium, size):
    page = chromium(size=size)
    draw(page, SEVEN)
    expect(page.locator(".ink-label")).to_have_text("7")
    draw(page, CROSS)
    expect(page.locator(".ink-label")).not_to_have_text("7")
    undo, redo, clear = undo_buttons(page)
    undo.click()
    undo.click()
    expect(page.locator(".ink-label")).to_have_text("7")
    page.get_by_role("link", name="Models").click()
    expect(page.locator(".ink-name", has_text="digits 1.0")).to_be_visible()
    page.get_by_role("link", name="Draw").click()
    expect(page.locator(".ink-label")).to_have_text("7")
    redo.click()
    redo.click()
    expect(redo).to_be_disabled()
    expect(page.locator(".ink-label")).not_to_have_text("7")
    undo.click()
    undo.click()
    expect(page.locator(".ink-label")).to_have_text("7")
    clear.click()
    expect(page.locator(".ink-note")).to_contain_text("Draw on the canvas")
    page.keyboard.press("Control+z")
    expect(page.locator(".ink-label")).to_have_text("7")


def test_an_undo_counts_for_a_stroke_that_was_drawn_just_before(chromium):
    page = chromium()
    draw(page, SEVEN)
    expect(page.locator(".ink-label")).to_have_text("7")
    for pause_ms in (0, 15, 60):
        draw(page, [[(x, y * (1 - pause_ms / 600)) for x, y in stroke] for stroke in CROSS])
        page.keyboard.press("Control+z")
        page.wait_for_timeout(pause_ms)
        page.keyboard.press("Control+z")
        page.wait_for_timeout(1500)  # until all is reported and read
        expect(page.locator(".ink-label")).to_have_text("7")


def test_each_of_several_quick_presses_counts(chromium):
    page = chromium()
    answer = page.locator(".ink-result[data-of]")
    read = ""
    for stroke in (*SEVEN, *CROSS, [(0.05, 0.5), (0.95, 0.5)]):
        draw(page, [stroke])
        expect(answer).not_to_have_attribute("data-of", read)
        read = answer.get_attribute("data-of")
    undo, redo, _ = undo_buttons(page)
    hint = page.locator(".ink-note").get_by_text("Draw on the canvas")
    undo.evaluate("button => { for (let i = 0; i < 3; i++) button.click() }")
    expect(page.locator(".ink-label")).to_have_text("7")
    undo.click()
    expect(hint).to_be_visible()
    redo.evaluate("button => { for (let i = 0; i < 4; i++) button.click() }")
    expect(redo).to_be_disabled()
    expect(answer).to_have_attribute("data-of", read)
    for key in ("z", "z", "y", "Z", "z", "Shift+z", "z", "z", "z"):  # Z is z with caps lock
        page.keyboard.press(f"Control+{key}")
    expect(hint).to_be_visible()


def test_a_tap_at_the_drawings_upper_right_wipes_nothing(pages, stack, browser):
    page = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True).new_page()
    page.goto(stack.dashboard_url)
    draw(page, SEVEN)
    expect(page.locator(".ink-label")).to_have_text("7", timeout=PATIENCE_MS)
    for name in ("Undo", "Redo", "Clear"):
        assert page.get_by_role("button", name=name).bounding_box()["height"] >= 44
    box = canvas(page).bounding_box()
    for x, y in ((0.98, 0.01), (0.9, 0.03), (0.8, 0.02), (0.7, 0.02)):
        page.touchscreen.tap(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.wait_for_timeout(1500)
    expect(page.locator(".dc-toolbar")).to_be_hidden()
    expect(page.locator(".ink-label")).to_be_attached()  # four dots more, and the seven is still there
    for _ in range(4):
        page.get_by_role("button", name="Undo").tap()
    expect(page.locator(".ink-label")).to_have_text("7")
    page.context.close()


def test_a_phone_shows_the_answer_without_scrolling(chromium):
    page = chromium(size=PHONE)
    draw(page, SEVEN)
    glance = page.locator(".ink-glance")
    expect(glance).to_contain_text("7")
    box, drawn = glance.bounding_box(), canvas(page).bounding_box()
    assert box["y"] + box["height"] <= PHONE["height"]
    assert drawn["y"] + drawn["height"] <= box["y"]
    page.set_viewport_size(DESKTOP)
    expect(glance).to_be_hidden()


def test_every_choice_holds_at_the_first_click(chromium):
    page = chromium()
    draw(page, SEVEN)
    for recogniser in ("characters 1.0", "digits-tiny 1.0", "lenet5 1.0", "digits 1.0"):
        choose(page, recogniser)
        expect(page.locator(".ink-source")).to_contain_text(recogniser)
    toggle = page.get_by_label("Show Grad-CAM heatmap")
    for wanted in (1, 0, 1, 0, 1):
        page.get_by_text("Show Grad-CAM heatmap").click()
        expect(page.locator(".ink-heat")).to_have_count(wanted)
        expect(toggle).to_be_checked(checked=bool(wanted))
    page.get_by_role("button", name="Options").click()
    slider = page.get_by_role("slider", name="Unsure below")
    for threshold in ("0.65", "0.70", "0.75", "0.80", "0.85", "0.90"):
        slider.press("ArrowRight")
        expect(page.get_by_test_id("stPopoverBody").get_by_text(threshold)).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Models").click()
    expect(page.locator(".ink-name", has_text="digits 1.0")).to_be_visible()
    page.get_by_role("link", name="Draw").click()
    expect(page.locator(".ink-heat")).to_have_count(1)  # kept, as the recogniser is


def test_the_address_names_the_recogniser(chromium):
    page = chromium("?model=characters-edge")
    draw(page, SEVEN)
    expect(page.locator(".ink-source")).to_contain_text("characters-edge 1.0")
    choose(page, "lenet5 1.0")
    expect(page.locator(".ink-source")).to_contain_text("lenet5 1.0")
    assert "model=lenet5" in page.url
