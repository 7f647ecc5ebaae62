"""The recogniser behind mosec: `python -m measuring.speed.apps.mosec_app --port 9000`."""

from mosec import Server, Worker

from measuring.speed.apps.peer_recogniser import BATCH_SIZE, DELAY_MS, WORKERS, Recogniser


class Reader(Worker):
    """Reads a batch; bytes in, bytes out."""

    def __init__(self) -> None:
        self.recogniser = Recogniser()

    def deserialize(self, data: bytes) -> bytes:
        """Pass the bytes on."""
        return data

    def serialize(self, data: bytes) -> bytes:
        """Pass the answer on."""
        return data

    def forward(self, data: list[bytes]) -> list[bytes]:
        """Read a batch."""
        return self.recogniser.read(data)


if __name__ == "__main__":
    server = Server()
    server.append_worker(Reader, num=WORKERS, max_batch_size=BATCH_SIZE, max_wait_time=DELAY_MS)
    server.run()
