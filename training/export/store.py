"""Exports on disk: `<exports>/<model>-<version>/<file>`, each with a card that it is checked against when opened."""

import json
import tempfile
from pathlib import Path

from training.export.eager import read_with
from training.export.errors import DamagedError
from training.export.formats import Format
from training.export.frames import Frames
from training.export.parity import Parity, compare
from training.export.reader import Reader
from training.export.source import Source, sha256


def write_export(source: Source, form: Format, exports: Path, frames: Frames) -> Parity:
    """Write a recogniser in a format; the file appears whole and checked, or not at all.

    Args:
        source: what to export.
        form: how.
        exports: folder of all exports.
        frames: to compare it with torch on.

    Raises:
        AbsentError: something that the format needs is not there.
        ParityError: it does not say what torch says.
        ExportError: the exporter failed.
    """
    folder = exports / source.name
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as partial:
        path = Path(partial) / form.file
        form.write(source, path)
        reader = form.open(path)
        check_metadata(reader, source)
        parity = compare(reader, read_with(source.network), frames, form.exact)
        card = {
            **source.metadata,
            "labels": source.network.config.labels,
            "format": form.name,
            "bytes": path.stat().st_size,
            "sha256": sha256(path),
            "weights_sha256": sha256(source.weights),
            "parity": parity.as_dict(),
        }
        path.replace(folder / form.file)
    card_path(folder, form).write_text(json.dumps(card, indent=2) + "\n")
    return parity


def open_export(source: Source, form: Format, exports: Path) -> Reader:
    """Open an export after a look at its card.

    Raises:
        DamagedError: the file or card is missing, they do not fit, or the recogniser's weights have changed since.
        AbsentError: a package that reads it is not there.
        ExportError: the runtime refuses it.
    """
    path = exports / source.name / form.file
    check_file(path, card_path(path.parent, form), source)
    reader = form.open(path)
    check_metadata(reader, source)
    return reader


def check_pruned(path: Path, source: Source) -> None:
    """Compare a pruned checkpoint with its card.

    Raises:
        DamagedError: the file or card is missing, they do not fit, or the recogniser's weights have changed since.
    """
    check_file(path, path.with_suffix(".json"), source)


def check_file(path: Path, card: Path, source: Source) -> None:
    """Compare a file with its card, and its card with the weights that it was made from.

    Raises:
        DamagedError: one is missing, or they do not fit.
    """
    if not path.exists() or not card.exists():
        raise DamagedError(f"{path} or its card is missing")
    try:
        facts = json.loads(card.read_text())
        wanted, weights = facts["sha256"], facts["weights_sha256"]
    except (ValueError, KeyError, TypeError) as err:
        raise DamagedError(f"{card} is not a card: {err}") from err
    if sha256(path) != wanted:
        raise DamagedError(f"{path} is damaged: its sha256 is not the one on its card")
    if sha256(source.weights) != weights:
        raise DamagedError(f"{path} was made from other weights than {source.weights}")


def check_metadata(reader: Reader, source: Source) -> None:
    """Compare what a file says of itself with what it should say.

    Raises:
        DamagedError: they differ.
    """
    if dict(reader.metadata) != source.metadata:
        raise DamagedError(f"its metadata is {dict(reader.metadata)}; wanted {source.metadata}")


def card_path(folder: Path, form: Format) -> Path:
    """Return where the card of an export lies."""
    return folder / f"{form.file}.json"
