"""Records of a run: options, epochs and results in MLflow, or its progress in a file."""

import argparse
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from inkserve.files import atomic_write

STORE_VARIABLE = "MLFLOW_TRACKING_URI"


class Tracker:
    """Records nothing: for runs with --no-tracking."""

    run_id = ""

    def log_epoch(self, epoch: int, row: Mapping[str, float]) -> None:
        """Record the figures of an epoch, counted from 1."""

    def log_results(self, metrics: Mapping[str, float], files: list[Path]) -> None:
        """Record the final figures and keep copies of the files."""


class MlflowTracker(Tracker):
    """Records a run in MLflow."""

    def __init__(self, mlflow: ModuleType, run_id: str) -> None:
        self.mlflow, self.run_id = mlflow, run_id

    def log_epoch(self, epoch: int, row: Mapping[str, float]) -> None:
        """Record the figures of an epoch, counted from 1."""
        self.mlflow.log_metrics(dict(row), step=epoch, run_id=self.run_id)

    def log_results(self, metrics: Mapping[str, float], files: list[Path]) -> None:
        """Record the final figures and keep copies of the files."""
        self.mlflow.log_metrics(dict(metrics), run_id=self.run_id)
        for file in files:
            self.mlflow.log_artifact(str(file), run_id=self.run_id)


class ProgressFile(Tracker):
    """Writes to a JSON file after each epoch, for a program that shows the progress of the run.

    The file has `epochs`, `done`, and two times in Unix seconds: `started_at_s` of the start of the first epoch, and
    `updated_at_s` of the last update.
    """

    def __init__(self, path: Path, epochs: int) -> None:
        """Record the start of the first epoch.

        Args:
            path: of the file.
            epochs: that the run will have.
        """
        self.path, self.epochs, self.started_at_s = path, epochs, time.time()
        self._write(0)

    def log_epoch(self, epoch: int, row: Mapping[str, float]) -> None:  # noqa: ARG002 - the figures are printed
        """Record that an epoch is done, counted from 1."""
        self._write(epoch)

    def _write(self, done: int) -> None:
        progress = {"epochs": self.epochs, "done": done, "started_at_s": self.started_at_s, "updated_at_s": time.time()}
        with atomic_write(self.path) as partial:
            partial.write_text(json.dumps(progress))


def store_uri(runs: Path) -> str:
    """Address of MLflow's store: MLFLOW_TRACKING_URI, or an SQLite file under `runs`."""
    return os.environ.get(STORE_VARIABLE) or f"sqlite:///{(runs / 'mlflow.db').resolve()}"


@contextmanager
def tracked(options: argparse.Namespace, parameters: Mapping[str, object], run_id: str) -> Iterator[Tracker]:
    """Open a run in MLflow, or continue one; without tracking, yield a tracker that records nothing.

    Args:
        options: of the command line: model, runs, tracking.
        parameters: to record with the run.
        run_id: of the run to continue, or "".
    """
    if not options.tracking:
        yield Tracker()
        return
    import mlflow  # noqa: PLC0415 - takes seconds

    options.runs.mkdir(parents=True, exist_ok=True)
    elsewhere = bool(os.environ.get(STORE_VARIABLE))  # before set_tracking_uri, which sets the variable
    mlflow.set_tracking_uri(store_uri(options.runs))
    if mlflow.get_experiment_by_name(options.model) is None:
        local = (options.runs / "mlflow").resolve().as_uri()
        mlflow.create_experiment(options.model, artifact_location=None if elsewhere else local)
    mlflow.set_experiment(options.model)
    with mlflow.start_run(run_id=run_id or None) as run:
        if not run_id:
            mlflow.log_params(dict(parameters))
        yield MlflowTracker(mlflow, run.info.run_id)
