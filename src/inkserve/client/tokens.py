"""Tokens, for a server that asks for them.

TorchServe has one token for inference and one for management at a time. Each expires, by default after an hour. Both
are in its key file, beside the key that is needed to get new ones. All programs that read the file share them: when one
program gets a new token, the old one stops working for all.
"""

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import requests
from requests.auth import AuthBase

from inkserve.client.address import management_url
from inkserve.forks import renew_after_fork

KEY_FILE_VARIABLE = "INKSERVE_KEY_FILE"
TOKEN_VARIABLE = "INKSERVE_TOKEN"  # nosec B105 # noqa: S105 - the name of a variable
API = "API"  # the key file's name for the key that is needed to get new tokens
REFUSAL = b"InvalidKeyException"  # the type in TorchServe's 400 for a missing, wrong or expired token
TIMEOUT_S = (3.0, 5.0)  # connect, read
WRITING_S = 1.0  # TorchServe empties its file before it writes it, so a broken file is read again for so long
POLL_S = 0.02
HEADER, SCHEME = "Authorization", "Bearer "

Kind = Literal["inference", "management"]


class KeyFileError(requests.RequestException):
    """A key file cannot be read; the message names it, and nothing of its content."""


class Token(AuthBase):
    """A fixed token, for `requests` and for code that sends without it; it is never renewed."""

    def __init__(self, token: str) -> None:
        """Remember a token; with "" no header is sent."""
        self._token = token

    def current(self) -> str:
        """Return the token to send, or "".

        Raises:
            KeyFileError: there is a key file that cannot be read.
        """
        return self._token

    def refresh(self, refused: str) -> str:  # noqa: ARG002 - a KeyFile needs it
        """Return a token in place of a refused one, or "" if there is none."""
        return ""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token to a request; if the server refuses it, the request is sent again with a new one."""
        if token := self.current():
            request.headers.update(bearer(token))
            request.register_hook("response", self._send_again)  # type: ignore[no-untyped-call]
        return request

    def _send_again(self, response: requests.Response, **options: Any) -> requests.Response:  # noqa: ANN401 - of `send`
        # After a redirect to another host the header is gone, and that host must not get a token
        sent = response.request.headers.get(HEADER, "").removeprefix(SCHEME)
        token = self.refresh(sent) if sent and is_refusal(response.status_code, response.content) else ""
        if not token:
            return response
        request = response.request.copy()
        request.headers.update(bearer(token))
        response.close()
        began = time.perf_counter()
        answer = response.connection.send(request, **options)
        answer.elapsed = timedelta(seconds=time.perf_counter() - began)
        answer.request = request
        answer.history.append(response)
        return answer


class KeyFile(Token):
    """The token in a server's key file, read at the first request and again when the server refuses it.

    When the token in the file has expired, one of the threads and processes that use it gets a new one, and the others
    wait for it.
    """

    def __init__(self, path: Path | str, kind: Kind = "inference", management: str | None = None) -> None:
        """Name a key file; nothing is read.

        Args:
            path: of the file. While there is no file, no token is sent: the server needs none, or does not run.
            kind: of token.
            management: address of the management API, which gives new tokens; by default that of `management_url`.
        """
        super().__init__("")
        self.path = Path(path)
        self.kind = kind
        self.management = management or management_url()
        self._lock = threading.Lock()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Take a lock of this process's own."""
        self._lock = threading.Lock()

    def current(self) -> str:
        """Return the token as it was last read, or "" while there is no file."""
        self._token = self._token or self._read().get(self.kind, {}).get("key", "")
        return self._token

    def refresh(self, refused: str) -> str:
        """Return the file's token in place of a refused one; an expired token is renewed first."""
        with self._lock:
            if self._token != refused:  # another thread has refreshed it
                return self._token
            with self._locked():
                keys = self._read()
                mine = keys.get(self.kind, {})
                if is_expired(mine) and self._renew(keys):
                    mine = self._read().get(self.kind, {})
                self._token = mine.get("key", "")
            return "" if self._token == refused else self._token

    def _renew(self, keys: Mapping[str, Any]) -> bool:
        """Have the server write a new token of this kind into the file, and return whether it did."""
        with requests.Session() as session:
            session.trust_env = False  # a proxy of the environment would see the key
            session.auth = Token(keys.get(API, {}).get("key", ""))
            try:
                return session.get(
                    f"{self.management}/token", params={"type": self.kind}, timeout=TIMEOUT_S, allow_redirects=False
                ).ok
            except requests.RequestException:
                return False

    def _read(self) -> Mapping[str, Any]:
        """Return the keys in the file, by kind; none if there is no file.

        Raises:
            KeyFileError: it cannot be read, or has no keys.
        """
        deadline = time.monotonic() + WRITING_S
        while True:
            try:
                keys = json.loads(self.path.read_text())
                if isinstance(keys, dict) and all(isinstance(key, dict) for key in keys.values()):
                    return keys
            except FileNotFoundError:
                return {}
            except OSError as err:
                raise KeyFileError(f"the key file {self.path} cannot be read: {err.strerror}") from None
            except ValueError:
                pass  # perhaps half written; the error itself would show the content
            if time.monotonic() > deadline:
                raise KeyFileError(f"{self.path} is no key file; wanted one that TorchServe wrote")
            time.sleep(POLL_S)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time read and renew."""
        import fcntl  # noqa: PLC0415 - not on Windows, where a client may still use a Token

        try:
            file = self.path.open("rb")
        except OSError:  # missing or not readable: `_read` says so
            yield
            return
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def is_expired(key: Mapping[str, Any]) -> bool:
    """Return whether a key has expired; one without a time never does.

    A token that is refused before it expires is for another server. A new one would be refused, too, and would make
    the old one useless for its users.
    """
    try:
        return datetime.fromisoformat(str(key.get("expiration time"))) <= datetime.now(UTC)
    except (ValueError, TypeError):  # no time, or one without a time zone
        return False


def is_refusal(status: int, body: bytes | None) -> bool:
    """Return whether an answer says that the token is missing, wrong or expired."""
    return status == requests.codes.bad_request and REFUSAL in (body or b"")


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries a token; none for ""."""
    return {HEADER: SCHEME + token} if token else {}


def inference_token(environment: Mapping[str, str] = os.environ) -> Token:
    """Return the token for predictions: that in INKSERVE_TOKEN, or in the file that INKSERVE_KEY_FILE names."""
    if token := environment.get(TOKEN_VARIABLE):
        return Token(token)
    path = environment.get(KEY_FILE_VARIABLE)
    return KeyFile(path) if path else Token("")


def management_token(url: str, environment: Mapping[str, str] = os.environ) -> Token:
    """Return the token for the management API at an address: that in the file that INKSERVE_KEY_FILE names."""
    path = environment.get(KEY_FILE_VARIABLE)
    return KeyFile(path, "management", url) if path else Token("")
