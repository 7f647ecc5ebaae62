"""The page that reads on the visitor's own device: built with npm, opened in Chromium, compared with Python."""

import base64
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from playwright.sync_api import expect

from deploy.device.build import MIB, RUNTIME_FILES, build
from handwriting.checkpoint import load_checkpoint
from handwriting.errors import InvalidImage
from handwriting.preprocess import picture_frame
from measuring.common.example_digits import frames
from measuring.common.papers import KINDS, pictures_of
from tests.browsing import PATIENCE_MS, PHONE, SCREENSHOTS, scrolls_sideways
from tests.conftest import ROOT, drawings
from tests.test_device_form import grey_of
from training.export.device import MODELS

pytestmark = [
    pytest.mark.deployment,
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm"),
]
MOST_MIB = 12
PICTURES = 200
SAME = {"digits-tiny": 0.96, "characters-edge": 0.93}  # of the pictures have the same label
READ_ALL = """async ([pictures, model]) => {
  const { names } = await (await fetch("recognisers.json")).json();
  const { pixelsOf } = await import("./pixels.js");
  const worker = new Worker("reader.js", { type: "module" });
  const answers = [];
  for (const [id, picture] of pictures.entries()) {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${picture}`)).blob());
    const answer = new Promise((resolve) => { worker.onmessage = ({ data }) => resolve(data); });
    worker.postMessage({ id, ...pixelsOf(bitmap, names.picture_px), model });
    const { status, top, message } = await answer;
    answers.push(status === "read" ? top[0].label : message ?? status);
  }
  return answers;
}"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_args) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("device") / "page"
    size = build(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, size, f"http://127.0.0.1:{server.server_port}/", server
    server.shutdown()
    server.server_close()


def test_the_page_is_small_and_complete(site):
    folder, size, _, _ = site
    print(f"{size / MIB:.2f} MiB")
    assert size < MOST_MIB * MIB
    assert set(RUNTIME_FILES) < {path.name for path in folder.iterdir()}
    for path in folder.glob("*.onnx"):
        assert str(ROOT).encode() not in path.read_bytes()


@pytest.mark.parametrize("model", MODELS)
def test_it_reads_what_python_reads(site, pages, model):
    glyphs = [grey_of(each.content) for each in frames()]
    contents = [path.read_bytes() for path in drawings()]
    for number, kind in enumerate(KINDS):
        contents += pictures_of(glyphs[number % 4 :: 4], kind)
    contents = contents[:PICTURES]
    network = load_checkpoint(ROOT / "weights" / f"{model}-1.0.safetensors")
    wanted = []
    for content in contents:
        try:
            frame = picture_frame(content, network.config.normal_form)
        except InvalidImage as err:
            wanted.append("speck" if "speck" in str(err) else "blank")
        else:
            with torch.inference_mode():
                wanted.append(
                    network.config.labels[network(torch.from_numpy(np.array(frame))[None, None]).argmax().item()]
                )
    page = pages(site[2])
    found = page.evaluate(READ_ALL, [[base64.b64encode(each).decode() for each in contents], model])
    differ = [(at, *pair) for at, pair in enumerate(zip(found, wanted, strict=True)) if pair[0] != pair[1]]
    print(f"{model}: {len(contents) - len(differ)} of {len(contents)} the same; {differ}")
    assert len(contents) == PICTURES
    assert found[: len(drawings())] == wanted[: len(drawings())]
    assert len(differ) <= (1 - SAME[model]) * PICTURES


@pytest.mark.parametrize("size", [{"width": 1280, "height": 800}, PHONE])
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_a_person_draws_and_chooses(site, pages, size, color_scheme):
    page = pages(site[2], size=size, color_scheme=color_scheme)
    expect(page.locator("#note")).to_contain_text("Draw a character", timeout=PATIENCE_MS)
    page.locator("#photo").set_input_files(ROOT / "examples" / "digits" / "7-1.png")
    expect(page.locator("#label")).to_have_text("7", timeout=PATIENCE_MS)
    draw(page, [(0.5, 0.2), (0.5, 0.5), (0.5, 0.8)])
    expect(page.locator("#label")).to_have_text("1")
    expect(page.locator("#top li")).to_have_count(3)
    page.locator("#model").select_option("characters-edge")
    expect(page.locator("#label")).to_have_text("1")
    page.get_by_role("button", name="Measure").click()
    expect(page.locator("#measured")).to_contain_text("of the last 50", timeout=PATIENCE_MS)
    assert float(page.locator("#p50").inner_text().split()[0]) <= float(page.locator("#p95").inner_text().split()[0])
    page.screenshot(path=SCREENSHOTS / f"device-{size['width']}-{color_scheme}.png", full_page=True)
    assert not scrolls_sideways(page)
    page.keyboard.press("Control+z")
    expect(page.locator("#note")).to_contain_text("Draw a character")
    page.get_by_role("button", name="Redo").click()
    expect(page.locator("#label")).to_have_text("1")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#note")).to_contain_text("Draw a character")
    page.locator("#photo").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(page.locator("#note")).to_have_text("a.png is not a picture that this browser can read.")


def draw(page, points) -> None:
    box = page.locator("#drawing").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()


def test_it_works_without_a_network_after_the_first_visit(site, pages):
    asked = []
    page = pages(site[2], requests=asked)
    expect(page.locator("#offline")).to_contain_text("without a network", timeout=PATIENCE_MS)
    assert all(each.startswith((site[2], "blob:", "data:")) for each in asked)
    page.context.set_offline(True)
    page.reload()
    page.locator("#photo").set_input_files(ROOT / "examples" / "digits" / "3-1.png")
    expect(page.locator("#label")).to_have_text("3", timeout=PATIENCE_MS)
    page.locator("#model").select_option("characters-edge")
    expect(page.locator("#label")).to_have_text("3", timeout=PATIENCE_MS)
