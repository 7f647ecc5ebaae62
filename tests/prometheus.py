"""A real Prometheus with our rules, hurried, that watches the tests' own stack."""

import re
from pathlib import Path

import pytest
import requests
import yaml

from deploy.local.services import PROMETHEUS_FILES, PROMETHEUS_SOURCE
from deploy.packages import missing
from inkserve.metrics import Series

needs_prometheus = pytest.mark.skipif(
    bool(missing(["prometheus"])), reason="Prometheus is not installed: apt-get install prometheus"
)


class Prometheus:
    """Asks it."""

    def __init__(self, url: str):
        self.url = url

    def get(self, path: str, **query: object) -> dict:
        answer = requests.get(f"{self.url}/api/v1/{path}", params=query, timeout=20).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str, time_s: float | None = None) -> dict[Series, float]:
        """The values of an expression, without the labels that scraping adds."""
        at = {} if time_s is None else {"time": time_s}
        return {series(each["metric"]): float(each["value"][1]) for each in self._result(expression, **at)}

    def spans(self, expression: str, time_s: float) -> list[tuple[Series, list[tuple[float, float]]]]:
        """The scraped times and values of a selector with a range."""
        found = self._result(expression, time=time_s)
        return [(series(each["metric"]), [(t, float(v)) for t, v in each["values"]]) for each in found]

    def firing(self, name: str, **labels: str) -> bool:
        wanted = "".join(f',{key}="{value}"' for key, value in labels.items())
        return bool(self._result(f'ALERTS{{alertname="{name}",alertstate="firing"{wanted}}}'))

    def _result(self, expression: str, **query: object) -> list[dict]:
        return self.get("query", query=expression, **query)["result"]


def series(metric: dict[str, str]) -> Series:
    kept = {name: value for name, value in metric.items() if name not in {"__name__", "job", "instance"}}
    return Series(metric.get("__name__", ""), tuple(sorted(kept.items())))


def hurried(folder: Path) -> Path:
    """A copy of our scrape config and rules that looks each 2 s, and waits for 1 s before an alert fires."""
    folder.mkdir()
    for name in PROMETHEUS_FILES:
        text = (PROMETHEUS_SOURCE / name).read_text()
        text = re.sub(r"(?m)^( *(?:scrape|evaluation)_interval: )\S+", r"\g<1>2s", text)
        (folder / name).write_text(re.sub(r"(?m)^( *for: )\S+", r"\g<1>1s", text))
    return folder


def rules(file: str) -> list[dict]:
    """The rules of one of our files."""
    groups = yaml.safe_load((PROMETHEUS_SOURCE / file).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]
