"""`make loadtest`: its shapes, its sums, and a short run of it against the real server."""

import csv
import io
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from argparse import Namespace
from threading import Semaphore

import numpy as np
import pytest
import requests
from matplotlib.figure import Figure
from PIL import Image

from deploy.local.settings import ROOT, free_ports
from inkserve.management import ModelVersion, Worker
from loadtest.__main__ import parse
from loadtest.batching_comparison import mean_batch, page_lines, paint
from loadtest.load_shapes import PLANS, Step
from loadtest.loadtest_page import Found, figures, page_text
from loadtest.locust_run import (
    Load,
    LoadTestError,
    LocustExit,
    Row,
    find_knee,
    read_failures,
    read_loads,
    read_rows,
)
from loadtest.objectives import DEFAULT, missed, read_slo
from loadtest.target_server import ServerFigures
from measuring.common.example_digits import check_answer, drawings, frames, zipped
from measuring.common.raw_http import Connection, post
from tests.answering import SEVEN, SILENCE, answering, closed_port, error
from training.plots import draw


def test_a_ramp_doubles_the_users_to_their_number():
    assert PLANS["ramp"].steps(20, 5) == [Step(users, 5) for users in (1, 2, 4, 8, 16, 20)]
    assert PLANS["ramp"].steps(1, 5) == [Step(1, 5)]


def test_a_spike_ends_with_as_few_users_as_it_began():
    before, crowd, after = PLANS["spike"].steps(100, 10)
    assert before == after == Step(5, 10)
    assert crowd == Step(100, 10)


def test_a_comparison_takes_four_times_the_users_at_each_step():
    assert [step.users for step in PLANS["compare"].steps(64, 5)] == [1, 4, 16, 64]


def test_a_zip_has_all_pictures_in_order_duplicates_included():
    pictures = [drawings()[0], drawings()[0], drawings()[3]]
    with zipfile.ZipFile(io.BytesIO(zipped(pictures))) as archive:
        assert [archive.read(name) for name in sorted(archive.namelist())] == [each.content for each in pictures]


def write_table(path, rows: list[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def second(time_s: int, users: int, answered: int, name: str = "Aggregated", failed: int = 0) -> dict:
    row = {"Timestamp": time_s, "User Count": users, "Name": name, "Total Request Count": answered + failed}
    return row | {"Total Failure Count": failed, "50%": 10, "95%": 15, "99%": 20 + users}


def test_the_loads_are_the_good_answers_of_each_number_of_users_without_its_start(tmp_path):
    rows = [second(0, 0, 0)]
    rows += [second(time_s, 1, 10 * time_s, failed=time_s) for time_s in range(1, 9)]
    rows += [second(9, 1, 80, name="picture"), second(9, 2, 85), second(10, 2, 87), second(11, 2, 90)]
    rows += [second(time_s, 2, 100 + 50 * (time_s - 12)) for time_s in range(12, 17)]
    write_table(tmp_path / "ramp_stats_history.csv", rows)
    one, two = read_loads(tmp_path / "ramp")
    assert one == Load(1, 40, 10.0, 10.0, 15.0, 21.0)
    assert two == Load(2, 200, 50.0, 10.0, 15.0, 22.0)


def test_the_knee_is_where_more_users_bring_no_more_answers():
    loads = [Load(users, 9, rate, 1.0, 1.5, 2.0) for users, rate in ((1, 100), (2, 190), (4, 196), (8, 200), (16, 150))]
    assert find_knee(loads).users == 2
    assert find_knee(loads[:1]) is None


def test_totals_and_failures_are_read_from_what_locust_wrote(tmp_path):
    columns = {"Request Count": 10, "Failure Count": 2, "Requests/s": 5.5, "50%": 7, "95%": 8, "99%": 9}
    write_table(tmp_path / "smoke_stats.csv", [columns | {"Name": "picture"}, columns | {"Name": "Aggregated"}])
    errors = [{"Error": "wrong label", "Occurrences": 1}, {"Error": "wrong label", "Occurrences": 3}]
    write_table(tmp_path / "smoke_failures.csv", errors)
    assert (read_rows(tmp_path / "smoke")[-1].requests, read_rows(tmp_path / "smoke")[-1].p99_ms) == (10, 9)
    assert read_failures(tmp_path / "smoke") == {"wrong label": 4}


def test_pictures_are_counted_beside_requests():
    assert Row("ZIP of 64", 100, 25, 4.0, 1, 2, 3).pictures_per_s == 192
    assert Row("picture of a client", 100, 0, 4.0, 1, 2, 3).pictures_per_s == 4
    assert Row("ZIP of 64", 0, 0, 0.0, 1, 2, 3).pictures_per_s == 0


def test_frames_are_finished_and_show_what_the_drawings_show():
    assert [each.label for each in frames()] == [each.label for each in drawings()]
    for each in frames():
        pixels = np.asarray(Image.open(io.BytesIO(each.content)))
        assert (pixels.shape, pixels.dtype) == ((28, 28), np.uint8)
        assert pixels.max() > 200 > pixels[0].max()


@pytest.mark.parametrize(
    ("status", "body", "wrong"),
    [
        (200, SEVEN, ""),
        (200, SEVEN | {"label": "1"}, "wrong label: 1 for a 7"),
        (200, SEVEN | {"model": "lenet5"}, "status 200 without a prediction"),
        (200, [], "status 200 without a prediction"),
        (*error(400, "InvalidImage", "not a picture (it starts with 00)"), "status 400 InvalidImage"),
        (502, None, "status 502 without a reason"),
        (0, None, "no answer"),
    ],
)
def test_wrong_answers_are_named_by_their_type(status, body, wrong):
    assert check_answer(status, json.dumps(body).encode(), "digits", "7") == wrong


def test_a_raw_connection_is_kept_and_opens_again_after_an_end():
    with answering(lambda body: (200, {"size": len(body)})) as server:
        connection = Connection(server.url, 60)
        for size in (3, 100_000):
            assert connection.ask(post(f"{server.url}/predictions/digits", bytes(size), "image/png")) == (
                200,
                json.dumps({"size": size}).encode(),
            )
        first = connection.socket
        assert first is not None
        connection.close()
        assert connection.ask(post(server.url, b"", "image/png"))[0] == 200
        connection.close()
    assert server.paths == ["/predictions/digits", "/predictions/digits", "/"]


def test_a_raw_connection_times_out():
    with answering(SILENCE) as server, pytest.raises(OSError, match="timed out"):
        Connection(server.url, 0.2).ask(post(server.url, b"x", "image/png"))


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b""]
)
def test_an_incomplete_answer_is_an_error(answer):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as one:
                one.recv(1 << 16)
                one.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        connection = Connection(f"http://127.0.0.1:{server.getsockname()[1]}", 60)
        with pytest.raises(OSError, match=r"content-length|closed"):
            connection.ask(b"x")
        thread.join()
    assert connection.socket is None


def found(**changes: object) -> Found:
    """What a ramp may have found; `shape` is an option, the rest are its fields."""
    options = Namespace(
        shape=changes.pop("shape", "ramp"), model="digits", host="http://h", pictures="frames", workers=1
    )
    rows = [Row("ZIP of 64", 10, 0, 1.0, 300, 400, 500), Row("picture of a client", 90, 3, 9.0, 5, 6, 7)]
    rows.append(Row("Aggregated", 100, 3, 10.0, 5, 300, 400))
    loads = [Load(1, 30, 3.0, 4, 5, 6), Load(2, 60, 6.0, 5, 6, 7)]
    locust, counted = LocustExit(0, False, 0.4), ServerFigures(50, 2.0, 1.5, 3.5)
    workers = (Worker("9000", 1, True, 0), Worker("9001", 2, True, 0))
    served = ModelVersion("digits", "1.0", True, workers, 2, batch_size=32, batch_delay_ms=1)
    values = {"options": options, "version": "1.0", "served": served, "locust": locust, "rows": rows}
    values |= {"failures": {"status 400 InvalidImage": 1, "wrong label: 1 for a 7": 2}, "loads": loads}
    return Found(**(values | {"knee": loads[1], "counted": counted} | changes))


def test_the_page_shows_all_results():
    page = page_text(found(wrk=[5.0, 7.0]), {"failures_share": 0.0})
    for text in (
        "digits 1.0 at http://h, frames; ",
        "| ZIP of 64 | 10 | 0 | 1.0 | 64.0 | 300 | 400 | 500 |",
        "| all | 100 | 3 | 10.0 | 72.7 | 5 | 300 | 400 |",
        "| wrong label: 1 for a 7 | 2 |\n| status 400 InvalidImage | 1 |",
        "Batches of up to 32 requests, batch delay 1 ms, 2 workers.",
        "50 batches of 2.0 requests; a request waited 1.5 ms in the queue, a batch took 3.5 ms in the handler (means).",
        "Locust, 1 process, used 0.40 cores of the machine.",
        "| 2 | 60 | 6 | 5 | 6 | 7 |",
        "Knee: 2 users, 6 requests/s",
        "pictures: 5 and 7 requests/s before and after; the knee is 1.00 of their mean.",
        "SLO missed: failures_share is 0.03; wanted at most 0.",
    ):
        assert text in page


def test_the_page_says_what_is_unknown():
    page = page_text(found(shape="spike", knee=None, served=None, counted=None, locust=LocustExit(0, True, 0.97)), {})
    assert "Knee" not in page
    assert "| 2 | 60 | 6 |" in page
    assert "Interrupted before its end." in page
    assert "batches and queue times are unknown" in page
    assert "may limit the load" in page


def test_objectives_are_for_the_slowest_kind_of_single_pictures():
    assert figures(found())["p95_ms"] == 6
    assert figures(found())["pictures_per_s"] == pytest.approx(72.7)


def compared(**changes: object) -> list[dict]:
    """Two rounds at 1 and 64 users; batches bring 0.5 times the requests/s at 1, 2 and 4 times at 64."""
    rows = []
    for number, factor in enumerate((2.0, 4.0)):
        for which in ("on", "off"):
            counted = {"counted_requests": 800, "counted_batches": 100 if which == "on" else 800}
            facts = {"round": number, "which": which, "locust_cores": 0.25, "failures": {"wrong label": 1}} | counted
            for users, gain in ((1, 0.5), (64, factor)):
                rate = 100.0 * (gain if which == "on" else 1)
                rows.append(facts | {"users": users, "answers": 50, "requests_per_s": rate, "p99_ms": 9.0} | changes)
    return rows


FACTS = {"model": "digits 1.0", "workers": "1 worker of one thread", "batch_size": 32, "batch_delay_ms": 1}
FACTS |= {"pictures": "frames", "machine": "a machine", "complete": True}


def test_the_comparison_has_medians_with_their_spread_and_ratios_within_rounds():
    page = "\n".join(page_lines(FACTS, compared()))
    assert "| 1 | 50 (50 to 50) | 100 (100 to 100) | 0.50 (0.50 to 0.50) | 9 (9 to 9) | 9 (9 to 9) | 100, 100 |" in page
    assert "| 64 | 300 (200 to 400) | 100 (100 to 100) | 3.00 (2.00 to 4.00) |" in page
    assert "With 64 users, batches multiply the requests/s by 3.00 (2.00 to 4.00)." in page
    assert "8.0 requests with batches, 1.0 without; 4 requests failed." in page
    assert "Interrupted" not in page
    assert "Interrupted" in page_lines(FACTS | {"complete": False}, compared())[-1]
    assert mean_batch(compared(), "on") == 8


def test_the_chart_has_the_medians_of_both_servers_by_users(tmp_path):
    figure = Figure()
    paint(figure, compared())
    rates, times = figure.axes
    on, off = (list(bar.lines[0].get_ydata()) for bar in rates.containers)
    assert (on, off) == ([50, 300], [100, 100])
    assert list(times.containers[0].lines[0].get_ydata()) == [9, 9]
    assert [label.get_text() for label in rates.get_xticklabels()] == ["1", "64"]
    picture = np.asarray(Image.open(draw(tmp_path / "compare.png", (9, 3.6), lambda figure: paint(figure, compared()))))
    assert picture.shape[0] > 300
    assert picture.std() > 5


def test_a_test_without_requests_is_an_error(tmp_path):
    row = {"Name": "Aggregated", "Request Count": 0, "Failure Count": 0, "Requests/s": 0}
    write_table(tmp_path / "smoke_stats.csv", [row | {"50%": "N/A", "95%": "N/A", "99%": "N/A"}])
    with pytest.raises(LoadTestError, match="sent no request"):
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
def test_invalid_objectives_are_refused(tmp_path, text):
    (tmp_path / "slo.toml").write_text(text)
    with pytest.raises(LoadTestError, match=r"slo\.toml"):
        read_slo(tmp_path / "slo.toml")
    assert read_slo(DEFAULT)["failures_share"] == 0


def run(out, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "loadtest", "--out", out, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(
    ("arguments", "metrics"),
    [
        ([], "http://127.0.0.1:8082/metrics"),
        (["--host", "http://10.0.0.1:8080"], None),
        (
            ["--host", "http://10.0.0.1:8080", "--metrics", "http://10.0.0.1:8082/metrics"],
            "http://10.0.0.1:8082/metrics",
        ),
    ],
)
def test_the_metrics_page_of_the_default_host_is_not_used_for_another_host(monkeypatch, arguments, metrics):
    monkeypatch.setattr(sys, "argv", ["loadtest", *arguments])
    assert parse().metrics == metrics


def test_without_a_server_nothing_is_loaded(tmp_path):
    done = run(tmp_path, "--host", closed_port())
    assert done.returncode == 1
    assert "make up" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def place(stack) -> list[str]:
    where = ["--host", stack.inference_url, "--management", stack.management_url]
    return [*where, "--metrics", f"{stack.metrics_url}/metrics"]


def test_a_malformed_slo_file_is_refused_before_any_load(tmp_path):
    (tmp_path / "slo.toml").write_text("p42_ms = 1\n")
    done = run(tmp_path, "--slo", str(tmp_path / "slo.toml"), "--host", closed_port())
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "p42_ms" in done.stderr


@pytest.mark.quick
@pytest.mark.server
@pytest.mark.campaign
def test_a_smoke_test_with_two_processes_writes_its_page_and_meets_an_easy_objective(stack, tmp_path):
    # Not 0: a busy server refuses the pictures of a ZIP file that are beyond its time limit
    (tmp_path / "easy.toml").write_text("failures_share = 0.9\n")
    options = ["--users", "9", "--seconds", "15", "--workers", "2", "--slo", str(tmp_path / "easy.toml")]
    done = run(tmp_path, *place(stack), *options)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "smoke.md").read_text()
    assert "digits 1.0 at" in page
    assert "All objectives of the SLO file are met." in page
    assert "| picture of a client |" in page
    assert "| picture at a steady rate |" in page
    assert "| stroke of a drawing |" in page
    assert "Batches of up to 16 requests, batch delay 1 ms, 2 workers." in page
    assert "requests; a request waited" in page
    assert "Locust, 2 processes, used" in page
    assert (tmp_path / "smoke.html").exists()
    rows = {row.name: row for row in read_rows(tmp_path / "smoke")}
    single = [row for row in rows.values() if row.pictures == 1 and row.name != "Aggregated"]
    assert rows["picture of a client"].requests > 0
    assert not any(row.failures for row in single)


@pytest.mark.server
@pytest.mark.campaign
def test_an_objective_that_is_too_tight_ends_a_ramp_with_1_and_its_line(stack, tmp_path):
    (tmp_path / "tight.toml").write_text("failures_share = 0.0\np95_ms = 0.001\n")
    options = ["--shape", "ramp", "--users", "2", "--seconds", "10", "--pictures", "frames"]
    done = run(tmp_path, *place(stack), *options, "--slo", str(tmp_path / "tight.toml"))
    assert done.returncode == 1
    assert "SLO missed: p95_ms is" in done.stderr
    assert "failures_share" not in done.stderr
    page = (tmp_path / "ramp.md").read_text()
    assert "SLO missed: p95_ms is" in page
    assert "Knee: " in page


@pytest.mark.server
@pytest.mark.campaign
def test_an_interrupted_test_keeps_what_it_has_measured(stack, tmp_path):
    command = [sys.executable, "-m", "loadtest", "--out", tmp_path, *place(stack), "--shape", "soak", "--users", "9"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        history = tmp_path / "soak_stats_history.csv"
        wait_until(lambda: history.exists() and len(history.read_text().splitlines()) > 10)
        child.send_signal(signal.SIGINT)
        said = end(child)
    assert child.returncode == 130, said
    page = (tmp_path / "soak.md").read_text()
    assert "Interrupted before its end." in page
    assert read_rows(tmp_path / "soak")[-1].requests > 0
    assert (tmp_path / "soak.html").exists()


@pytest.mark.server
@pytest.mark.campaign
def test_locusts_web_page_opens(stack, tmp_path):
    [port] = free_ports(1)
    command = [sys.executable, "-m", "loadtest", *place(stack), "--ui", "--web-port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{port}/"))
        finally:
            child.send_signal(signal.SIGINT)
            end(child)
    assert not answers(f"http://127.0.0.1:{port}/")


def end(child: subprocess.Popen) -> str:
    """Wait for the end of what was interrupted, and return what it said."""
    try:
        return child.communicate(timeout=120)[0]
    finally:
        child.kill()


def answers(url: str) -> bool:
    try:
        return "Locust" in requests.get(url, timeout=5).text
    except requests.RequestException:
        return False


def wait_until(is_so, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.campaign
def test_a_steady_user_sends_the_next_request_before_the_last_is_answered():
    waiting = Semaphore(1)  # free while fewer than two requests wait
    overlaps = []

    def late(body: bytes):
        is_first = waiting.acquire(blocking=False)
        overlaps.append(not is_first)
        time.sleep(0.5)
        if is_first:
            waiting.release()
        return 200, SEVEN

    with answering(late) as server:
        command = [sys.executable, "-m", "locust", "-f", "loadtest/locustfile.py", "-H", server.url, "Steady"]
        command += ["--headless", "--users", "1", "--run-time", "4s", "--only-summary", "--exit-code-on-error", "0"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
        wait_until(lambda: len(overlaps) == len(server.bodies))
    assert done.returncode == 0, done.stderr
    assert any(overlaps)  # in a closed loop, there are none


@pytest.mark.server
@pytest.mark.campaign
def test_a_wrong_label_is_a_failure_that_names_both_labels(stack, tmp_path, monkeypatch):
    folder = tmp_path / "digits"
    folder.mkdir()
    (folder / "3-1.png").write_bytes((ROOT / "examples/digits/7-1.png").read_bytes())
    code = "import measuring.common.example_digits as digits, pathlib, sys, locust.main\n"
    code += f"digits.FOLDER = pathlib.Path({str(folder)!r})\n"
    code += f"sys.argv = ['locust', '-f', 'loadtest/locustfile.py', '-H', {stack.inference_url!r}, 'Client']\n"
    code += "sys.argv += ['--headless', '--users', '1', '--run-time', '5s', '--only-summary']; locust.main.main()"
    command = [sys.executable, "-c", "import gevent.monkey; gevent.monkey.patch_all()\n" + code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert "wrong label: 7 for a 3" in done.stdout + done.stderr
