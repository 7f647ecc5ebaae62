"""HAProxy with the configuration that docs/balancer.md recommends on free ports, with a certificate of its own."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

from deploy.local.settings import ROOT, free_ports
from measuring.reliability.faults.background_load import Ask
from tests.conftest import environment

CONFIG = ROOT / "deploy" / "haproxy" / "haproxy.cfg"
NOBODY = "127.0.0.1:9"  # a node that there is not


class Balancer:
    def __init__(self, ports: Sequence[int], certificate: Path, process: subprocess.Popen):
        self.process, self.certificate = process, certificate
        self.plain, self.url, self.status = f"http://127.0.0.1:{ports[0]}", f"https://127.0.0.1:{ports[1]}", ports[2]

    def get(self, path: str, **options: object) -> requests.Response:
        return requests.get(f"{self.url}{path}", verify=self.certificate, timeout=20, **options)

    def healthy(self) -> int:
        """How many nodes it sends requests to."""
        page = requests.get(f"http://127.0.0.1:{self.status}/;csv", timeout=20).text
        return sum(line.startswith("servers,node") and ",UP," in line for line in page.splitlines())

    def ask(self, picture: bytes, token: str = "") -> Ask:
        """One request on a connection of its own, without a retry of the client's."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}

        def send() -> str:
            try:
                answer = requests.post(
                    f"{self.url}/predictions/digits", data=picture, headers=headers, verify=self.certificate, timeout=60
                )
            except requests.RequestException as err:
                return type(err).__name__
            return "ok" if answer.ok and answer.json()["label"] == "7" else f"{answer.status_code} {answer.text[:80]}"

        return send


def certificate(folder: Path) -> Path:
    """A certificate and its key in one file, as HAProxy reads them."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += [
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout",
        folder / "key",
        "-out",
        folder / "cert",
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    both = folder / "both.pem"
    both.write_bytes((folder / "cert").read_bytes() + (folder / "key").read_bytes())
    return both


def variables(folder: Path, nodes: Sequence[str], ports: Sequence[int], rate: int) -> dict[str, str]:
    named = {f"NODE{i + 1}": node for i, node in enumerate([*nodes, NOBODY, NOBODY][:3])}
    binds = {
        name: f"127.0.0.1:{port}" for name, port in zip(("HTTP_BIND", "HTTPS_BIND", "STATUS_BIND"), ports, strict=True)
    }
    return named | binds | {"CERTIFICATES": str(folder / "both.pem"), "RATE_PER_10S": str(rate)}


@contextmanager
def balancing(folder: Path, nodes: Sequence[str], rate: int = 1_000_000) -> Iterator[Balancer]:
    """HAProxy in front of nodes (host:port)."""
    ports, _ = free_ports(3), certificate(folder)
    with (folder / "haproxy.log").open("w") as log:
        running = subprocess.Popen(
            ["haproxy", "-f", CONFIG], env=environment(**variables(folder, nodes, ports, rate)), stdout=log, stderr=log
        )
        try:
            yield Balancer(ports, folder / "cert", running)
        finally:
            running.kill()
            running.wait()
