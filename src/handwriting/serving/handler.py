"""The handler base: TorchServe's batch in, one answer for each request out, whatever else is in the batch."""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ts.context import Context

from handwriting.checkpoint import load_checkpoint
from handwriting.errors import InternalError, InvalidRequest, Overloaded, RequestError
from handwriting.networks import Network
from handwriting.parsing import Part, read_part, read_query
from handwriting.preprocess import FORMS, FRAME_PX, MAX_SIDE_PX, Picture, normal_form
from handwriting.serving.batch import Pages, Prepared, Request
from handwriting.serving.explanation import explain
from handwriting.serving.memory import Memory
from handwriting.serving.request_log import Journal
from handwriting.serving.responses import many_answers, reject, to_json
from handwriting.serving.runtime import RUNTIMES, Score, make_runtime
from handwriting.serving.worker import buffer_socket, keep_repeated_parts, quieten
from handwriting.serving.worker_metrics import Measures, Times

logger = logging.getLogger(__name__)

REQUEST_S = 2.0  # a request's share of a worker, beside picture_s for each of its pictures
MAX_BATCH_S = 10.0  # from when on no request gets more than its first picture read: TorchServe kills a worker after 30
FULL_BATCH_S = 20.0  # from when on no further request of the batch is read
MAX_ANSWER_BYTES = 16 * 2**20  # below max_response_size in config.properties, beyond which the worker would be cut off
MAX_FRAMES = 256  # in one pass: more of them are no faster each, and take memory


class RecogniserHandler:
    """Serves the recogniser whose weights are in the archive; a subclass names it.

    Attributes:
        model: name of the recogniser.
        weights_of: name of the recogniser that its weights were trained for, where that is another.
        explains: whether it answers at /explanations.
        max_side_px: larger pictures are reduced to this.
        picture_s: that a request may take a worker for each picture; a drawing takes half of that.
        version: MAJOR.MINOR of the archive.
        network: in evaluation mode, on the CPU.
        score: the network as the runtime that the config names, for inference alone.
        card: where the weights come from and how well they read, as JSON.
        measures: of its batches.
        journal: of the requests that failed.
        memory: of the worker.
    """

    model: str
    weights_of: str = ""
    explains: bool = True
    max_side_px: int = MAX_SIDE_PX
    picture_s: float = 0.01
    version: str
    network: Network
    score: Score
    card: str
    measures: Measures
    journal: Journal
    memory: Memory

    def initialize(self, context: Context) -> None:
        """Load the archive's weights. Any failure here stops the worker, so a broken archive never serves.

        Raises:
            RuntimeError: the archive holds the weights of another recogniser, or of an unknown normal form.
        """
        keep_repeated_parts()
        manifest = context.manifest["model"]
        options = (context.model_yaml_config or {}).get("handler", {})
        torch.set_num_threads(int(options.get("threads", 1)))
        if options.get("bufferedSocket", True):
            buffer_socket()
        self.version = manifest["modelVersion"]
        weights = Path(context.system_properties["model_dir"]) / manifest["serializedFile"]
        self.network = load_checkpoint(weights)
        config = self.network.config
        if config.model != (self.weights_of or self.model) or config.normal_form not in FORMS:
            raise RuntimeError(
                f"the archive of {self.model} holds the weights of {config.model} for {config.normal_form} frames"
            )
        self.card = weights.with_suffix(".json").read_text()
        self.measures = Measures(self.model, self.version)
        self.journal = Journal(self.model, self.version)
        quieten(context)
        self.score = make_runtime(self.network, options.get("runtime", RUNTIMES[0]))
        self.inference(np.zeros((1, FRAME_PX, FRAME_PX), np.float32))  # the first pass is slow; no client waits for it
        self.memory = Memory()

    def handle(self, data: Sequence[Mapping[str, object]], context: Context) -> list[bytes]:
        """Answer a batch of requests, in order; a bad one gets its own status and changes no other."""
        # It comes alone and empty from the management API; anybody may send a header of that name with a picture
        if len(data) == 1 and not data[0] and context.get_request_header(0, "describe") == "True":
            return [self.card]
        started = time.perf_counter()
        try:
            return self.answer_batch(data, context, started)
        except Exception as err:
            self.journal.record_lost(len(data), context, time.perf_counter() - started, err)
            raise
        finally:
            self.memory.note()

    def answer_batch(self, data: Sequence[Mapping[str, object]], context: Context, started: float) -> list[bytes]:
        """Take a batch, which came at `started` (s), through all stages."""
        requests = self.preprocess(data, context, started)
        frames = [page.frames for request in requests if isinstance(request, Request) for page in request.good()]
        prepared = time.perf_counter()
        probabilities = self.inference(np.concatenate([np.empty((0, FRAME_PX, FRAME_PX), np.float32), *frames]))
        scored = time.perf_counter()
        answers = self.postprocess(requests, probabilities, context)
        for i in range(len(data)):
            context.set_response_content_type(i, "application/json")
        times = Times(started, prepared, scored, time.perf_counter())
        for i, request in enumerate(requests):
            if isinstance(request, Request) and request.query.timing:
                context.set_response_header(i, "Server-Timing", times.header())
        self.measures.record(requests, times)
        self.journal.record(requests, context, times.answered - times.started)
        return answers

    def preprocess(
        self, data: Sequence[Mapping[str, object]], context: Context, started_s: float = float("inf")
    ) -> list[Request | RequestError]:
        """Prepare the pictures of a batch, which came at `started_s`; what is wrong with a request takes its place."""
        requests: list[Request | RequestError] = []
        for i, inputs in enumerate(data):
            try:
                if time.perf_counter() > started_s + FULL_BATCH_S:
                    raise Overloaded(f"the {i} requests before it in its batch took long; try again later")
                requests.append(self.read(inputs, context.get_all_request_header(i), started_s + MAX_BATCH_S))
            except RequestError as err:
                requests.append(err)
            except Exception as err:  # a fault of ours must not take the rest of the batch with it
                requests.append(fault(err))
        return requests

    def read(
        self, inputs: Mapping[str, object], headers: Mapping[str, object], deadline_s: float = float("inf")
    ) -> Request:
        """Read a request and prepare its pictures: after the first, as many as it has time for before the deadline.

        Raises:
            RequestError: what is wrong with it as a whole.
        """
        query = read_query(inputs, headers, len(self.network.config.labels))
        explained = headers.get("explain") == "True"  # TorchServe's mark on what came to /explanations
        if explained and not self.explains:
            raise InvalidRequest(f"{self.model} gives no explanations")
        if explained and query.many:
            raise InvalidRequest("the request has a list of pictures; an explanation is of one")
        deadline_s = min(deadline_s, time.perf_counter() + REQUEST_S + self.picture_s * len(query.parts))
        pages = [
            self.prepare_part(part) if i == 0 or time.perf_counter() < deadline_s else too_late(i)
            for i, part in enumerate(query.parts)
        ]
        if not query.many and isinstance(pages[0], RequestError):
            raise pages[0]
        return Request(query, pages, explained)

    def prepare_part(self, part: Part) -> Prepared | RequestError:
        """Prepare one picture of a request, or say what is wrong with it."""
        try:
            return self.prepare(read_part(part, self.max_side_px))
        except RequestError as err:
            return err
        except Exception as err:  # nor the rest of its request
            return fault(err)

    def prepare(self, picture: Picture) -> Prepared:
        """Find the frames in a picture: here, one of the only character.

        Raises:
            RequestError: there are none.
        """
        return Prepared(normal_form(picture, self.network.config.normal_form)[None])

    @torch.inference_mode()
    def inference(self, frames: np.ndarray) -> np.ndarray:
        """Score (n, 28, 28) float32 frames: (n, labels) float32 probabilities."""
        parts = [self.score(part).softmax(dim=1) for part in torch.from_numpy(frames)[:, None].split(MAX_FRAMES)]
        return torch.cat(parts).numpy() if len(frames) else np.empty((0, len(self.network.config.labels)), np.float32)

    def postprocess(
        self, requests: Sequence[Request | RequestError], probabilities: np.ndarray, context: Context
    ) -> list[bytes]:
        """Write one JSON answer for each request.

        Args:
            requests: as prepared.
            probabilities: (n, labels) float32, a row for each frame of each page of each request, in order.
            context: gets the status of those that are refused.
        """
        pages = Pages(probabilities)
        answers = [
            reject(context, i, request) if isinstance(request, RequestError) else self.respond(request, pages)
            for i, request in enumerate(requests)
        ]
        return [
            answer if len(answer) <= MAX_ANSWER_BYTES else reject(context, i, too_long(len(answer)))
            for i, answer in enumerate(answers)
        ]

    def respond(self, request: Request, pages: Pages) -> bytes:
        """Write the JSON answer to one request, which takes the rows of its frames from `pages`."""
        answers = [
            page if isinstance(page, RequestError) else self.answer(pages.take(page), page, request.query.top_k)
            for page in request.pages
        ]
        if request.query.many:
            return to_json(many_answers(answers, request.query.names))
        if request.explained:
            return to_json(self.explanation(request.pages[0], answers[0]))
        return to_json(answers[0])

    def answer(self, probabilities: np.ndarray, page: Prepared, top_k: int) -> dict[str, Any]:  # noqa: ARG002
        """Describe the prediction for one picture as the API documents it.

        Args:
            probabilities: (frames, labels) float32, a row for each frame of the page.
            page: the picture's.
            top_k: how many labels to list.
        """
        return self.ranking(probabilities[0], top_k) | {"model": self.model, "version": self.version}

    def ranking(self, probabilities: np.ndarray, top_k: int) -> dict[str, Any]:
        """List the most probable labels, given (labels,) float32 probabilities."""
        order = (-probabilities).argsort(kind="stable")[:top_k]
        labels = self.network.config.labels
        top = [{"label": labels[i], "probability": probabilities[i]} for i in order]
        return {"label": top[0]["label"], "confidence": top[0]["probability"], "top": top}

    def explanation(self, page: Prepared, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Say what the network saw, and which of it spoke for the label."""
        target = self.network.config.labels.index(answer["label"])
        return {name: answer[name] for name in ("label", "confidence", "model", "version")} | {
            "frame": np.round(page.frames[0] * 255).astype(np.uint8),
            "heatmap": explain(self.network, page.frames[0], target),
        }


def too_late(index: int) -> InvalidRequest:
    """Return what is said of a picture whose turn comes too late."""
    return InvalidRequest(
        f"not read: the {index:,} pictures before it took all the time that the request has; send fewer at once"
    )


def too_long(size_bytes: int) -> InvalidRequest:
    """Return what is said of a request whose answer would be too long."""
    return InvalidRequest(
        f"the answer has {size_bytes:,} bytes; at most {MAX_ANSWER_BYTES:,}: send fewer pictures, or lower top_k"
    )


def fault(err: Exception) -> InternalError:
    """Log a fault of our own, and return what the client is told of it."""
    logger.error("preprocessing failed", exc_info=err)
    return InternalError(f"preprocessing failed: {type(err).__name__}")
