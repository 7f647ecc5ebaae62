"""Cards: the JSON files beside weights and exports that say what they are, how they were made and how well they read.

Nothing here needs torch.
"""

import dataclasses
import hashlib
import json
import types
import typing
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from inkserve.command import CommandError
from inkserve.files import atomic_write


class CardError(CommandError):
    """A card is missing, or its fields are not those of its schema; the message names file and field."""


@dataclass(frozen=True)
class Record:
    """Base of what is stored as JSON. The fields of a subclass are its schema; those that are None are left out."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file and check it against the schema.

        Raises:
            CardError: the file is missing or no JSON, or a field is missing, unknown or of a wrong type.
        """
        try:
            return _parse(cls, json.loads(path.read_text()), "")
        except (OSError, ValueError) as err:
            raise CardError(f"{path}: not a card: {err}") from err
        except CardError as err:
            raise CardError(f"{path}: {err}") from err

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        with atomic_write(path) as partial:
            partial.write_text(json.dumps(dataclasses.asdict(self, dict_factory=_without_none), indent=2) + "\n")


@dataclass(frozen=True)
class DataFile(Record):
    """A file that the weights learned from or were measured on, with the digest of its unpacked contents."""

    file: str
    sha256_unpacked: str


@dataclass(frozen=True)
class Metric(Record):
    """How well the weights read a set of characters.

    Attributes:
        set: title of the set.
        n: characters in it.
        accuracy: share that is read right, in [0, 1].
        mean_recall: mean over the classes of the share of each that is read right; missing on the oldest cards.
        log_loss: mean of -log(probability of the right label), in nats.
        accuracy_before: of the version that a fine-tuned one was made from.
    """

    set: str
    n: int
    accuracy: float
    mean_recall: float | None = None
    log_loss: float | None = None
    accuracy_before: float | None = None


@dataclass(frozen=True)
class FileSize(Record):
    """Bytes of a file, as it is and compressed."""

    bytes: int
    bytes_zipped: int


@dataclass(frozen=True, kw_only=True)
class Card(Record):
    """The card of a checkpoint, `<model>-<version>.json` beside the weights.

    Attributes:
        config: of the network, as in its checkpoint.
        parameters: how many numbers the network has learned.
        bytes: of the weights' file.
        sha256: of the weights' file.
        loss: of the last epoch; on the oldest cards.
        commit: of the code when the run began.
        methods: what was done beside plain training, a line each.
        start: card of the weights that training went on from, without its history.
        base: card of the version that was fine-tuned, without its history.
        drawings: how many drawings of each label were used for fine-tuning, those kept aside included.
        teachers: cards of the networks whose probabilities were learned, without their history.
        history: figures of each epoch.
        sparsity: share of the prunable weights that are zero; this and the next four are of pruned weights.
        nonzero_parameters: how many are not zero.
        bytes_zipped: of the weights' file, compressed.
        unpruned: size of the file that was pruned.
        weights_sha256: of the file that was pruned.
    """

    model: str
    architecture: str
    config: Mapping[str, Any]
    parameters: int
    bytes: int
    sha256: str
    data: tuple[DataFile, ...]
    command: str
    version: str
    seed: int
    epochs: int
    loss: float | None = None
    commit: str
    methods: tuple[str, ...] | None = None
    start: "Card | None" = None
    base: "Card | None" = None
    drawings: Mapping[str, int] | None = None
    teachers: "tuple[Card, ...] | None" = None
    history: tuple[Mapping[str, float], ...] | None = None
    sparsity: float | None = None
    nonzero_parameters: int | None = None
    bytes_zipped: int | None = None
    unpruned: FileSize | None = None
    weights_sha256: str | None = None
    metrics: tuple[Metric, ...]

    @property
    def name(self) -> str:
        """Model and version, such as "digits 1.0"."""
        return f"{self.model} {self.version}"

    @property
    def normal_form(self) -> str:
        """Normal form of the frames that the network reads."""
        return str(self.config["normal_form"])

    def without_history(self) -> "Card":
        """Return the card as it stands in the cards of other weights."""
        return dataclasses.replace(self, history=None)

    def write(self, path: Path) -> None:
        """Write the card. What an ancestor came from is told once: a teacher is often the start, too."""
        Record.write(_told_once(self, set()), path)


def _told_once(card: Card, told: set[str]) -> Card:
    if card.sha256 in told:
        return dataclasses.replace(card, start=None, base=None, teachers=None)
    told.add(card.sha256)
    start, base = (each and _told_once(each, told) for each in (card.start, card.base))
    teachers = card.teachers and tuple(_told_once(each, told) for each in card.teachers)
    return dataclasses.replace(card, start=start, base=base, teachers=teachers)


def card_path(weights: Path) -> Path:
    """Return where the card of weights lies."""
    return weights.with_suffix(".json")


def sha256(path: Path) -> str:
    """Digest of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def file_size(path: Path) -> FileSize:
    """Measure a file as it is, and compressed as in a ZIP archive or the package of an app."""
    content = path.read_bytes()
    return FileSize(len(content), len(zlib.compress(content, 9)))


def _parse(kind: Any, value: object, field: str) -> Any:  # noqa: ANN401 - a type or a generic alias, and its value
    """Turn a JSON value into what the type of a field says.

    Args:
        kind: type of the field.
        value: as read.
        field: its name, for messages, such as "metrics[0].n"; empty for the whole file.

    Raises:
        CardError: it does not fit.
    """
    origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin in {types.UnionType, typing.Union}:  # of a type and None, which is never written
        return _parse(next(each for each in arguments if each is not types.NoneType), value, field)
    if kind is Any:
        return value
    if origin is tuple and isinstance(value, list):
        return tuple(_parse(arguments[0], each, f"{field}[{number}]") for number, each in enumerate(value))
    if origin is Mapping and isinstance(value, dict):
        return {name: _parse(arguments[1], each, f"{field}.{name}") for name, each in value.items()}
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _parse_record(kind, value, f"{field}." if field else "")
    if isinstance(value, (float, int) if kind is float else origin) and not isinstance(value, bool):
        return value
    raise CardError(f"{field or 'the file'} is {value!r:.60}; wanted {getattr(kind, '__name__', kind)}")


def _parse_record(kind: Any, value: Mapping[str, object], prefix: str) -> Any:  # noqa: ANN401 - as above
    fields = {field.name: field for field in dataclasses.fields(kind)}
    required = [name for name, field in fields.items() if field.default is dataclasses.MISSING]
    for name in value.keys() - fields.keys():
        raise CardError(f"unknown field {prefix}{name}")
    for name in required:
        if name not in value:
            raise CardError(f"field {prefix}{name} is missing")
    hints = typing.get_type_hints(kind)
    return kind(**{name: _parse(hints[name], each, f"{prefix}{name}") for name, each in value.items()})


def _without_none(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in fields if value is not None}
