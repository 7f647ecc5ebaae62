"""Exports on disk: `<exports>/<model>-<version>/<file>`, compared with torch before they get a card.

Opening an export checks it against its card.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from handwriting.labels import DIGITS
from handwriting.preprocess import picture_frame
from training.card import Card, Record, sha256
from training.data import Characters, is_there, load_characters, title_of
from training.export.formats import Format
from training.export.source import AbsentError, DamagedError, ParityError, Predictor, Source

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "digits"  # file names begin with the label
CHECKED = 2000
TOLERANCE = 1e-4  # of a probability; float32 sums in another order differ by about 1e-6
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Parity(Record):
    """How an export compares with torch on the same frames.

    Attributes:
        frames: where they come from.
        n: number of frames.
        agreement: share of frames with the same most probable label, in [0, 1].
        max_difference: the largest between two probabilities.
        accuracy: share of frames whose label the export gets right, in [0, 1].
        accuracy_torch: the same for torch.
    """

    frames: str
    n: int
    agreement: float
    max_difference: float
    accuracy: float
    accuracy_torch: float

    def describe(self) -> str:
        """Write it in a line."""
        return (
            f"same label as torch in {self.agreement:.2%} of {self.n:,} ({self.frames}), "
            f"probabilities within {self.max_difference:.1e}, "
            f"accuracy {self.accuracy:.2%} (torch {self.accuracy_torch:.2%})"
        )


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


C = TypeVar("C", Card, ExportCard)


def write_export(source: Source, form: Format, exports: Path, characters: Characters, title: str) -> Parity:
    """Write a recogniser in a format; the file appears whole and checked, or not at all.

    Args:
        source: what to export.
        form: its format.
        exports: folder of all exports.
        characters: to compare it with torch on.
        title: of the characters.

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
        parity = compare(open_checked(source, form, path), source.predictor(), characters, title, form.exact)
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
        AbsentError: there is no such export, or a package that reads it is missing.
        CardError: the card is missing or damaged.
        DamagedError: file and card do not match, or the recogniser's weights have changed since.
        ExportError: the runtime refuses it.
    """
    path = exports / source.name / form.file
    if not path.exists():
        remedy = form.why_absent(form.writing) or f"python -m training.export {source.network.config.model}"
        raise AbsentError(f"not exported: {remedy}")
    read_checked(ExportCard, export_card_path(path.parent, form), path, source)
    return open_checked(source, form, path)


def read_checked(kind: type[C], card_path: Path, path: Path, source: Source) -> C:
    """Read the card of a file that was made from a recogniser's weights, and compare it with both.

    Raises:
        CardError: the card is missing or damaged.
        DamagedError: the file is not what the card says, or the recogniser's weights have changed since.
    """
    card = kind.read(card_path)
    if sha256(path) != card.sha256:
        raise DamagedError(f"{path} is damaged: its sha256 is not the one on its card")
    if sha256(source.weights) != card.weights_sha256:
        raise DamagedError(f"{path} was made from other weights than {source.weights}")
    return card


def open_checked(source: Source, form: Format, path: Path) -> Predictor:
    """Open a file, and compare the metadata in it with that of the recogniser.

    Raises:
        DamagedError: they differ.
    """
    predictor = form.open(path)
    if dict(predictor.metadata) != source.metadata:
        raise DamagedError(f"its metadata is {dict(predictor.metadata)}; wanted {source.metadata}")
    return predictor


def export_card_path(folder: Path, form: Format) -> Path:
    """Return where the card of an export lies."""
    return folder / f"{form.file}.json"


def compare(predictor: Predictor, reference: Predictor, characters: Characters, title: str, exact: bool) -> Parity:
    """Compare an export with torch.

    Args:
        predictor: of the export.
        reference: of torch.
        characters: to run both on; the first also runs alone, as a batch of another size.
        title: of the characters.
        exact: whether labels must be the same and probabilities within TOLERANCE.

    Raises:
        ParityError: they are not, or the output is not probabilities.
    """
    wanted = reference.predict_all(characters.images, "torch")
    found = predictor.predict_all(characters.images, "export")
    check_probabilities(found, wanted.shape)
    check_probabilities(predictor.predict_all(characters.images[:1], "alone"), wanted[:1].shape)
    labels, labels_torch = found.argmax(axis=1), wanted.argmax(axis=1)
    parity = Parity(
        frames=title,
        n=len(characters),
        agreement=float((labels == labels_torch).mean()),
        max_difference=float(np.abs(found - wanted).max()),
        accuracy=float((labels == characters.labels).mean()),
        accuracy_torch=float((labels_torch == characters.labels).mean()),
    )
    if exact and (parity.agreement < 1 or parity.max_difference > TOLERANCE):
        raise ParityError(f"differs from torch: {parity.describe()}; wanted all labels, and within {TOLERANCE:g}")
    return parity


def check_probabilities(found: np.ndarray, shape: tuple[int, ...]) -> None:
    """Check that the output of an export is probabilities of the right shape.

    Raises:
        ParityError: it is not.
    """
    if found.shape != shape or found.dtype != np.float32:
        raise ParityError(f"output is {found.dtype} {found.shape}; wanted float32 {shape}")
    worst = float(np.abs(found.sum(axis=1) - 1).max())
    if not worst <= SUM_TOLERANCE:  # also true for NaN
        raise ParityError(f"probabilities add up to 1 only within {worst:g}; wanted {SUM_TOLERANCE:g}")


def characters_to_check(data_set: str) -> tuple[Characters, str]:
    """Take the first CHECKED test characters of a data set, or the drawings of examples/digits without it.

    Returns:
        the characters; their title.

    Raises:
        DataError: the data set is there, but damaged.
    """
    if is_there(data_set, "test"):
        return load_characters(data_set, "test").take(slice(CHECKED)), f"{title_of(data_set, 'test')}, the first"
    paths = sorted(EXAMPLES.glob("*.png"))
    frames = np.stack([picture_frame(path.read_bytes(), data_set) for path in paths])
    labels = [DIGITS.index(path.name[0]) for path in paths]  # digits come first in every list of labels
    return Characters(np.round(frames * 255).astype(np.uint8), np.array(labels)), "examples/digits"
