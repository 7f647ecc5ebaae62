"""`python stub_node.py PORT`: a server with /ready and predictions, which drains on SIGTERM as ours does."""

import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ENDING = threading.Event()
DELAY_S = 2.5  # longer than the balancer needs to notice


class Node(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        pass

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if ENDING.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.reply(503 if ENDING.is_set() else 200, b"{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.01)
        self.reply(200, b'{"label": "7"}')


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = False  # what was read is answered before the end


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(sys.argv[1])), Node)

    def end(*_: object) -> None:
        ENDING.set()
        threading.Timer(DELAY_S, server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    server.serve_forever(poll_interval=0.05)
    server.server_close()
