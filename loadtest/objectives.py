"""The service level objectives, and which of them were missed."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadtest.locust_run import LoadTestError

DEFAULT = Path(__file__).with_name("slo.toml")
NAMES = {"failures_share", "p50_ms", "p95_ms", "p99_ms", "requests_per_s", "pictures_per_s"}
AT_LEAST = {"requests_per_s", "pictures_per_s"}  # all others are upper limits


def read_slo(path: Path) -> Mapping[str, float]:
    """Read objectives.

    Raises:
        LoadTestError: the file is missing or malformed, or names something that is not measured.
    """
    try:
        slo = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as err:
        raise LoadTestError(f"{path}: {err}") from err
    unknown = set(slo) - NAMES
    if unknown or not all(isinstance(limit, int | float) for limit in slo.values()):
        found = ", ".join(unknown) or "no numbers"
        raise LoadTestError(f"{path} has {found}; wanted numbers for {', '.join(sorted(NAMES))}")
    return slo


def missed(slo: Mapping[str, float], found: Mapping[str, float]) -> Sequence[str]:
    """Name the missed objectives, with the measured figure."""
    lines = []
    for name, limit in slo.items():
        value = found[name]
        if (value < limit) if name in AT_LEAST else not value <= limit:  # a NaN is a miss
            lines.append(f"{name} is {value:,.4g}; wanted {'at least' if name in AT_LEAST else 'at most'} {limit:,.4g}")
    return lines
