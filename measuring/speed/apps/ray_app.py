"""The recogniser behind Ray Serve: `python -m measuring.speed.apps.ray_app PORT`."""

import signal
import sys

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from measuring.speed.apps.peer_recogniser import BATCH_SIZE, DELAY_MS, WORKERS, Recogniser


@serve.deployment(num_replicas=WORKERS, max_ongoing_requests=256, ray_actor_options={"num_cpus": 0.5})
class Reader:
    """Reads batches of a replica's requests."""

    def __init__(self) -> None:
        self.recogniser = Recogniser()

    @serve.batch(max_batch_size=BATCH_SIZE, batch_wait_timeout_s=DELAY_MS / 1000)
    async def read(self, pictures: list[bytes]) -> list[bytes]:
        """Read a batch."""
        return self.recogniser.read(pictures)

    async def __call__(self, request: Request) -> Response:
        """Read one picture in a batch."""
        return Response(await self.read(await request.body()), media_type="application/json")


if __name__ == "__main__":
    ray.init(include_dashboard=False, num_cpus=2, log_to_driver=False, configure_logging=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Reader.bind(), route_prefix="/inference")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    ray.shutdown()
