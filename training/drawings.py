"""People's own drawings with their labels: from a folder with one subfolder a label, or from a database."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from handwriting.errors import RequestError
from handwriting.labels import merge_case
from handwriting.preprocess import picture_frame
from training.data import Characters, DataError
from training.drawing_store import masked, read_drawings

MIN_CLASSES = 2
MIN_DRAWINGS = 5  # a class


def load_drawings(source: str, labels: Sequence[str], form: str) -> Characters:
    """Read labelled drawings, each brought to a frame as the handler would.

    Args:
        source: a folder, or the address of a database such as sqlite:///drawings.db with a table `drawings` that has
            columns `id`, `label` and `picture`.
        labels: the recogniser's; c for the label C is taken as C where the recogniser does not tell them apart.
        form: the recogniser's normal form.

    Raises:
        StoreError: the database or its table cannot be read.
        DataError: there is no such folder, a label is unknown, a picture cannot be read, or there are too few.
    """
    shown, pictures = source, _read_folder(Path(source))
    if "://" in source:
        shown = masked(source)
        pictures = ((f"{shown}, drawing {number}", *each) for number, each in enumerate(read_drawings(source), 1))
    images, indices = [], []
    for name, label, picture in pictures:
        known = label if label in labels else merge_case(label)
        if known not in labels:
            raise DataError(f"{name}: the label is {label!r}; wanted one of {' '.join(labels)}")
        try:
            frame = picture_frame(picture, form)
        except RequestError as err:
            raise DataError(f"{name}: {err}") from err
        images.append(np.round(frame * 255).astype(np.uint8))
        indices.append(labels.index(known))
    check_enough(Counter(labels[index] for index in indices), shown)
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


def _read_folder(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield name, label and bytes of each file in the subfolders, whose names are the labels, but for hidden files.

    Raises:
        DataError: there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; wanted one with a subfolder for each label")
    for path in sorted(folder.glob("*/*")):
        if path.is_file() and not path.name.startswith("."):
            yield str(path), path.parent.name, path.read_bytes()
