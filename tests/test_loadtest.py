"""`make loadtest`: its shapes, its sums, and a short run of it against the real server."""

import csv
import io
import subprocess
import sys
import zipfile

import pytest

from deploy.local.settings import ROOT
from loadtest.errors import LoadTestError
from loadtest.outcome import Load, find_knee, read_failures, read_loads, read_rows
from loadtest.pictures import drawings, zipped
from loadtest.shapes import PLANS, Step
from loadtest.slo import DEFAULT, missed, read_slo
from tests.answering import closed_port


def test_a_ramp_doubles_the_users_to_their_number():
    assert PLANS["ramp"].steps(20, 5) == [Step(users, 5) for users in (1, 2, 4, 8, 16, 20)]
    assert PLANS["ramp"].steps(1, 5) == [Step(1, 5)]


def test_a_spike_goes_back_to_where_it_came_from():
    before, crowd, after = PLANS["spike"].steps(100, 10)
    assert before == after == Step(5, 10)
    assert crowd == Step(100, 10)


def test_a_zip_has_each_picture_in_order_though_one_comes_twice():
    pictures = [drawings()[0], drawings()[0], drawings()[3]]
    with zipfile.ZipFile(io.BytesIO(zipped(pictures))) as archive:
        assert [archive.read(name) for name in sorted(archive.namelist())] == [each.content for each in pictures]


def write_table(path, rows: list[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def second(time_s: int, users: int, answered: int, name: str = "Aggregated") -> dict:
    row = {"Timestamp": time_s, "User Count": users, "Name": name, "Total Request Count": answered}
    return row | {"50%": 10, "99%": 20 + users}


def test_the_loads_are_the_answers_of_each_number_of_users_without_its_start(tmp_path):
    rows = [second(0, 0, 0)]
    rows += [second(time_s, 1, 10 * time_s) for time_s in range(1, 9)]
    rows += [second(9, 1, 80, name="picture"), second(9, 2, 85), second(10, 2, 87), second(11, 2, 90)]
    rows += [second(time_s, 2, 100 + 50 * (time_s - 12)) for time_s in range(12, 17)]
    write_table(tmp_path / "ramp_stats_history.csv", rows)
    assert read_loads(tmp_path / "ramp") == [Load(1, 10.0, 10.0, 21.0), Load(2, 50.0, 10.0, 22.0)]


def test_the_knee_is_where_more_users_bring_no_more_answers():
    loads = [Load(users, rate, 1.0, 2.0) for users, rate in ((1, 100), (2, 190), (4, 196), (8, 200), (16, 150))]
    assert find_knee(loads).users == 2
    assert find_knee(loads[:1]) is None


def test_totals_and_failures_are_read_from_what_locust_wrote(tmp_path):
    columns = {"Request Count": 10, "Failure Count": 2, "Requests/s": 5.5, "50%": 7, "95%": 8, "99%": 9}
    write_table(tmp_path / "smoke_stats.csv", [columns | {"Name": "picture"}, columns | {"Name": "Aggregated"}])
    errors = [{"Error": "wrong label", "Occurrences": 1}, {"Error": "wrong label", "Occurrences": 3}]
    write_table(tmp_path / "smoke_failures.csv", errors)
    assert (read_rows(tmp_path / "smoke")[-1].requests, read_rows(tmp_path / "smoke")[-1].p99_ms) == (10, 9)
    assert read_failures(tmp_path / "smoke") == {"wrong label": 4}


def test_a_test_without_requests_is_none(tmp_path):
    row = {"Name": "Aggregated", "Request Count": 0, "Failure Count": 0, "Requests/s": 0}
    write_table(tmp_path / "smoke_stats.csv", [row | {"50%": "N/A", "95%": "N/A", "99%": "N/A"}])
    with pytest.raises(LoadTestError, match="no request was made"):
        read_rows(tmp_path / "smoke")


def test_an_objective_that_is_missed_is_named_with_both_figures():
    found = {"failures_share": 0.0, "p50_ms": 20.0, "p99_ms": 250.0, "requests_per_s": 90.0}
    assert missed({"failures_share": 0, "p50_ms": 20}, found) == []
    assert missed({"p99_ms": 200, "requests_per_s": 100}, found) == [
        "p99_ms is 250; wanted at most 200",
        "requests_per_s is 90; wanted at least 100",
    ]
    assert missed({"p50_ms": 20}, found | {"p50_ms": float("nan")})


@pytest.mark.parametrize("text", ["p42_ms = 1", 'p99_ms = "fast"', "p99_ms ="])
def test_objectives_that_cannot_be_held_are_refused(tmp_path, text):
    (tmp_path / "slo.toml").write_text(text)
    with pytest.raises(LoadTestError, match=r"slo\.toml"):
        read_slo(tmp_path / "slo.toml")
    assert read_slo(DEFAULT)["failures_share"] == 0


def run(out, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "loadtest", "--out", out, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def test_without_a_server_nothing_is_loaded(tmp_path):
    done = run(tmp_path, "--host", closed_port())
    assert done.returncode == 1
    assert "make up" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.server
def test_a_smoke_test_meets_the_objectives_or_says_which_it_missed(stack, tmp_path):
    where = (
        "--host",
        stack.inference_url,
        "--metrics",
        f"{stack.metrics_url}/metrics",
        "--users",
        "9",
        "--seconds",
        "6",
    )
    (tmp_path / "easy.toml").write_text("failures_share = 0.0\n")
    done = run(tmp_path, *where, "--slo", str(tmp_path / "easy.toml"))
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "smoke.md").read_text()
    assert "All objectives of the SLO file are met." in page
    assert "| picture of a client |" in page
    assert "| stroke of a drawing |" in page
    assert "batches of" in page
    assert (tmp_path / "smoke.html").exists()

    (tmp_path / "tight.toml").write_text("p50_ms = 0.001\n")
    done = run(tmp_path, *where, "--slo", str(tmp_path / "tight.toml"))
    assert done.returncode == 1
    assert "SLO missed: p50_ms is" in done.stderr


@pytest.mark.server
def test_wrong_labels_are_failures_with_a_name_of_their_own(stack, tmp_path, monkeypatch):
    folder = tmp_path / "digits"
    folder.mkdir()
    (folder / "3-1.png").write_bytes((ROOT / "examples/digits/7-1.png").read_bytes())
    code = f"import loadtest.pictures, pathlib, sys; loadtest.pictures.FOLDER = pathlib.Path({str(folder)!r})\n"
    code += (
        f"import locust.main; sys.argv = ['locust', '-f', 'loadtest/locustfile.py', '-H', {stack.inference_url!r}]\n"
    )
    code += (
        "sys.argv += ['Client', '--headless', '--users', '1', '--run-time', '2s', '--only-summary']; locust.main.main()"
    )
    command = [sys.executable, "-c", "import gevent.monkey; gevent.monkey.patch_all()\n" + code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "wrong label: 7 for a 3" in done.stdout + done.stderr
