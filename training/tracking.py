"""Runs in MLflow: what was asked for, how each epoch went, and what came out."""

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

STORE_VARIABLE = "MLFLOW_TRACKING_URI"


class Tracker:
    """Records nothing: a run with --no-tracking."""

    run_id = ""

    def log_epoch(self, epoch: int, row: Mapping[str, float]) -> None:
        """Record the figures of an epoch, counted from 1."""

    def log_results(self, metrics: Mapping[str, float], files: list[Path]) -> None:
        """Record the final figures and keep copies of the files."""


class MlflowTracker(Tracker):
    """Records a run in MLflow, whose client is imported only here: it takes seconds."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    def log_epoch(self, epoch: int, row: Mapping[str, float]) -> None:
        """Record the figures of an epoch, counted from 1."""
        import mlflow  # noqa: PLC0415

        mlflow.log_metrics(dict(row), step=epoch, run_id=self.run_id)

    def log_results(self, metrics: Mapping[str, float], files: list[Path]) -> None:
        """Record the final figures and keep copies of the files."""
        import mlflow  # noqa: PLC0415

        mlflow.log_metrics(dict(metrics), run_id=self.run_id)
        for file in files:
            mlflow.log_artifact(str(file), run_id=self.run_id)


def store_uri(runs: Path) -> str:
    """Address of MLflow's store: MLFLOW_TRACKING_URI, or an SQLite file under `runs`."""
    return os.environ.get(STORE_VARIABLE) or f"sqlite:///{(runs / 'mlflow.db').resolve()}"


@contextmanager
def tracked(options: argparse.Namespace, parameters: Mapping[str, object], run_id: str) -> Iterator[Tracker]:
    """Open a run in MLflow, or go on with one; without tracking, yield a tracker that records nothing.

    Args:
        options: of the command line: model, runs, tracking.
        parameters: what was asked for.
        run_id: of the run to go on with, or "".
    """
    if not options.tracking:
        yield Tracker()
        return
    import mlflow  # noqa: PLC0415

    options.runs.mkdir(parents=True, exist_ok=True)
    elsewhere = bool(os.environ.get(STORE_VARIABLE))  # asked before MLflow sets it, too
    mlflow.set_tracking_uri(store_uri(options.runs))
    if mlflow.get_experiment_by_name(options.model) is None:
        local = (options.runs / "mlflow").resolve().as_uri()
        mlflow.create_experiment(options.model, artifact_location=None if elsewhere else local)
    mlflow.set_experiment(options.model)
    with mlflow.start_run(run_id=run_id or None) as run:
        if not run_id:
            mlflow.log_params(dict(parameters))
        yield MlflowTracker(run.info.run_id)
