"""How fast readers are, all measured in turn, so that whatever else the machine does meanwhile strikes each alike."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from tqdm import trange

from training.export.reader import Reader

WARM_UP = 10  # calls before the clock runs, in every round: the one before had the caches
PICTURES = 64  # at once, for throughput


@dataclass(frozen=True)
class Timings:
    """What the clock said of one reader.

    Attributes:
        single_ms: (rounds, calls) float64, of calls with one frame.
        batch_ms: (rounds, batches) float64, of calls with PICTURES frames.
    """

    single_ms: np.ndarray
    batch_ms: np.ndarray

    @property
    def throughputs(self) -> np.ndarray:
        """(rounds,) float64 pictures per second."""
        return PICTURES * 1000 / self.batch_ms.mean(axis=1)


def time_in_turn(
    readers: Mapping[str, Reader], frames: np.ndarray, rounds: int, calls: int, batches: int
) -> dict[str, Timings]:
    """Time readers in rounds; in each, every reader has its turn, and another one begins.

    Args:
        readers: by name.
        frames: (N, 1, 28, 28) float32, N at least PICTURES.
        rounds: how often each reader has its turn.
        calls: with one frame, in a turn.
        batches: calls with PICTURES frames, in a turn.
    """
    names = list(readers)
    single: dict[str, list[list[float]]] = {name: [] for name in names}
    batch: dict[str, list[list[float]]] = {name: [] for name in names}
    alone = [frames[k : k + 1] for k in range(len(frames))]
    together = [frames[:PICTURES]]
    for turn in trange(rounds, desc="timing", unit="round", disable=None):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            predict = readers[name].predict
            single[name].append(clock(predict, alone, calls))
            batch[name].append(clock(predict, together, batches))
    return {name: Timings(np.array(single[name]), np.array(batch[name])) for name in names}


def clock(predict: Callable[[np.ndarray], np.ndarray], inputs: list[np.ndarray], calls: int) -> list[float]:
    """Return the milliseconds of each call, with the inputs in turn."""
    for k in range(min(WARM_UP, calls)):
        predict(inputs[k % len(inputs)])
    times: list[float] = []
    for k in range(calls):
        start = time.perf_counter_ns()
        predict(inputs[k % len(inputs)])
        times.append((time.perf_counter_ns() - start) / 1e6)
    return times


def summarise(timings: Timings, torch_timings: Timings) -> dict[str, object]:
    """Work out a reader's figures, and how many times as fast as torch it is, round by round."""
    p50, p95 = (np.percentile(timings.single_ms, percent, axis=1) for percent in (50, 95))
    p50_torch, p95_torch = (np.percentile(torch_timings.single_ms, percent, axis=1) for percent in (50, 95))
    return {
        "p50_ms": float(np.percentile(timings.single_ms, 50)),
        "p95_ms": float(np.percentile(timings.single_ms, 95)),
        "pictures_per_s": float(np.median(timings.throughputs)),
        "p50_times_as_fast": spread(p50_torch / p50),
        "p95_times_as_fast": spread(p95_torch / p95),
        "throughput_times_as_fast": spread(timings.throughputs / torch_timings.throughputs),
    }


def spread(ratios: np.ndarray) -> dict[str, float]:
    """Return the median of (rounds,) ratios, and their ends."""
    return {"median": float(np.median(ratios)), "min": float(ratios.min()), "max": float(ratios.max())}
