"""The pool of views that the ink network learns from, made once from a seed and kept in the run's folder."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from handwriting.preprocess.ink_network import VIEW_PX
from inkserve.files import atomic_write
from training.data import Characters, load_characters
from training.ink.glyphs import with_bar
from training.ink.scenes import make_scene
from training.ink.views import views

SETS = ("mnist", "emnist")
CHARACTERS = 16  # drawn for a scene, which uses one to all of them
BARRED_SHARE = 0.2  # of the scenes with a bar added to their characters
PART = 500  # scenes that a process makes at once


def view_pool(count: int, seed: int, folder: Path, processes: int) -> np.ndarray:
    """Return views of `count` scenes, two of each: (2 * count, 4, 64, 64) uint8, as `views` makes them.

    The pool depends on count and seed alone. It is read from the folder if an earlier run has left it there.

    Raises:
        DataError: the training sets are missing.
    """
    path = folder / f"views-{seed}-{count}.npy"
    if not path.exists():
        for name in SETS:  # an error here is one line; in a process of the pool it would be a broken pool
            load_characters(name, "train")
        sizes = [min(PART, count - first) for first in range(0, count, PART)]
        fresh = get_context("spawn")  # a forked process would inherit locks of torch's threads
        with ProcessPoolExecutor(processes, fresh, initializer=_load) as executor:
            parts = executor.map(_make, sizes, ((seed, number) for number in range(len(sizes))))
            made = list(tqdm(parts, "scenes", len(sizes), unit=f"{PART} scenes", disable=None))
        with atomic_write(path) as partial, partial.open("wb") as file:
            np.save(file, np.concatenate(made))
    pool: np.ndarray = np.load(path)
    return pool


_characters: list[Characters] = []  # of a process


def _load() -> None:
    cv2.setNumThreads(1)
    _characters[:] = [load_characters(name, "train") for name in SETS]


def _make(count: int, seed: Sequence[int]) -> np.ndarray:
    generator = np.random.default_rng(seed)
    made = np.empty((count, 2, 4, VIEW_PX, VIEW_PX), np.uint8)
    for pair in made:
        images = _characters[generator.integers(len(_characters))].images
        frames = images[generator.integers(0, len(images), CHARACTERS)]
        if generator.random() < BARRED_SHARE:
            frames = np.stack([with_bar(each, generator) for each in frames])
        scene = make_scene(frames, generator)
        pair[:] = np.round(np.clip(views(scene), 0, 1) * 255)
    return made.reshape(-1, 4, VIEW_PX, VIEW_PX)
