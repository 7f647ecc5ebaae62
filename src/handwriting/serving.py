"""The handler base: TorchServe's batch in, one answer for each request out, whatever else is in the batch."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ts.context import Context

from handwriting.checkpoint import load_checkpoint
from handwriting.errors import InternalError, RequestError
from handwriting.networks import Network
from handwriting.preprocess import FORMS, FRAME_PX, normal_form
from handwriting.query import Query, read_query

logger = logging.getLogger(__name__)

Inputs = Mapping[str, object]


class RecogniserHandler:
    """Serves the recogniser whose weights are in the archive; a subclass names it.

    Attributes:
        model: name of the recogniser, as in its checkpoint.
        version: MAJOR.MINOR of the archive.
        network: in evaluation mode, on the CPU.
    """

    model: str
    version: str
    network: Network

    def initialize(self, context: Context) -> None:
        """Load the archive's weights. Any failure here stops the worker, so a broken archive never serves.

        Raises:
            RuntimeError: the archive holds the weights of another recogniser, or of an unknown normal form.
        """
        manifest = context.manifest["model"]
        options = (context.model_yaml_config or {}).get("handler", {})
        torch.set_num_threads(int(options.get("threads", 1)))
        self.version = manifest["modelVersion"]
        self.network = load_checkpoint(Path(context.system_properties["model_dir"]) / manifest["serializedFile"])
        config = self.network.config
        if config.model != self.model or config.normal_form not in FORMS:
            raise RuntimeError(
                f"the archive of {self.model} holds the weights of {config.model} for {config.normal_form} frames"
            )
        # The first pass is slow; no client waits for it
        self.inference(np.zeros((1, 1, FRAME_PX, FRAME_PX), np.float32))

    def handle(self, data: Sequence[Inputs], context: Context) -> list[str]:
        """Answer a batch of requests, in order; a bad one gets its own status and changes no other."""
        start = time.perf_counter()
        queries, frames, rejected = self.preprocess(data, context)
        answers = iter(self.postprocess(self.inference(frames), queries))
        results = [reject(context, i, rejected[i]) if i in rejected else next(answers) for i in range(len(data))]
        for i in range(len(data)):
            context.set_response_content_type(i, "application/json")
        context.metrics.add_time("HandlerTime", (time.perf_counter() - start) * 1000)
        return results

    def preprocess(
        self, data: Sequence[Inputs], context: Context
    ) -> tuple[list[Query], np.ndarray, dict[int, RequestError]]:
        """Bring the pictures of a batch into the network's normal form.

        Returns:
            the n good requests; their (n, 1, 28, 28) float32 frames, n may be 0; what is wrong with the rest, by index.
        """
        queries: list[Query] = []
        frames: list[np.ndarray] = []
        rejected: dict[int, RequestError] = {}
        for i, inputs in enumerate(data):
            try:
                query = read_query(inputs, context.get_all_request_header(i), len(self.network.config.labels))
                frames.append(normal_form(query.picture, self.network.config.normal_form))
                queries.append(query)
            except RequestError as err:
                rejected[i] = err
            except Exception as err:  # a fault of ours must not take the rest of the batch with it
                logger.exception("preprocessing failed")
                rejected[i] = InternalError(f"preprocessing failed: {type(err).__name__}")
        return queries, np.asarray(frames, np.float32).reshape(-1, 1, FRAME_PX, FRAME_PX), rejected

    @torch.inference_mode()
    def inference(self, frames: np.ndarray) -> np.ndarray:
        """Score (n, 1, 28, 28) float32 frames: (n, labels) float32 probabilities."""
        if not len(frames):
            return np.empty((0, len(self.network.config.labels)), np.float32)
        return self.network(torch.from_numpy(frames)).softmax(dim=1).numpy()

    def postprocess(self, probabilities: np.ndarray, queries: Sequence[Query]) -> list[str]:
        """Write one JSON answer for each row of probabilities."""
        return [json.dumps(self.answer(row, query.top_k)) for row, query in zip(probabilities, queries, strict=True)]

    def answer(self, probabilities: np.ndarray, top_k: int) -> dict[str, Any]:
        """Describe one prediction as the API documents it."""
        order = np.argsort(-probabilities, kind="stable")[:top_k]
        labels = self.network.config.labels
        # The digits that float32 has: rounded, the surest answers would claim 1
        top = [{"label": labels[i], "probability": float(str(probabilities[i]))} for i in order]
        return {
            "label": top[0]["label"],
            "confidence": top[0]["probability"],
            "top": top,
            "model": self.model,
            "version": self.version,
        }


def reject(context: Context, index: int, error: RequestError) -> str:
    """Set the status of one request of the batch and return its answer, in the shape of TorchServe's own errors."""
    context.set_response_status(code=error.status, phrase=HTTPStatus(error.status).phrase, idx=index)
    return json.dumps({"code": error.status, "type": error.kind, "message": str(error)})
