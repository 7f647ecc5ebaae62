"""The recogniser behind LitServe: `python -m measuring.speed.apps.litserve_app PORT`; pictures are base64 in JSON."""

import base64
import sys

import litserve
from fastapi import Response

from measuring.speed.apps.peer_recogniser import BATCH_SIZE, DELAY_MS, WORKERS, Recogniser


class Reader(litserve.LitAPI):
    """Reads a batch."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Load the network."""
        self.recogniser = Recogniser()

    def decode_request(self, request: dict) -> bytes:
        """Take the picture out of the JSON document."""
        return base64.b64decode(request["b64"])

    def predict(self, pictures: list[bytes]) -> list[bytes]:
        """Read a batch."""
        return self.recogniser.read(pictures)

    def encode_response(self, answer: bytes) -> Response:
        """Send the answer as it is."""
        return Response(answer, media_type="application/json")


if __name__ == "__main__":
    api = Reader(max_batch_size=BATCH_SIZE, batch_timeout=DELAY_MS / 1000, api_path="/inference")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=WORKERS)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
