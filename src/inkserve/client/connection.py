"""One inference server: connections, tokens, timeouts, and when a request is worth sending again."""

import random
import time

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import NameResolutionError, NewConnectionError, ProtocolError

from inkserve.client.address import DEFAULT_URL, is_loopback, server_url
from inkserve.client.exceptions import ServerDown
from inkserve.client.tokens import KeyFileError, inference_token

MAX_DEATHS = 2  # of workers under one request: the picture itself may be what kills them
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 3.0  # before the second try; three times as long before each further one

Timeout = tuple[float, float]  # s to connect, s to wait for the answer


class Server:
    """Posts to one server, from as many threads as there are connections.

    Attributes:
        url: its address, without a slash at the end.
    """

    def __init__(
        self, url: str | None, timeout_s: Timeout, tries: int, connections: int, auth: AuthBase | None = None
    ) -> None:
        """Remember an address; nothing is sent.

        Args:
            url: as `server_url` takes it.
            timeout_s: to connect and to wait, since a server whose worker is dead takes a request and never answers.
            tries: how often a request is sent while what keeps it from being answered may pass.
            connections: how many are kept open.
            auth: what a server with tokens wants; by default `inference_token`.
        """
        self.url = server_url(url)
        self.timeout_s = timeout_s
        self.tries = tries
        self.http = requests.Session()  # its pool may be shared by threads; nothing else in it changes
        self.http.auth = auth or inference_token()
        self.http.trust_env = not is_loopback(self.url)  # a proxy of the environment is no way to this machine
        for scheme in ("http://", "https://"):
            self.http.mount(scheme, HTTPAdapter(pool_maxsize=connections))

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[requests.Response, float]:
        """Send a request, again after a pause while what kept it from being answered may pass.

        That is a full queue (503, which TorchServe also says when a model has no worker), a worker that died under it
        (500 or 507), and a connection that broke. Reading a picture twice does no harm. A server that refuses
        connections or does not answer in time is not asked again.

        Returns:
            the response, of any status, and the round trip of the last try in ms.

        Raises:
            ServerDown: no response.
        """
        deaths = 0
        for number in range(1, self.tries + 1):
            began = time.perf_counter()
            is_last = number == self.tries
            try:
                # A redirected POST would come back as a GET, without the picture
                response = self.http.post(
                    self.url + path, data=body, headers=headers, timeout=self.timeout_s, allow_redirects=False
                )
            except requests.RequestException as err:
                if is_last or not is_broken_connection(err):
                    raise ServerDown(self._reason(err)) from err
            else:
                deaths += is_death(response)
                is_passing = response.status_code == requests.codes.service_unavailable or is_death(response)
                if is_last or not is_passing or deaths > MAX_DEATHS:
                    break
            time.sleep(pause_s(number))
        return response, (time.perf_counter() - began) * 1000

    def _reason(self, err: requests.RequestException) -> str:
        if isinstance(err, requests.Timeout):
            return "it does not answer in time"
        if isinstance(err, KeyFileError):
            return str(err)
        if isinstance(err, ValueError):  # requests' errors of addresses
            return f"{self.url!r} is no address of a server; wanted one such as {DEFAULT_URL}"
        cause = getattr(err.args[0] if err.args else None, "reason", None)  # urllib3's, inside its MaxRetryError
        if isinstance(cause, NameResolutionError):
            return f"no address is known for {self.url}"
        if isinstance(cause, NewConnectionError):
            return "the connection is refused"
        return f"the request failed ({type(err).__name__})"


def is_death(response: requests.Response) -> bool:
    """Tell whether a worker died while it had the request: killed, crashed, or given up for not answering in time."""
    return response.status_code >= requests.codes.server_error and "Worker died" in response.text  # 500, or 507


def is_broken_connection(err: requests.RequestException) -> bool:
    """Tell whether a connection was there, and ended before the answer: a server that was stopped, for one."""
    return isinstance(err.args[0] if err.args else None, ProtocolError)  # urllib3's, of HTTP; not of connecting


def pause_s(number: int) -> float:
    """Return how long to wait after a try, counted from 1; by chance a part of it, so that waiting threads spread."""
    most_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 3 ** (number - 1))
    return most_s * random.uniform(0.5, 1)  # nosec B311 # noqa: S311 - no secret
