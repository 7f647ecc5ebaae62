"""Reading in bulk with Ray: the server's answers, and nothing lost or doubled by what is killed."""

import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from pyarrow import fs

from deploy.local.settings import ROOT, free_ports
from inkserve import Prediction, Recogniser
from measuring.common.example_digits import drawings
from measuring.speed.digit_requests import encoded, mnist_frames
from tests.alike import assert_alike
from tests.conftest import environment
from tests.deployment.nodes import Machine, bridge, can_make
from tests.deployment.tools import BIN, needs_tools
from tests.waiting import eventually

pytest.importorskip("ray")

from deploy.ray.score import PLAN, file_name
from deploy.ray.shards import PICTURES, cut
from inkserve.command import CommandError

pytestmark = pytest.mark.deployment

TIMEOUT_S = 900
RAY_PORT = 6379
RAY = {  # of all machines of a cluster
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "a-token-that-all-machines-of-the-cluster-know",
    "RAY_raylet_start_wait_time_s": str(TIMEOUT_S),
}
needs_namespaces = pytest.mark.skipif(not can_make(), reason="needs root for namespaces")
COPIES = 100  # of each of our drawings


def command(source: Path, out: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "deploy.ray.score", str(source), "--out", str(out), *arguments]


def score(source: Path, out: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(source, out, *arguments),
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def results(out: Path) -> list[dict]:
    return [row for path in sorted(out.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """Several shards of our drawings in a ZIP file, with a file that is no picture."""
    path = tmp_path_factory.mktemp("source") / "drawings.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for copy in range(COPIES):
            for each in drawings():
                archive.writestr(f"{copy}/{each.label}/{each.name}", each.content)
        archive.writestr("broken.png", b"no picture")
        archive.writestr("Thumbs.db", b"left out")
    return path


def check(out: Path) -> None:
    """Each picture is there once, with its label."""
    found = {row["name"]: row for row in results(out)}
    assert len(found) == len(results(out)) == COPIES * len(drawings()) + 1
    assert found.pop("broken.png")["error"] == "InvalidImage"
    assert all(row["label"] == name.split("/")[1] and row["model"] == "digits" for name, row in found.items())


@pytest.mark.usefixtures("official_data")
def test_ten_thousand_answers_are_the_servers(stack, tmp_path):
    frames, _ = mnist_frames(10_000)
    contents = encoded(frames)
    with zipfile.ZipFile(tmp_path / "mnist.zip", "w") as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"{number:05}.png", content)
    done = score(tmp_path / "mnist.zip", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert f"{len(contents):,} pictures read now, 0 with an error" in done.stdout
    rows = results(tmp_path / "out")
    with Recogniser("digits", stack.inference_url) as digits:
        for row, answer in zip(rows, digits.predict_many(contents, progress=False), strict=True):
            assert isinstance(answer, Prediction)
            assert row["label"] == answer.label
            wanted = [answer.confidence, *(each.probability for each in answer.top)]
            # The server decides how many pictures the network sees at once, and the last digit depends on it
            assert_alike([row["confidence"], *(each["probability"] for each in row["top"])], wanted)


def running(source: Path, out: Path) -> Iterator[subprocess.Popen]:
    with subprocess.Popen(command(source, out), cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL) as process:
        eventually(lambda: any(out.glob("part-*.parquet")), "a first shard", TIMEOUT_S)
        yield process


def test_a_killed_run_goes_on_where_it_was(source, tmp_path):
    for process in running(source, tmp_path):
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        for each in family:
            each.kill()
    first = {path: path.stat().st_mtime_ns for path in tmp_path.glob("part-*.parquet")}
    again = score(source, tmp_path)
    assert again.returncode == 0, again.stderr
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in first.items())
    check(tmp_path)
    assert "0 pictures read now" in score(source, tmp_path).stdout


def test_a_killed_actor_loses_and_doubles_nothing(source, tmp_path):
    for process in running(source, tmp_path):
        actors = [each for each in psutil.Process(process.pid).children(True) if "Scorer" in " ".join(each.cmdline())]
        assert actors
        actors[0].kill()
        assert process.wait(TIMEOUT_S) == 0
    check(tmp_path)


def test_a_cluster_that_does_not_answer_is_named(source, tmp_path):
    [port] = free_ports(1)
    done = score(source, tmp_path, "--cluster", f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert f"the Ray cluster 127.0.0.1:{port} does not take this command" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def cluster(tmp_path) -> Iterator[list[Machine]]:
    """Machines of one processor each that form a Ray cluster; the first one is its head."""
    with bridge() as made:
        machines = [Machine(number) for number in range(3)]
        head = f"{machines[0].host}:{RAY_PORT}"
        limits = ["--num-cpus", "1", "--object-store-memory", str(400 * 2**20), "--disable-usage-stats"]
        for number, each in enumerate(machines):
            made.callback(each.leave)
            each.join()
            role = ["--address", head] if number else ["--head", "--port", str(RAY_PORT), "--include-dashboard=false"]
            ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--node-ip-address", each.host]
            log = tmp_path / f"{each.name}.log"
            each.start_process([*ray, *role, *limits], log, **RAY)
            wait_for_nodes(machines[0], head, number + 1)
        yield machines


@needs_namespaces
def test_a_killed_node_loses_and_doubles_nothing(source, tmp_path, cluster):
    out, log = tmp_path / "out", tmp_path / "driver.log"
    lost = cluster[2]
    head = f"{cluster[0].host}:{RAY_PORT}"
    running = cluster[0].start_process(command(source, out, "--cluster", head, "--actors", "3"), log, **RAY)
    eventually(lambda: any(out.glob("part-*.parquet")), "a first shard", TIMEOUT_S)
    assert "Scorer" in processes_of(lost)
    lost.kill()
    assert running.wait(TIMEOUT_S) == 0, log.read_text()
    check(out)


def wait_for_nodes(machine: Machine, head: str, count: int) -> None:
    eventually(lambda: nodes_of(machine, head) == count, f"{count} machines", TIMEOUT_S)


def nodes_of(machine: Machine, head: str) -> int:
    """How many machines the cluster has."""
    script = f"import ray; ray.init('{head}', logging_level='ERROR'); print(sum(n['Alive'] for n in ray.nodes()))"
    inside = ["ip", "netns", "exec", machine.name, sys.executable, "-c", script]
    done = subprocess.run(
        inside, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=environment(**RAY)
    )
    return int(done.stdout.split()[-1]) if done.returncode == 0 else 0


def processes_of(machine: Machine) -> str:
    """Names of its processes."""
    found = subprocess.run(["ip", "netns", "pids", machine.name], capture_output=True, text=True, check=True).stdout
    return " ".join(
        " ".join(psutil.Process(int(pid)).cmdline()) for pid in found.split() if psutil.pid_exists(int(pid))
    )


@pytest.fixture
def bucket() -> Iterator[str]:
    """A form of addresses in an empty bucket of moto, a server that speaks S3's protocol."""
    [port] = free_ports(1)
    server = subprocess.Popen([BIN / "python", "-m", "moto.server", "--port", str(port)], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: makes_bucket(f"{url}/scans"), "the server")
        yield f"s3://a:b@scans/{{}}?endpoint_override=127.0.0.1:{port}&scheme=http"
    finally:
        server.kill()
        server.wait()


def makes_bucket(url: str) -> bool:
    try:
        return requests.put(url, timeout=20).ok
    except requests.ConnectionError:
        return False


@needs_tools
def test_pictures_and_results_may_be_in_s3(bucket, source, tmp_path):
    files, path = fs.FileSystem.from_uri(bucket.format("drawings.zip"))
    with files.open_output_stream(path) as stream:
        stream.write(source.read_bytes())
    out = bucket.format("results")
    for expected in (f"{COPIES * len(drawings()) + 1:,} pictures read now, 1 with an error", "0 pictures read now"):
        done = score(bucket.format("drawings.zip"), out)
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout
    files, path = fs.FileSystem.from_uri(out)
    (tmp_path / "out").mkdir()
    fs.copy_files(path, str(tmp_path / "out"), source_filesystem=files)
    check(tmp_path / "out")


def test_results_of_other_pictures_are_not_mixed(source, tmp_path):
    (tmp_path / PLAN).write_text(json.dumps({"source": "elsewhere"}))
    done = score(source, tmp_path)
    assert done.returncode != 0
    assert "has results of something else (source 'elsewhere'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_parquet_file_and_a_folder_are_read(tmp_path):
    own: Sequence = drawings()[:7]
    table = pa.table({"name": [each.name for each in own], "picture": [each.content for each in own]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=3)
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    for each in own:
        (tmp_path / "folder" / "deep" / each.name).write_bytes(each.content)
    for shard, prefix in ((cut(str(tmp_path / "a.parquet")), ""), (cut(f"file://{tmp_path}/folder"), "deep/")):
        [only] = shard
        assert dict(only.read()) == {prefix + each.name: each.content for each in own}


def test_a_damaged_picture_in_a_zip_file_comes_with_its_error(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", drawings()[0].content)
        archive.writestr("b.png", b"damaged")
    path.write_bytes(path.read_bytes().replace(b"damaged", b"changed"))
    [shard] = cut(str(path))
    (_, good), (name, bad) = shard.read()
    assert good == drawings()[0].content
    assert name == "b.png"
    assert "CRC" in str(bad)


def test_shards_are_the_same_each_time_and_of_limited_size(source):
    shards = cut(str(source))
    assert shards == cut(str(source))
    assert max(len(each.items) for each in shards) == PICTURES
    assert [file_name(each.number) for each in shards] == [
        "part-000000.parquet",
        "part-000001.parquet",
        "part-000002.parquet",
        "part-000003.parquet",
    ]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing", None, "does not exist"),
        ("a.zip", b"x", "is not a ZIP file"),
        ("a.parquet", b"x", "is not a Parquet file"),
        ("a.png", b"x", "wanted a folder, a ZIP file or a Parquet file"),
        ("nothing://a", None, "is no address of a file system"),
    ],
)
def test_a_source_that_cannot_be_read_is_named(tmp_path, name, content, reason):
    path = name if "://" in name else str(tmp_path / name)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CommandError, match=reason):
        cut(path)
