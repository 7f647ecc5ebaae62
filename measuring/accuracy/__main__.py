"""Measure a recogniser over HTTP, from its archive: `python -m measuring.accuracy digits`.

Starts a TorchServe with that archive, sends the complete official test set, and the photographs in DATA_DIR where there
are some, and writes figures and charts to docs/results/<model>/. Exit code 1 if the accuracy over HTTP differs from the
card's. `reader` is measured on pages composed from the test sets instead (measuring.accuracy.reader_accuracy). With
--papers, characters of the test set are put on paper of every kind (measuring.accuracy.papers).
"""

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

from handwriting.labels import LABELS
from inkserve.client import ServerError
from inkserve.command import CommandError, run
from measuring.accuracy.accuracy_page import COLUMNS, write_report
from measuring.accuracy.labelled_pictures import official_test, photographs, read_answers
from measuring.accuracy.papers import evaluate_papers
from measuring.accuracy.reader_accuracy import READER, evaluate_reader
from measuring.common.command_line import parser_of
from measuring.common.results_page import RESULTS, table_of
from measuring.common.temporary_server import serving
from training.card import Card

OUT = RESULTS / "MODEL"
CARD_TOLERANCE = 0.0002  # a picture in 5,000: rounding differs between batch sizes


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = parser_of("measuring.accuracy", __doc__, out=OUT)
    parser.add_argument("model", choices=sorted([*LABELS, READER]), help="recogniser to measure")
    parser.add_argument("--version", default="1.0", help="MAJOR.MINOR of the archive (default: %(default)s)")
    parser.add_argument("--url", help="of a running server (default: start one)")
    parser.add_argument("--limit", type=int, help="number of pictures or pages (default: all)")
    parser.add_argument("--papers", action="store_true", help="measure on paper of every kind: docs/results/papers.md")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder of the cards (default: weights)")
    archives = "folder of the archives (default: model_store)"
    parser.add_argument("--model-store", type=Path, default=Path("model_store"), help=archives)
    options = parser.parse_args()
    if options.out == OUT:
        options.out = RESULTS / options.model
    return options


def evaluate(options: argparse.Namespace) -> bool:
    """Measure, write and print; True if the accuracy is the card's, or the test set is not complete."""
    name = f"{options.model}-{options.version}"
    card = Card.read(options.weights / f"{name}.json")
    sets = [official_test(options.model, options.limit), photographs(options.model)]
    server = nullcontext(options.url) if options.url else serving(options.model_store / f"{name}.mar")
    measured = []
    with server as url:
        for pictures in filter(None, sets):
            count = f"{len(pictures):,} pictures"
            print(f"{pictures.title}: sending {count} to {options.model} {options.version}", flush=True)
            measured.append((pictures, read_answers(url, options.model, options.version, pictures)))
    results = write_report(options.out, card, f"make evaluate MODEL={options.model}", measured)
    print("\n".join(table_of(COLUMNS, results["sets"])), f"wrote {options.out}", sep="\n")
    promised, found = card.metrics[0].accuracy, results["sets"][0]["accuracy"]
    agrees = options.limit is not None or abs(promised - found) <= CARD_TOLERANCE
    print(f"accuracy on the card: {promised:.2%}" + ("" if agrees else f"; measured: {found:.4%}"))
    return agrees


def main() -> int:
    """Run from the command line; 1 if the card's accuracy is wrong."""
    options = parse()
    try:
        if options.papers:
            evaluate_papers(options)
            return 0
        if options.model == READER:
            evaluate_reader(options)
            return 0
        return 0 if evaluate(options) else 1
    except (ServerError, FileNotFoundError) as err:
        raise CommandError(str(err)) from err


if __name__ == "__main__":
    sys.exit(run("evaluate", main))
