"""A small emulator of Lambda's runtime API: hands events to the runtime's client one by one, and takes the answers."""

import base64
import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil


class Emulator:
    """Listens on a free port; `invoke` returns what the function answers."""

    def __init__(self):
        self.events, self.answers = queue.Queue(), queue.Queue()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def invoke(self, event: dict, timeout_s: float = 60) -> dict:
        self.events.put(event)
        kind, body = self.answers.get(timeout=timeout_s)
        assert kind == "response", body
        return json.loads(body)

    def close(self) -> None:
        self.events.put(None)
        self.server.shutdown()
        self.server.server_close()

    def _handler(emulator) -> type:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *arguments: object) -> None:
                pass

            def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                event = emulator.events.get()
                if event is None:
                    return self.reply(500)
                return self.reply(
                    200,
                    json.dumps(event).encode(),
                    Lambda_Runtime_Aws_Request_Id="1-2-3",
                    Lambda_Runtime_Deadline_Ms="9999999999999",
                    Lambda_Runtime_Invoked_Function_Arn="arn:aws:lambda:eu-central-1:123456789012:function:inkserve:live",
                    Content_Type="application/json",
                )

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                emulator.answers.put((self.path.rpartition("/")[2], body))
                self.reply(202, b'{"status":"OK"}')

        return Handler


def variables(emulator: Emulator) -> dict[str, str]:
    """What Lambda tells a function of 1769 MB, one processor's worth."""
    return {
        "AWS_LAMBDA_RUNTIME_API": emulator.address,
        "AWS_LAMBDA_FUNCTION_NAME": "inkserve",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        "AWS_LAMBDA_LOG_GROUP_NAME": "",
        "AWS_LAMBDA_LOG_STREAM_NAME": "",
    }


def event(body: bytes, target: str = "/predictions/digits", method: str = "POST", **headers: str) -> dict:
    """As a function URL or API Gateway's HTTP API sends it."""
    path, _, query = target.partition("?")
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        "requestContext": {"http": {"method": method, "path": path}, "requestId": "abc"},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


class Function:
    """A function that takes its events from an emulator."""

    process: psutil.Process
    cold_s: float  # from its start to its first answer

    def __init__(self, emulator: Emulator):
        self.emulator = emulator

    def ask(self, *arguments: object, timeout_s: float = 60, **headers: str) -> tuple[int, dict]:
        answer = self.emulator.invoke(event(*arguments, **headers), timeout_s)
        return answer["statusCode"], json.loads(answer["body"])
