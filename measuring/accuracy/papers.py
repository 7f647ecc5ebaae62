"""A recogniser on paper of every kind: characters of its test set in scenes of `training.ink`, one kind at a time."""

import argparse
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from handwriting.labels import LABELS, NORMAL_FORMS
from inkserve.intervals import wilson_interval
from measuring.accuracy.labelled_pictures import LabelledPictures, read_answers
from measuring.accuracy.scores import Answers
from measuring.common.example_digits import frames as example_frames
from measuring.common.papers import KINDS, SEED, pictures_of
from measuring.common.results_page import table_of, write_results
from measuring.common.temporary_server import serving
from training.data import load_characters
from training.provenance import commit

PICTURES = 200  # of each kind, unless --limit says otherwise
SURE = 0.9
SHOWN, SHOWN_PX = 8, 80  # examples of each kind, from the project's own drawings
COLUMNS = {
    "kind": "{kind}",
    "right": "**{right:.1%}**",
    "95 % interval": "{interval_95[0]:.1%} to {interval_95[1]:.1%}",
    "refused": "{refused:.1%}",
    "wrong": "{wrong:.1%}",
    "wrong and sure": "{wrong_and_sure:.1%}",
}


def evaluate_papers(options: argparse.Namespace) -> None:
    """Measure a recogniser on pictures of each kind, print the figures and write docs/results/papers.

    Raises:
        DataError: the test set is missing.
        StackError: the server does not start.
        ServerError: it fails on a picture.
    """
    model, count = options.model, options.limit or PICTURES
    test = load_characters(NORMAL_FORMS[model], "test")
    rows = np.random.default_rng(SEED).choice(len(test), count, replace=False)
    labels = [LABELS[model][index] for index in test.labels[rows]]
    server = (
        nullcontext(options.url) if options.url else serving(options.model_store / f"{model}-{options.version}.mar")
    )
    measured = []
    with server as url:
        for kind in KINDS:
            pictures = LabelledPictures(kind, list(pictures_of(test.images[rows], kind)), labels)
            measured.append(row_of(kind, read_answers(url, model, options.version, pictures)))
            print("\n".join(table_of(COLUMNS, measured[-1:])[-1:]), flush=True)
    write(options.out.parent, model, measured)


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
        "generator, one kind at a time, sends them to a server and writes this page. It learned from other scenes.",
        f"Wrong and sure: read wrong with a confidence of {SURE} or more.",
        "",
        "![Examples, from the project's own drawings](papers.png)",
    ]
    for name, found in results.items():
        lines += [
            "",
            f"## {name}, {found['rows'][0]['n']} pictures of each kind",
            "",
            *table_of(COLUMNS, found["rows"]),
        ]
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
