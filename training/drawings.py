"""People's own drawings with their labels: from a folder with one subfolder a label, or from a database."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError

from handwriting.errors import RequestError
from handwriting.labels import merge_case
from handwriting.preprocess import picture_frame
from training.data import Characters
from training.database import masked, with_driver
from training.idx import DataError

MIN_CLASSES = 2
MIN_DRAWINGS = 5  # a class
QUERY = "SELECT label, picture FROM drawings ORDER BY id"  # picture: an encoded one, as the API takes it


def load_drawings(source: str, labels: Sequence[str], form: str) -> Characters:
    """Read labelled drawings, each brought to a frame as the handler would.

    Args:
        source: a folder, or the address of a database such as sqlite:///drawings.db with a table `drawings` that has
            columns `id`, `label` and `picture`.
        labels: the recogniser's; c for the label C is taken as C where the recogniser does not tell them apart.
        form: the recogniser's normal form.

    Raises:
        DataError: there is no such folder or table, a label is unknown, a picture cannot be read, or there are too few.
    """
    rows = read_database(source) if "://" in source else read_folder(Path(source))
    images, indices = [], []
    for name, label, picture in rows:
        known = label if label in labels else merge_case(label)
        if known not in labels:
            raise DataError(f"{name}: the label is {label!r}; wanted one of {' '.join(labels)}")
        try:
            frame = picture_frame(picture, form)
        except RequestError as err:
            raise DataError(f"{name}: {err}") from err
        images.append(np.round(frame * 255).astype(np.uint8))
        indices.append(labels.index(known))
    check_enough(Counter(labels[index] for index in indices), _shown(source))
    return Characters(np.stack(images), np.array(indices, np.int64))


def check_enough(counts: Counter[str], source: str) -> None:
    """Check that there is enough to learn from.

    Raises:
        DataError: fewer than MIN_CLASSES labels, or than MIN_DRAWINGS of one.
    """
    if len(counts) < MIN_CLASSES:
        found = f"only {next(iter(counts))!r}" if counts else "no drawings"
        raise DataError(f"{source} has {found}; wanted drawings of at least {MIN_CLASSES} labels")
    few = [f"{count} of {label!r}" for label, count in sorted(counts.items()) if count < MIN_DRAWINGS]
    if few:
        raise DataError(f"{source} has {', '.join(few)}; wanted at least {MIN_DRAWINGS} drawings of each label")


def read_folder(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield name, label and bytes of each file in the subfolders, whose names are the labels, but for hidden files.

    Raises:
        DataError: there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; wanted one with a subfolder for each label")
    for path in sorted(folder.glob("*/*")):
        if path.is_file() and not path.name.startswith("."):
            yield str(path), path.parent.name, path.read_bytes()


def read_database(url: str) -> Iterator[tuple[str, str, bytes]]:
    """Yield name, label and bytes of each row of the table `drawings`.

    Raises:
        DataError: the database or the table cannot be read.
    """
    shown = _shown(url)
    try:
        engine = sqlalchemy.create_engine(with_driver(url))
        if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").is_file():
            raise DataError(f"{shown}: there is no such file")  # connecting would make one
        with engine.connect() as connection:
            for number, (label, picture) in enumerate(connection.execute(sqlalchemy.text(QUERY)), 1):
                yield f"{shown}, drawing {number}", str(label), bytes(picture)
        engine.dispose()
    except SQLAlchemyError as err:
        raise DataError(f"{shown}: no table of drawings can be read: {err}") from err


def _shown(source: str) -> str:
    """Return a source as errors name it: of a database, without its password.

    Raises:
        DataError: it looks like an address and is none.
    """
    if "://" not in source:
        return source
    try:
        return masked(source)
    except SQLAlchemyError as err:
        raise DataError("that is no address of a database; wanted one such as sqlite:///drawings.db") from err
