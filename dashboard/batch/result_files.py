"""The results of a batch as files: CSV for spreadsheets, JSON for programs."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from dashboard.batch.batch_job import Job
from inkserve import Prediction
from inkserve.batch.results import COLUMNS, json_objects, plain, table_rows

MORE_COLUMNS = ("right_label", "model", "version", "time")


def to_csv(job: Job, truths: Sequence[str | None]) -> bytes:
    """Return a row a picture: the columns of `inkserve batch`, and MORE_COLUMNS."""
    file = io.StringIO(newline="")
    rows = csv.DictWriter(file, (*COLUMNS, *MORE_COLUMNS))
    rows.writeheader()
    about = {name: plain(value) for name, value in _about(job).items()}
    for entry, result, truth in zip(job.entries, job.results, truths, strict=True):
        if result is not None:
            more = about | {"right_label": plain(truth or "")}
            rows.writerows(row | more for row in table_rows(entry.name, result))
    return file.getvalue().encode("utf-8", "backslashreplace")


def to_json(job: Job, truths: Sequence[str | None]) -> bytes:
    """Return an object with `model`, `version`, `time` and `pictures`, one object each."""
    pictures = [
        row | {"right_label": truth}
        for entry, result, truth in zip(job.entries, job.results, truths, strict=True)
        if result is not None
        for row in json_objects(entry.name, result)
    ]
    document = _about(job) | {"pictures": pictures}
    return json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace")


def file_name(job: Job, suffix: str) -> str:
    """Name a file after the recogniser and the time, such as `batch-digits-1.0-20260131T235959Z.csv`."""
    return f"batch-{'-'.join(filter(None, source(job)))}-{job.began:%Y%m%dT%H%M%SZ}{suffix}"


def source(job: Job) -> tuple[str, str]:
    """Return the model and version that has answered; before any answer, the requested version, or ""."""
    answer = next((each for each in job.results if isinstance(each, Prediction)), None)
    return (answer.model, answer.version) if answer else (job.recogniser.model, job.recogniser.version or "")


def _about(job: Job) -> dict[str, Any]:
    model, version = source(job)
    return {"model": model, "version": version, "time": f"{job.began:%Y-%m-%dT%H:%M:%SZ}"}  # ISO 8601, UTC
