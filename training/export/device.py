"""What a page on the visitor's own device runs: `python -m training.export.device FOLDER`.

Writes the graphs of the normal form, the ink network, the small recognisers, and recognisers.json, which names them.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch

from handwriting.labels import DIGITS
from handwriting.preprocess import FORMS, ink, ink_network
from inkserve.command import run
from training.export import normal_form
from training.export.normal_form import INK_PX, PICTURE_PX, Begin, Decide, Frame, Look
from training.export.onnx import write_onnx
from training.export.source import find_weights, load_source
from training.onnx_file import write_onnx_file

MODELS = ("digits-tiny", "characters-edge")
VIEWS = (ink_network.VIEW_PX, ink.WIDE_VIEW_PX)
NAMES = {
    "picture_px": PICTURE_PX,
    "read": normal_form.READ,
    "look": normal_form.LOOK,
    "blank": normal_form.BLANK,
    "speck": normal_form.SPECK,
    "view_px": ink_network.VIEW_PX,
    "wide_px": ink.WIDE_PX,
    "wide_view_px": ink.WIDE_VIEW_PX,
}


def write_graphs(folder: Path) -> None:
    """Write the graphs of the normal form, and the ink network as it is."""
    size, per_px, window = torch.tensor([9.0, 9.0]), torch.tensor(1.0), torch.tensor([0.0, 0.0, 9.0])
    found = {"ink": torch.rand(INK_PX, INK_PX), "ink_size": size, "per_px": per_px}
    grey = torch.rand(PICTURE_PX, PICTURE_PX)
    begun = ("grey", "outside", "status", "ink", "ink_size", "per_px", "window")
    rgba = torch.randint(256, (PICTURE_PX, PICTURE_PX, 4), dtype=torch.uint8)
    write_onnx_file(Begin(), {"rgba": rgba, "size": size}, folder / "begin.onnx", begun)
    decided = ("is_found", "again", "is_last", "ink", "ink_size", "per_px", "next_window")
    for view_px in VIEWS:
        looked = {"grey": grey, "outside": per_px, "window": window, "size": size}
        write_onnx_file(Look(view_px), looked, folder / f"look-{view_px}.onnx", ["views"])
        seen = {"seen": torch.rand(1, 2, view_px, view_px), "window": window, "size": size}
        seen |= {"looks": per_px, "was_last": per_px}
        write_onnx_file(Decide(view_px), seen, folder / f"decide-{view_px}.onnx", decided)
    for name, form in FORMS.items():
        write_onnx_file(Frame(form), found | {"size": size}, folder / f"frame-{name}.onnx", ["frame", "status"])
    shutil.copy(ink_network.NETWORK, folder / "ink.onnx")


def write_recognisers(folder: Path, weights: Path) -> None:
    """Write the recognisers, and recognisers.json, which names them and the numbers that the page needs."""
    described = {}
    for name in MODELS:
        source = load_source(find_weights(weights, [name])[-1])
        file = f"{source.name}.onnx"
        write_onnx(source, folder / file)
        labels = list(source.network.config.labels)
        described[name] = {
            "file": file,
            "version": source.version,
            "normal_form": source.normal_form,
            "labels": labels,
            "reads": "one digit" if len(labels) == len(DIGITS) else "one digit or letter",
        }
    (folder / "recognisers.json").write_text(json.dumps({"names": NAMES, "recognisers": described}) + "\n")


def main() -> None:
    """Write the files of the command line's folder."""
    parser = argparse.ArgumentParser(
        prog="python -m training.export.device",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="is there already")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder of the weights")
    options = parser.parse_args()
    write_graphs(options.folder)
    write_recognisers(options.folder, options.weights)


if __name__ == "__main__":
    sys.exit(run("export", main))
