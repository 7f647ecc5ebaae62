"""Where PyTorch comes from, and the lock of `make up`."""

import base64
import hashlib
import os
import re
import socket
import sys
import threading
import tomllib
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy import install
from deploy.install import LOCK, PINS, ROOT, InstallError

VERSION = install.pinned("torch")
WHEEL = f"torch-{VERSION}+cpu-py3-none-any.whl"
INFO = f"torch-{VERSION}+cpu.dist-info"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture
def wheel(tmp_path) -> Path:
    """A wheel of a tiny package that calls itself PyTorch."""
    files = {
        "torch/__init__.py": "",
        f"{INFO}/METADATA": f"Metadata-Version: 2.1\nName: torch\nVersion: {VERSION}+cpu\n",
        f"{INFO}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {name: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()) for name, text in files.items()}
    record = "".join(f"{name},sha256={digest.decode().rstrip('=')},\n" for name, digest in digests.items())
    path = tmp_path / "wheels" / WHEEL
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in {**files, f"{INFO}/RECORD": f"{record}{INFO}/RECORD,,\n"}.items():
            packed.writestr(name, text)
    return path


@pytest.fixture
def index(wheel):
    """A package index of one wheel on this machine; the paths that were asked for are in `asked`."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            page = f'<a href="/files/{WHEEL.replace("+", "%2B")}">{WHEEL}</a>'.encode()
            body = wheel.read_bytes() if self.path.startswith("/files/") else page
            self.send_response(200 if self.path.startswith(("/cpu/torch/", "/files/")) else 404)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.asked, server.url = asked, f"http://127.0.0.1:{server.server_port}/cpu"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def silent_index():
    """The address of an index that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/cpu"


@pytest.fixture
def target(monkeypatch, tmp_path) -> Path:
    """A Linux machine without an NVIDIA card or PyTorch; pip installs into this folder."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(install, "NVIDIA", tmp_path / "nowhere")
    monkeypatch.setattr(install.shutil, "which", lambda _: None)
    monkeypatch.setattr(install, "is_installed", lambda *_: False)
    monkeypatch.setattr(install, "LOG", tmp_path / "install.log")
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "target"))
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)  # a machine may name further places to install from
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "target"


def test_without_an_nvidia_card_pytorch_comes_from_the_cpu_index(index, target, capsys):
    install.install_torch(VERSION, {"TORCH_CPU_INDEX": index.url})
    assert (target / INFO).is_dir()
    assert {path.rpartition("/")[0] for path in index.asked} == {"/cpu/torch", "/files"}
    printed = capsys.readouterr().out
    assert f"PyTorch comes from {index.url}, as this machine has no NVIDIA card" in printed
    assert f"installed PyTorch {VERSION} for CPUs in" in printed


def test_an_index_that_does_not_answer_is_passed_over_after_3_s(silent_index, target):
    index, reason = install.choose_index({"TORCH_CPU_INDEX": silent_index})
    assert index is None
    assert reason == f"PyTorch comes from pip's own index, as {silent_index} does not answer within 3 s"


def test_an_index_without_the_pinned_version_is_passed_over(index, target, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(install, "pip", lambda _, options: asked.append(options) or fail_first(asked))
    install.install_torch("9.9.9", {"TORCH_CPU_INDEX": index.url})
    assert asked[1] == ["--constraint", str(PINS), "torch==9.9.9"]
    assert "goes on with pip's own index" in capsys.readouterr().out


def fail_first(asked):
    if len(asked) == 1:
        raise InstallError("no such version")


@pytest.mark.parametrize("sign", ["driver", "program"])
def test_with_an_nvidia_card_the_cpu_index_is_not_asked(index, target, monkeypatch, tmp_path, sign):
    if sign == "driver":
        monkeypatch.setattr(install, "NVIDIA", tmp_path)
    else:
        monkeypatch.setattr(install.shutil, "which", lambda name: f"/usr/bin/{name}")
    chosen, reason = install.choose_index({"TORCH_CPU_INDEX": index.url})
    assert (chosen, index.asked) == (None, [])
    assert "NVIDIA" in reason


@pytest.mark.parametrize(("platform", "address"), [("darwin", "http://127.0.0.1:9/cpu"), ("linux", "")])
def test_on_other_systems_and_without_an_address_no_index_is_asked(target, monkeypatch, platform, address):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(install, "answers", lambda _: pytest.fail("asked"))
    assert install.choose_index({"TORCH_CPU_INDEX": address})[0] is None


def test_a_failed_installation_is_one_line_with_pips_reason_and_the_log(target, monkeypatch, capsys):
    monkeypatch.setattr(install, "install_pip", lambda: None)
    monkeypatch.setattr(install, "pinned", lambda _: VERSION)
    monkeypatch.setattr(install, "install_torch", lambda *_: None)
    monkeypatch.setattr(install, "LOCK", target / "no-such.lock")
    monkeypatch.setattr(sys, "argv", ["install", "up"])
    assert install.main() == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("install: packages of make up: Could not open requirements file")
    assert str(install.LOG) in line


def test_large_downloads_are_shown_with_their_progress(capsys):
    display = install.Download(started=0)
    for line in ("Downloading http://host/big-1.0.whl (12.0 MB)\n", "Progress 0 of 12000000\n"):
        display.show(line)
    assert display.show("Progress 12000000 of 12000000\n")
    assert capsys.readouterr().out.startswith("  big-1.0.whl: 12 of 12 MB, ")


def locked() -> dict[str, str]:
    """Version by normalised name."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK.read_text(), re.MULTILINE))


def names(requirements) -> set[str]:
    """Normalised names of requirements; those of included groups, too."""
    found = set()
    for each in requirements:
        if isinstance(each, dict):
            found |= names(PROJECT["dependency-groups"][each["include-group"]])
        else:
            found.add(re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", each)[0]).lower())
    return found


def test_the_lock_has_all_packages_of_make_up_but_pytorch():
    wanted = names(PROJECT["dependency-groups"]["up"]) | names(PROJECT["project"]["dependencies"])
    assert wanted - locked().keys() == {"torch"}


def test_the_lock_has_the_pinned_versions_and_a_hash_for_each():
    pins = {
        name.lower().replace("_", "-"): version
        for name, version in re.findall(r"^(\S+)==(\S+)", PINS.read_text(), re.M)
    }
    assert {name: pins.get(name, version) for name, version in locked().items()} == locked()
    packages = re.split(r"^(?=[a-z])", LOCK.read_text(), flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in package for package in packages)
