"""Pools of scenes to learn from, made once from a seed by several processes and kept in the folder of the run."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
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
from training.ink.views import LAYERS, views

SETS = ("mnist", "emnist")
CHARACTERS = 16  # drawn for a scene, which uses one to all of them
BARRED_SHARE = 0.2  # of the scenes with a bar added to their characters
PART = 500  # scenes that a process makes at once

Make = Callable[[int, Sequence[int]], np.ndarray]  # makes an array of so many scenes from a seed


def pool_of(make: Make, count: int, seed: int, path: Path, processes: int) -> np.ndarray:
    """Return what `make` makes of `count` scenes, part by part in several processes.

    The pool depends on count and seed alone. It is read from the file if an earlier run has left it there.

    Args:
        make: a function of a module, which the processes import; it calls `characters_of` for what it draws.
        count: scenes.
        seed: of all of them.
        path: of the pool.
        processes: at once.

    Raises:
        DataError: the training sets are missing.
    """
    if not path.exists():
        for name in SETS:  # an error here is one line; in a process of the pool it would be a broken pool
            load_characters(name, "train")
        sizes = [min(PART, count - first) for first in range(0, count, PART)]
        fresh = get_context("spawn")  # a forked process would inherit locks of torch's threads
        with ProcessPoolExecutor(processes, fresh, initializer=cv2.setNumThreads, initargs=(1,)) as executor:
            parts = executor.map(make, sizes, ((seed, number) for number in range(len(sizes))))
            made = list(tqdm(parts, path.stem, len(sizes), unit=f"{PART} scenes", disable=None))
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as partial, partial.open("wb") as file:
            np.save(file, np.concatenate(made))
    pool: np.ndarray = np.load(path)
    return pool


@cache
def characters_of(name: str) -> Characters:
    """Load the training part of a data set once for a process."""
    return load_characters(name, "train")


def make_views(count: int, seed: Sequence[int]) -> np.ndarray:
    """Make views of `count` scenes, two of each: (2 * count, 5, 64, 64) uint8, as `views` makes them."""
    generator = np.random.default_rng(seed)
    made = np.empty((count, 2, LAYERS, VIEW_PX, VIEW_PX), np.uint8)
    for pair in made:
        images = characters_of(SETS[generator.integers(len(SETS))]).images
        frames = images[generator.integers(0, len(images), CHARACTERS)]
        if generator.random() < BARRED_SHARE:
            frames = np.stack([with_bar(each, generator) for each in frames])
        scene = make_scene(frames, generator)
        pair[:] = np.round(np.clip(views(scene), 0, 1) * 255)
    return made.reshape(-1, LAYERS, VIEW_PX, VIEW_PX)
