"""Exports on disk: `<exports>/<model>-<version>/<file>`, each with a card that opening it checks."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from training.card import Card, CardError, Record, card_path
from training.export.formats import Format
from training.export.parity import Frames, Parity, compare
from training.export.source import DamagedError, Predictor, Source, sha256

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class ExportCard(Record):
    """The card of an export, `<file>.json` beside it.

    Attributes:
        format: name of the format.
        bytes: of the file.
        sha256: of the file.
        weights_sha256: of the checkpoint that it was made from.
        parity: comparison with torch.
    """

    model: str
    version: str
    labels: tuple[str, ...]
    normal_form: str
    format: str
    bytes: int
    sha256: str
    weights_sha256: str
    parity: Parity


def write_export(source: Source, form: Format, exports: Path, frames: Frames) -> Parity:
    """Write a recogniser in a format; the file appears whole and checked, or not at all.

    Args:
        source: what to export.
        form: its format.
        exports: folder of all exports.
        frames: to compare it with torch on.

    Raises:
        AbsentError: something that the format needs is missing.
        ParityError: its output differs from that of torch.
        ExportError: the exporter failed.
    """
    folder = exports / source.name
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as partial:
        path = Path(partial) / form.file
        form.write(source, path)
        predictor = form.open(path)
        check_metadata(predictor, source)
        parity = compare(predictor, source.predictor(), frames, form.exact)
        card = ExportCard(
            model=source.network.config.model,
            version=source.version,
            labels=source.network.config.labels,
            normal_form=source.normal_form,
            format=form.name,
            bytes=path.stat().st_size,
            sha256=sha256(path),
            weights_sha256=sha256(source.weights),
            parity=parity,
        )
        path.replace(folder / form.file)
    card.write(export_card_path(folder, form))
    return parity


def open_export(source: Source, form: Format, exports: Path) -> Predictor:
    """Open an export after checking it against its card.

    Raises:
        DamagedError: the file or card is missing, they do not match, or the recogniser's weights have changed since.
        AbsentError: a package that reads it is missing.
        ExportError: the runtime refuses it.
    """
    path = exports / source.name / form.file
    card = read_card(path, export_card_path(path.parent, form), ExportCard)
    check_digests(path, card.sha256, card.weights_sha256, source)
    predictor = form.open(path)
    check_metadata(predictor, source)
    return predictor


def check_pruned(path: Path, source: Source) -> Card:
    """Compare a pruned checkpoint with its card, and return the card.

    Raises:
        DamagedError: the file or card is missing, they do not match, or the recogniser's weights have changed since.
    """
    card = read_card(path, card_path(path), Card)
    check_digests(path, card.sha256, card.weights_sha256, source)
    return card


def read_card(path: Path, card: Path, kind: type[R]) -> R:
    """Read the card of a file.

    Raises:
        DamagedError: the file or the card is missing, or the card is damaged.
    """
    if not path.exists() or not card.exists():
        raise DamagedError(f"{path} or its card is missing")
    try:
        return kind.read(card)
    except CardError as err:
        raise DamagedError(str(err)) from err


def check_digests(path: Path, wanted: str, weights: str | None, source: Source) -> None:
    """Compare a file and the recogniser's weights with the digests on the card.

    Raises:
        DamagedError: they do not match.
    """
    if sha256(path) != wanted:
        raise DamagedError(f"{path} is damaged: its sha256 is not the one on its card")
    if sha256(source.weights) != weights:
        raise DamagedError(f"{path} was made from other weights than {source.weights}")


def check_metadata(predictor: Predictor, source: Source) -> None:
    """Compare the metadata in a file with that of the recogniser.

    Raises:
        DamagedError: they differ.
    """
    if dict(predictor.metadata) != source.metadata:
        raise DamagedError(f"its metadata is {dict(predictor.metadata)}; wanted {source.metadata}")


def export_card_path(folder: Path, form: Format) -> Path:
    """Return where the card of an export lies."""
    return folder / f"{form.file}.json"
