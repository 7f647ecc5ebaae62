"""wrk, and the page of `make bench`."""

import argparse
import json
import shutil
import struct

import pytest

from measuring.common.results_page import Spread, table, table_of
from measuring.common.wrk import run_wrk, write_bodies
from measuring.speed.bench_page import write_report
from measuring.speed.peer_servers import PeerServer, all_servers
from tests.answering import SEVEN, answering, error


def test_bodies_are_written_with_their_lengths(tmp_path):
    write_bodies([b"ab", b"c"], False, tmp_path / "bodies")
    assert (tmp_path / "bodies").read_bytes() == struct.pack(">I", 2) + b"ab" + struct.pack(">I", 1) + b"c"
    write_bodies([b"ab"], True, tmp_path / "bodies")
    assert json.loads((tmp_path / "bodies").read_bytes()[4:]) == {"b64": "YWI="}


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_sends_all_bodies_in_turn_and_counts_answers(tmp_path):
    write_bodies([b"one", b"two", b"three"], False, tmp_path / "bodies")
    with answering((200, SEVEN)) as server:
        found = run_wrk(server.url, tmp_path / "bodies", False, connections=2, seconds=1)
    assert found.errors == 0
    assert 0 < found.answers <= len(server.bodies)
    assert set(server.bodies[:6]) == {b"one", b"two", b"three"}
    assert server.headers[0]["Content-Type"] == "image/png"
    assert 0 < found.p50_ms <= found.p99_ms


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_refusals_count_as_errors(tmp_path):
    write_bodies([b"x"], True, tmp_path / "bodies")
    with answering(error(503)) as server:
        found = run_wrk(server.url, tmp_path / "bodies", True, connections=1, seconds=1)
    assert found.errors == found.answers > 0


def test_a_median_stands_beside_its_spread():
    assert f"{Spread([3.0, 1.0, 2.0]):.1f}" == "2.0 (1.0 to 3.0)"


def test_a_table_has_a_line_for_each_row_and_no_bar_within_a_cell():
    assert table(("a", "b"), [("1", "2|3")]) == ["| a | b |", "|---|---|", "| 1 | 2 3 |"]


def test_a_column_says_how_its_cells_are_written():
    assert table_of({"a": "{name}", "b, s": "{times[1]:.1f}"}, [{"name": "x", "times": (1, 2)}])[-1] == "| x | 2.0 |"


def row(server: str, number: int, requests_per_s: float, pictures: str = "frames") -> dict:
    figures = {"p50_ms": 2.0, "p99_ms": 9.0, "memory_mib": 700.0, "generator_cpu": 0.1, "errors": number}
    facts = {"server": server, "round": number, "pictures": pictures, "connections": 64}
    return facts | {"requests_per_s": requests_per_s} | figures


def test_ratios_are_taken_within_a_round(tmp_path):
    chosen = [PeerServer(name, "torch", "torch", False, lambda *_: None) for name in ("ours", "theirs", "lame")]
    rows = [row("ours", 0, 300), row("theirs", 0, 100), row("ours", 1, 200), row("theirs", 1, 200)]
    options = argparse.Namespace(rounds=2, seconds=1, out=tmp_path)
    results = write_report(options, chosen, {"lame": "it limps"}, rows)
    [load] = results["servers"][1]["loads"]
    assert load["ours_requests_per_s_ratio"] == {"median": 2.0, "least": 1.0, "largest": 3.0}
    assert load["errors"] == 1
    page = (tmp_path / "bench.md").read_text()
    assert "2.00 (1.00 to 3.00)" in page
    assert "lame did not run: it limps" in page
    assert json.loads((tmp_path / "bench.json").read_text())["rows"] == rows


def test_each_kind_of_picture_is_compared_with_frames_of_the_same_round(tmp_path):
    ours = PeerServer("ours", "torch", "torch", False, lambda *_: None)
    rows = [row("ours", 0, 300), row("ours", 0, 150, "crops"), row("ours", 1, 200), row("ours", 1, 50, "crops")]
    results = write_report(argparse.Namespace(rounds=2, seconds=1, out=tmp_path), [ours], {}, rows)
    crops = results["servers"][0]["loads"][1]
    assert crops["to_frames"] == {"median": 0.375, "least": 0.25, "largest": 0.5}
    assert "| crops |" in (tmp_path / "bench.md").read_text()


def test_inkserve_comes_first_and_can_run():
    first, *peers = all_servers()
    assert first.package == "torchserve"
    assert first.missing() == ""
    assert {peer.package for peer in peers} == {"mosec", "fastapi", "litserve", "ray"}
