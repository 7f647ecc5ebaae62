"""A recogniser on paper of every kind: characters of its test set in scenes of `training.ink`, one kind at a time.

`reader` gets pages of text and numbers instead, on plain, ruled and squared paper and in boxes.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from handwriting.labels import DIGITS, LABELS, NORMAL_FORMS
from inkserve.intervals import wilson_interval
from measuring.accuracy.labelled_pictures import LabelledPictures, read_answers
from measuring.accuracy.reader_accuracy import READER, read_all, summarise
from measuring.accuracy.scores import Answers
from measuring.common.example_digits import frames as example_frames
from measuring.common.paper_pages import KINDS as PAGE_KINDS
from measuring.common.paper_pages import pages_on
from measuring.common.papers import KINDS, SEED, frames_of, pictures_of
from measuring.common.results_page import table_of, write_results
from measuring.common.temporary_server import serving
from training.augment import soften
from training.data import load_characters
from training.marks import COMMON_MARKS, MARKS, draw_mark, draw_one, draw_seven
from training.paper import any_letter
from training.provenance import commit

PICTURES = 400  # of each kind, unless --limit says otherwise
NUMBERS, PAGES = 200, 60  # with numbers, and with text
SURE = 0.9
OTHER_MARKS = [each for each in MARKS if each not in COMMON_MARKS]
SHOWN, SHOWN_PX = 8, 80  # examples of each kind, from the project's own drawings
COLUMNS = {
    "kind": "{kind}",
    "right": "**{right:.1%}**",
    "95 % interval": "{interval_95[0]:.1%} to {interval_95[1]:.1%}",
    "refused": "{refused:.1%}",
    "wrong": "{wrong:.1%}",
    "wrong and sure": "{wrong_and_sure:.1%}",
}
PAGE_COLUMNS = {
    "pages": "{set}",
    "n": "{pages}",
    "characters": "{characters:,}",
    "error rate, case merged": "**{error_rate:.1%}**",
    "95 % interval": "{error_rate_interval_95[0]:.1%} to {error_rate_interval_95[1]:.1%}",
    "without error": "{pages_without_error}",
}


def evaluate_papers(options: argparse.Namespace) -> None:
    """Measure a recogniser on pictures of each kind, print the figures and write docs/results/papers.

    Raises:
        DataError: the test set is missing.
        StackError: the server does not start.
        ServerError: it fails on a picture.
    """
    measured = measure_pages(options) if options.model == READER else measure_characters(options)
    write(options.out.parent, options.model, measured)


def measure_pages(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row of figures for each kind of page."""
    counts = {kind: options.limit or (NUMBERS if kind.startswith("numbers") else PAGES) for kind in PAGE_KINDS}
    readings = read_all(options, {kind: (pages_on(kind, count), count) for kind, count in counts.items()})
    measured = [summarise(kind, each) for kind, each in readings.items()]
    print("\n".join(table_of(PAGE_COLUMNS, measured)))
    return measured


def measure_characters(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row of figures for each kind of picture of a character, and for what digits are not."""
    model, count = options.model, options.limit or PICTURES
    test = load_characters(NORMAL_FORMS[model], "test")
    rows = np.random.default_rng(SEED).choice(len(test), count, replace=False)
    labels = [LABELS[model][index] for index in test.labels[rows]]
    on_paper = (LabelledPictures(kind, list(pictures_of(test.images[rows], kind)), labels) for kind in KINDS)
    server = (
        nullcontext(options.url) if options.url else serving(options.model_store / f"{model}-{options.version}.mar")
    )
    measured = []
    with server as url:
        for pictures in chain(on_paper, others(model, test.images[rows], labels)):
            measured.append(row_of(pictures.title, read_answers(url, model, options.version, pictures)))
            print("\n".join(table_of(COLUMNS, measured[-1:])[-1:]), flush=True)
    return measured


def others(model: str, frames: np.ndarray, labels: Sequence[str]) -> Iterator[LabelledPictures]:
    """Make blurred frames, ones and sevens as no data set has them, and marks and letters, which have no label."""
    count = len(frames)
    torch.manual_seed(SEED)
    blurred = soften(torch.from_numpy(frames)[:, None].float() / 255, 1.0)[:, 0]
    images = np.round(blurred.numpy() * 255).astype(np.uint8)
    yield LabelledPictures("frames out of focus or shaken by up to 7 px", images, labels)
    drawn = {
        "1 with a long upstroke": (draw_one, "1"),
        "7, most with a bar": (draw_seven, "7"),
        "dash, plus, tick, cross, question mark, scribble or smiley": (partial(draw_mark, kinds=COMMON_MARKS), ""),
        "other marks, such as ! or a bracket": (partial(draw_mark, kinds=OTHER_MARKS), ""),
    }
    if LABELS[model] == DIGITS:
        characters = load_characters("emnist", "test")
        drawn["letters, without those like digits"] = (partial(any_letter, characters), "")
    for kind, (draw, label) in drawn.items():
        pictures = list(pictures_of(frames_of(draw, count), "plain paper"))
        yield LabelledPictures(kind, pictures, [label] * count)


def row_of(kind: str, answers: Answers) -> dict[str, Any]:
    """Compute the figures of a kind."""
    refused = answers.predicted < 0
    wrong = ~answers.correct & ~refused
    return {
        "kind": kind,
        "n": len(refused),
        "right": float(answers.correct.mean()),
        "interval_95": wilson_interval(int(answers.correct.sum()), len(refused)),
        "refused": float(refused.mean()),
        "wrong": float(wrong.mean()),
        "wrong_and_sure": float((wrong & (answers.confidences >= SURE)).mean()),
    }


def write(folder: Path, model: str, measured: Sequence[Mapping[str, Any]]) -> None:
    """Write the figures of a model beside those of others that the page has, and the picture of examples."""
    path = folder / "papers"
    kept = json.loads(path.with_suffix(".json").read_text()) if path.with_suffix(".json").exists() else {}
    results = kept | {model: {"commit": commit(), "seed": SEED, "rows": list(measured)}}
    lines = [
        "# On paper of every kind",
        "",
        "`make evaluate MODEL=digits ARGS=--papers` puts characters of the test set into scenes of the project's own",
        "generator, one kind at a time, sends them to a server and writes this page. The networks learned from other",
        f"scenes of it. Wrong and sure: read wrong with a confidence of {SURE} or more. `reader` gets numbers of",
        "two to four digits and pages of text.",
        "",
        "![Examples, from the project's own drawings](papers.png)",
    ]
    for name, found in results.items():
        rows = found["rows"]
        title = name if name == READER else f"{name}, {rows[0]['n']} pictures of each kind"
        lines += ["", f"## {title}", "", *table_of(PAGE_COLUMNS if name == READER else COLUMNS, rows)]
    write_results(path, results, lines)
    draw_examples(path.with_suffix(".png"))
    print(f"wrote {path}.md")


def draw_examples(path: Path) -> None:
    """Draw examples of each kind, a row each, in which the characters are the project's own drawings."""
    own = [cv2.imdecode(np.frombuffer(each.content, np.uint8), cv2.IMREAD_GRAYSCALE) for each in example_frames()]
    rows = []
    for kind in KINDS:
        tiles = []
        for picture in pictures_of(own[:: max(1, len(own) // SHOWN)][:SHOWN], kind):
            grey = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_GRAYSCALE)
            scale = SHOWN_PX / max(grey.shape)
            small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:SHOWN_PX, :SHOWN_PX]
            tile = np.full((SHOWN_PX + 4, SHOWN_PX + 4), 255, np.uint8)
            tile[2 : 2 + small.shape[0], 2 : 2 + small.shape[1]] = small
            tiles.append(tile)
        rows.append(np.hstack(tiles))
    cv2.imwrite(str(path), np.vstack(rows))
