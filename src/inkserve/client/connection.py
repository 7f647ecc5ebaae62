"""One inference server: connections, tokens, timeouts, and when a request is worth sending again."""

import random
import time
from collections.abc import Mapping
from functools import cache
from urllib.parse import quote

import requests
from PIL import Image
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import NameResolutionError, NewConnectionError, ProtocolError

from inkserve.client.address import DEFAULT_URL, is_loopback, server_url
from inkserve.client.answers import Response, read_any
from inkserve.client.exceptions import Rejected, ServerDown
from inkserve.client.pictures import encode
from inkserve.client.tokens import KeyFileError, inference_token
from inkserve.forks import renew_after_fork

PASSING = (requests.codes.too_many_requests, requests.codes.service_unavailable)
MAX_DEATHS = 2  # of workers under one request: the picture itself may be what kills them
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 3.0  # before the second try; three times as long before each further one
CONNECTIONS = 32  # kept open: as many as a full batch of the server has requests, see batchSize in config/*.yaml
NO_ANSWER, REFUSED = "it does not answer in time", "the connection is refused"  # why a server is down
NO_ADDRESS = "no address is known for {url}"
NO_SERVER = f"{{url!r}} is no address of a server; wanted one such as {DEFAULT_URL}"
OCTETS = {"Content-Type": "application/octet-stream"}

Timeout = tuple[float, float]  # s to connect, s to wait for the answer


def name_of(model: str, version: str | None) -> str:
    """Return a recogniser's part of an address, with its version if there is one."""
    return "/".join(quote(part, safe="") for part in (model, version) if part)


def headers_of(top_k: int, timing: bool) -> dict[str, str]:
    """Return the headers that ask for so many labels, and for the times in the worker."""
    return {"X-Top-K": str(top_k)} | ({"X-Timing": "1"} if timing else {})


class Server:
    """Posts to one server, from any number of threads, and in processes forked from the one that made it.

    Attributes:
        url: its address, without a slash at the end.
    """

    def __init__(
        self,
        url: str | None,
        timeout_s: Timeout,
        tries: int,
        auth: AuthBase | None = None,
        connections: int = CONNECTIONS,
    ) -> None:
        """Remember an address; nothing is sent.

        Args:
            url: as `server_url` takes it.
            timeout_s: to connect and to wait, since a server whose worker is dead takes a request and never answers.
            tries: how often a request is sent while the reason for a failure may pass.
            auth: what a server with tokens wants; by default `inference_token`.
            connections: how many are kept open.
        """
        self.url = server_url(url)
        self.timeout_s = timeout_s
        self.tries = tries
        self._auth = auth or inference_token()
        self._connections = connections
        self.http = self._session()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Leave the connections to the parent process."""
        self.http = self._session()

    def _session(self) -> requests.Session:
        session = requests.Session()  # threads may share its pool; nothing else in it changes
        session.auth = self._auth
        session.trust_env = not is_loopback(self.url)  # no proxy leads to this machine
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=self._connections))
        return session

    def post(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        tries: int | None = None,
        timeout_s: Timeout | None = None,
    ) -> tuple[requests.Response, float]:
        """Send a request, again after a pause while the reason for a failure may pass.

        That is a full queue (503, which TorchServe also says when a model has no worker), a token with as many requests
        in flight as it may have (429), a worker that died under it (500 or 507), and a connection that broke. Reading a
        picture twice does no harm. A server that refuses connections or does not answer in time is not asked again.

        Args:
            path: of the address.
            body: of the request.
            headers: of the request.
            tries: by default the server's.
            timeout_s: by default the server's.

        Returns:
            the response, of any status, and the round trip of the last try in ms.

        Raises:
            ServerDown: no response.
        """
        attempts = Attempts(tries or self.tries)
        while True:
            began = time.perf_counter()
            try:
                # A redirected POST would come back as a GET, without the picture
                response = self.http.post(
                    self.url + path,
                    data=body,
                    headers=headers,
                    timeout=timeout_s or self.timeout_s,
                    allow_redirects=False,
                )
            except requests.RequestException as err:
                if not attempts.is_worth_another(None, is_broken_connection(err)):
                    raise ServerDown(self._reason(err)) from err
            else:
                if not attempts.is_worth_another(response):
                    return response, (time.perf_counter() - began) * 1000
            time.sleep(pause_s(attempts.number - 1))

    def get(self, path: str) -> requests.Response:
        """Get a path of the address once.

        Raises:
            ServerDown: no response.
        """
        try:
            return self.http.get(self.url + path, timeout=self.timeout_s, allow_redirects=False)
        except requests.RequestException as err:
            raise ServerDown(self._reason(err)) from err

    def fault(self, path: str, tries: int | None = None, timeout_s: Timeout | None = None) -> str:
        """Return why no recogniser answers at a path, or "" when a real prediction has just proved that one does.

        TorchServe's `/ping` says Healthy while no worker lives, so only an answer to a picture counts. An
        `InvalidImage` from the handler is an answer, too.
        """
        try:
            read_any(*self.post(path, probe_picture(), OCTETS, tries, timeout_s))
        except Rejected as err:
            return "" if err.type == "InvalidImage" else err.message
        except ServerDown as err:
            return str(err)
        return ""

    def _reason(self, err: requests.RequestException) -> str:
        if isinstance(err, requests.Timeout):
            return NO_ANSWER
        if isinstance(err, KeyFileError):
            return str(err)
        if isinstance(err, ValueError):  # requests' errors of addresses
            return NO_SERVER.format(url=self.url)
        cause = getattr(err.args[0] if err.args else None, "reason", None)  # urllib3's, inside its MaxRetryError
        if isinstance(cause, NameResolutionError):
            return NO_ADDRESS.format(url=self.url)
        if isinstance(cause, NewConnectionError):
            return REFUSED
        return f"the request failed ({type(err).__name__})"


class Attempts:
    """Counts how often a request was sent, and says when it is worth sending again.

    Attributes:
        number: of the last attempt, counted from 1.
    """

    def __init__(self, most: int) -> None:
        self.number, self._most, self._deaths = 1, most, 0

    def is_worth_another(self, response: Response | None, is_broken: bool = False) -> bool:
        """Tell whether to send the request again after a pause, and count that.

        Args:
            response: None without one.
            is_broken: whether the connection ended before the response.
        """
        passes = is_broken
        if response is not None:
            self._deaths += is_death(response)
            is_full = response.status_code in PASSING
            passes = (is_full or is_death(response)) and self._deaths <= MAX_DEATHS
        if not passes or self.number >= self._most:
            return False
        self.number += 1
        return True


def is_death(response: Response) -> bool:
    """Return whether a worker died during the request: killed, crashed, or stopped for taking too long."""
    return response.status_code >= requests.codes.server_error and "Worker died" in response.text  # 500, or 507


def is_broken_connection(err: requests.RequestException) -> bool:
    """Return whether the connection ended before the answer, as when a server is stopped."""
    return isinstance(err.args[0] if err.args else None, ProtocolError)  # urllib3's, of HTTP; not of connecting


def pause_s(number: int) -> float:
    """Return the pause after a try, counted from 1; partly random, so that waiting threads spread out."""
    most_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 3 ** min(number - 1, 10))  # no overflow after a long outage
    return float(most_s * random.uniform(0.5, 1))  # nosec B311 # noqa: S311 - no secret


@cache
def probe_picture() -> bytes:
    """Return a "1" as MNIST frames it, white on black, as PNG."""
    frame = Image.new("L", (28, 28))
    frame.paste(255, (13, 4, 15, 24))
    return encode(frame)
