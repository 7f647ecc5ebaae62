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

    Returns:
        the drawings. Those of labels that are not the recogniser's, or with fewer than MIN_DRAWINGS, are left out and
        said on standard output.

    Raises:
        StoreError: the database or its table cannot be read.
        DataError: there is no such folder, a picture cannot be read, or fewer than MIN_CLASSES labels are left.
    """
    shown, pictures = source, _read_folder(Path(source))
    if "://" in source:
        shown = masked(source)
        pictures = ((f"{shown}, drawing {number}", *each) for number, each in enumerate(read_drawings(source), 1))
    images, indices = [], []
    others: Counter[str] = Counter()
    for name, label, picture in pictures:
        known = label if label in labels else merge_case(label)
        if known not in labels:
            others[label] += 1
            continue
        try:
            frame = picture_frame(picture, form)
        except RequestError as err:
            raise DataError(f"{name}: {err}") from err
        images.append(np.round(frame * 255).astype(np.uint8))
        indices.append(labels.index(known))
    counts = Counter(labels[index] for index in indices)
    enough = {label for label, count in counts.items() if count >= MIN_DRAWINGS}
    left_out = others + Counter({label: count for label, count in counts.items() if label not in enough})
    if len(enough) < MIN_CLASSES:
        found = listed(counts + others) or "no drawings"
        raise DataError(
            f"{shown} has {found}; wanted at least {MIN_DRAWINGS} drawings of each of at least {MIN_CLASSES} labels "
            f"of {' '.join(labels)}"
        )
    if left_out:
        wanted = f"wanted labels of the recogniser, with at least {MIN_DRAWINGS} drawings each"
        print(f"left out: {listed(left_out)}; {wanted}")
    rows = [row for row, index in enumerate(indices) if labels[index] in enough]
    return Characters(np.stack([images[row] for row in rows]), np.array([indices[row] for row in rows], np.int64))


def listed(counts: Counter[str]) -> str:
    """Return counts in words, such as "4 of '4', 1 of '7'"."""
    return ", ".join(f"{count} of {label!r}" for label, count in sorted(counts.items()))


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
