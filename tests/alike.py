"""Comparison of answers: the last digits of a probability differ between batches and between processors."""

import pytest


def assert_alike(found: object, wanted: object, tolerance: float = 1e-5) -> None:
    """Assert equality; floats may differ by `tolerance`, and "..." in `wanted` matches anything."""
    if isinstance(wanted, dict):
        assert set(found) == set(wanted)
        for key, value in wanted.items():
            assert_alike(found[key], value, tolerance)
    elif isinstance(wanted, list | tuple):
        assert len(found) == len(wanted)
        for each, value in zip(found, wanted, strict=True):
            assert_alike(each, value, tolerance)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, abs=tolerance)
    elif wanted != "...":
        assert found == wanted
