"""The Batch page as a person uses it: Chromium, the real dashboard and the real TorchServe behind it."""

import csv
import io
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from dashboard.batch.results_view import CELL_PX, HEADER_PX, INDEX_PX
from deploy.local.settings import ROOT
from handwriting.preprocess import picture_frame
from inkserve.client.pictures import encode, from_array
from tests.browsing import PATIENCE_MS, PHONE, SCREENSHOTS, scrolls_sideways
from tests.conftest import drawings
from tests.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.server]

EXAMPLES = ROOT / "examples" / "digits"
MANY = 10_000
CANCEL = ".st-key-batch-cancel button"  # the uploader has one of that name, too
LONG_MS = 120_000  # for the reading of MANY on a busy machine


def file(name: str, content: bytes) -> dict:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def upload(page: Page, *files: dict | Path) -> None:
    given = [file(each.name, each.read_bytes()) if isinstance(each, Path) else each for each in files]
    page.locator("input[type=file]").set_input_files(given)


def zipped(times: int = 1) -> dict:
    """Our drawings in folders named after what they show, each so many times."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(times):
            for path in drawings():
                archive.write(path, f"{path.name[0]}/{number}-{path.name}")
    return file("drawings.zip", buffer.getvalue())


def expect_outcome(page: Page, text: str, timeout_ms: int = PATIENCE_MS) -> None:
    expect(page.locator(".ink-batch").first).to_contain_text(text, timeout=timeout_ms)
    expect(page.locator(".stException")).to_have_count(0)


def cells(page: Page) -> list[str]:
    """What the table says to a screen reader."""
    # Asked again while there are none: the table is empty for a moment when its rows change
    return eventually(page.locator("canvas table td").all_text_contents, "the cells of the table")


def test_a_cell_of_the_confusion_matrix_shows_its_pictures(chromium):
    page = chromium("batch")
    folders = {"1/a.png": "1-1", "7/b.png": "1-2", "7/c.png": "7-1"}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, source in folders.items():
            archive.write(EXAMPLES / f"{source}.png", name)
    upload(page, file("a.zip", buffer.getvalue()))
    expect_outcome(page, "3 of 3 pictures read")
    matrix = page.locator("[data-testid=stDataFrame]").first
    for _ in range(2):  # chosen, and then not any more
        matrix.locator("canvas").first.wait_for()
        matrix.scroll_into_view_if_needed()
        page.wait_for_timeout(1000)  # for what is above it to take its place
        place = matrix.bounding_box()  # the first column, the second row
        page.mouse.click(place["x"] + INDEX_PX + CELL_PX / 2, place["y"] + HEADER_PX * 2.5)
        expect(page.get_by_text("Only 7 read as 1 is shown.")).to_be_visible(timeout=PATIENCE_MS)
        expect(page.get_by_role("radio", name="All 1")).to_be_visible()
        page.screenshot(path=SCREENSHOTS / "batch-cell.png")
        page.get_by_role("button", name="Show all").click()
        expect(page.get_by_role("radio", name="All 3")).to_be_visible(timeout=PATIENCE_MS)
        expect(page.get_by_text("Only 7 read as 1 is shown.")).to_have_count(0)


def label_one_by_one(page: Page) -> Locator:
    """Start labelling, and return what is said of the picture; keys work from now on."""
    expect(page.get_by_role("button", name="All results as JSON")).to_be_visible()  # the page ends with it
    page.get_by_role("button", name="Label one by one").click()
    expect(page.get_by_role("button", name="Next")).to_be_visible()
    return page.locator(".ink-to-label figcaption")


@pytest.mark.parametrize("size", [None, PHONE])
def test_pictures_are_labelled_by_key_and_by_button(chromium, size):
    page = chromium("batch", **({"size": size} if size else {}))
    upload(page, *(EXAMPLES / f"{name}.png" for name in ("3-1", "7-1", "1-1")))
    expect_outcome(page, "3 of 3 pictures read")
    shown = label_one_by_one(page)
    first = shown.inner_text().partition(": ")[2].partition(",")[0]
    page.keyboard.press("5")
    expect(shown).to_contain_text("2 of 3: ")
    page.keyboard.press("Backspace")
    expect(shown).to_contain_text(f"1 of 3: {first}")
    expect(shown).not_to_contain_text("right label")
    page.get_by_role("button", name="4", exact=True).click()
    expect(shown).to_contain_text("2 of 3: ")
    for number in (3, 0):
        page.keyboard.press("ArrowRight")
        if number:
            expect(shown).to_contain_text(f"{number} of 3: ")
    expect(page.locator(".ink-note")).to_contain_text("All 3 have been shown")
    page.screenshot(path=SCREENSHOTS / f"batch-labelled-{'phone' if size else 'desk'}.png")
    assert not scrolls_sideways(page)
    page.get_by_role("button", name="Show the table").click()
    assert cells(page).count("4") == 1


def test_quick_keys_label_the_picture_that_was_shown(chromium):
    page = chromium("batch")
    upload(page, *(EXAMPLES / f"{name}.png" for name in ("3-1", "7-1", "1-1")))
    expect_outcome(page, "3 of 3 pictures read")
    shown = label_one_by_one(page)
    page.evaluate("for (const key of '58') document.body.dispatchEvent(new KeyboardEvent('keydown', {key}))")
    expect(shown).to_contain_text("2 of 3: ")
    page.keyboard.press("Backspace")
    expect(shown).to_contain_text("1 of 3: ")
    expect(shown).not_to_contain_text("right label")
    page.evaluate("for (const key of '58') document.body.dispatchEvent(new KeyboardEvent('keydown', {key}))")
    expect(shown).to_contain_text("2 of 3: ")
    page.get_by_role("button", name="Show the table").click()
    eventually(lambda: "8" in cells(page), "the label pressed last")
    assert "5" not in cells(page)


def test_every_label_has_its_key(chromium):
    page = chromium("batch?model=characters")
    upload(page, *(EXAMPLES / f"{name}.png" for name in ("3-1", "7-1", "1-1", "5-1")))
    expect_outcome(page, "4 of 4 pictures read")
    shown = label_one_by_one(page)
    for number, key in enumerate(("c", "R", "r"), 2):  # a key of Streamlit itself; C has no small letter of its own
        page.keyboard.press(key)
        expect(shown).to_contain_text(f"{number} of 4: ")
    page.get_by_role("button", name="Show the table").click()
    eventually(lambda: {"C", "R", "r"} <= set(cells(page)), "the labels")


def test_files_that_are_left_out_are_named(chromium):
    page = chromium("batch")
    upload(page, EXAMPLES / "3-1.png", EXAMPLES / "7-1.png", zipped_notes())
    expect_outcome(page, "3 of 3 pictures read")
    page.get_by_text("1 file left out").click()
    expect(page.get_by_text("notes.zip/notes.txt: a list or text")).to_be_visible()


def zipped_notes() -> dict:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("notes.txt", "7 a.png")
        archive.write(EXAMPLES / "1-1.png", "1.png")
    return file("notes.zip", buffer.getvalue())


def test_one_picture_shows_its_label(chromium):
    page = chromium("batch")
    upload(page, EXAMPLES / "3-1.png")
    expect(page.locator(".ink-label")).to_have_text("3", timeout=PATIENCE_MS)
    page.screenshot(path=SCREENSHOTS / "batch-one.png")


def test_one_broken_picture_gives_a_message(chromium):
    page = chromium("batch")
    upload(page, file("broken.png", b"\x89PNG\r\n\x1a\nno picture"))
    refusal = "broken.png cannot be read. The picture is damaged or truncated"
    expect(page.locator(".ink-refusal")).to_contain_text(refusal, timeout=PATIENCE_MS)
    expect(page.locator(".stException")).to_have_count(0)


def test_a_broken_file_is_one_row_with_its_error(chromium):
    page = chromium("batch")
    upload(page, EXAMPLES / "3-1.png", file("broken.png", b"no picture"), EXAMPLES / "7-1.png")
    expect_outcome(page, "2 of 3 pictures read")
    expect_outcome(page, "1 picture could not be read: broken.png. Not a picture: this is a text")
    page.get_by_text("Errors 1").click()
    eventually(lambda: "3-1.png" not in cells(page), "the rows with errors alone")
    shown = cells(page)
    assert "broken.png" in shown
    assert any("InvalidImage" in cell for cell in shown)


def test_folder_names_give_accuracy_and_downloads_have_all_rows(chromium):
    page = chromium("batch")
    upload(page, zipped())
    expect(page.get_by_text("Accuracy 100.0 %")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("30 of 30 pictures in folders")).to_be_visible()
    expect(page.get_by_text("Confusion matrix")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "batch-accuracy.png")
    with page.expect_download() as download:
        page.get_by_role("button", name="All results as CSV").click()
    with open(download.value.path(), newline="") as results:  # noqa: PTH123 - a path as Playwright gives it
        rows = list(csv.DictReader(results))
    assert [row["label"] for row in rows] == [row["name"][0] for row in rows]
    assert len(rows) == 30


def test_a_label_can_be_corrected(chromium):
    page = chromium("batch")
    upload(page, zipped())
    expect(page.get_by_text("Wrong 0")).to_be_visible(timeout=PATIENCE_MS)
    cells(page)  # the table is there
    grid = page.locator("[data-testid=stDataFrame]").last.locator("canvas").first  # below the confusion matrix
    grid.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)  # for what is above it to take its place
    box = grid.bounding_box()
    page.mouse.dblclick(box["x"] + 350, box["y"] + 60)  # the third column of the first row
    page.locator("#portal").get_by_text("9", exact=True).click()  # of the labels that the editor offers
    expect(page.get_by_text("Wrong 1")).to_be_visible(timeout=PATIENCE_MS)


def test_a_folder_is_read(chromium, tmp_path):
    for path in drawings()[:4]:
        (tmp_path / path.name[0]).mkdir(exist_ok=True)
        (tmp_path / path.name[0] / path.name).write_bytes(path.read_bytes())
    (tmp_path / "note.txt").write_text("no picture")
    page = chromium("batch")
    page.get_by_text("Folder", exact=True).click()
    expect(page.get_by_text("A folder of pictures")).to_be_visible(timeout=PATIENCE_MS)
    page.locator("input[webkitdirectory]").set_input_files(tmp_path)
    expect_outcome(page, "4 of 4 pictures read")
    expect(page.get_by_text("4 of 4 pictures in folders")).to_be_visible()


def test_a_batch_can_be_cancelled(chromium):
    page = chromium("batch")
    upload(page, zipped(times=300))
    page.locator(CANCEL).click(timeout=PATIENCE_MS)
    expect_outcome(page, "Cancelled")
    expect(page.get_by_role("button", name="Read again")).to_be_visible()


def test_names_with_html_are_text(chromium):
    page = chromium("batch")
    name = "<img src=x onerror=document.title=1>"
    upload(page, file(f"{name}.png", b"x"), file(f"{name}.zip", b"x"), EXAMPLES / "7-1.png")
    expect_outcome(page, "1 of 2 pictures read")
    expect(page.locator(".ink-left-out")).to_contain_text(f"{name}.zip is not a ZIP file")
    assert f"{name}.png" in cells(page)
    expect(page.locator("img[src=x]")).to_have_count(0)


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_a_phone_never_scrolls_sideways(chromium, color_scheme):
    page = chromium("batch", size=PHONE, color_scheme=color_scheme)
    expect(page.locator(".ink-note")).to_contain_text("Choose pictures", timeout=PATIENCE_MS)
    assert not scrolls_sideways(page)
    upload(page, zipped())
    expect_outcome(page, "30 of 30 pictures read")
    cells(page)
    page.screenshot(path=SCREENSHOTS / f"batch-phone-{color_scheme}.png", full_page=True)
    assert not scrolls_sideways(page)


@pytest.mark.slow
def test_ten_thousand_pictures_are_read_while_the_page_stays_alive(chromium):
    seven = encode(from_array(picture_frame((EXAMPLES / "7-1.png").read_bytes(), "mnist")))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(MANY):
            archive.writestr(f"7/{number}.png", seven)
    page = chromium("batch")
    upload(page, file("many.zip", buffer.getvalue()))
    expect(page.get_by_role("progressbar")).to_be_visible(timeout=PATIENCE_MS)
    assert page.evaluate("1 + 1") == 2  # the tab answers while the batch is read
    expect_outcome(page, "10,000 of 10,000 pictures read", timeout_ms=LONG_MS)
    expect(page.get_by_text("Page of 50")).to_be_visible()
    cells(page)
