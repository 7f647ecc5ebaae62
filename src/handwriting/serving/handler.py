"""The base of all handlers: takes a batch from TorchServe and answers each request on its own.

An invalid request gets its own status and error, and the other requests of its batch are answered as usual.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ts.context import Context

from handwriting.checkpoint import load_checkpoint
from handwriting.errors import InternalError, InvalidImage, InvalidRequest, NotRead, Overloaded, RequestError
from handwriting.networks import Network
from handwriting.parsing import Part, open_part, parse_request
from handwriting.preprocess import FORMS, FRAME_PX, MAX_SIDE_PX, Picture, find_character
from handwriting.preprocess.formats import is_read_apart
from handwriting.preprocess.ink_network import VIEW_PX, look_at_all
from handwriting.preprocess.page_files import PageFile
from handwriting.preprocess.readings import CLEAREST, INSIDE
from handwriting.serving.batch import BatchScores, PreparedPicture, PreparedRequest
from handwriting.serving.explanation import explain
from handwriting.serving.infer import InferBatch
from handwriting.serving.memory import MemoryTrimmer
from handwriting.serving.messages import replace_reading
from handwriting.serving.request_log import RequestLog
from handwriting.serving.responses import list_answer, reject, to_json
from handwriting.serving.runtime import RUNTIMES, Score, make_runtime, softmax, use_threads
from handwriting.serving.worker import silence_batch_logs
from handwriting.serving.worker_metrics import Times, WorkerMetrics

logger = logging.getLogger(__name__)

# TorchServe kills a worker that has not answered its batch after 30 s, hence these limits
REQUEST_S = 2.0  # a request may take this long, and picture_s more for each of its pictures
MAX_BATCH_S = 10.0  # after this time only the first picture of each further request is read
FULL_BATCH_S = 20.0  # after this time the remaining requests of the batch are refused
MAX_ANSWER_BYTES = 16 * 2**20  # max_response_size in config.properties is larger; TorchServe drops longer answers
APART_S = 1.0  # more for each picture that is decoded in a process of its own
FIRST_PAGE = "page 1 of {count} was read; `reader` reads every page"
LATER_PAGE = "page {number} of {count} was read, the first that shows a character; `reader` reads every page"
LAST_FRAME = "the last of {count} frames was read, as the first shows no character"
MEANT = {  # where a reading of other ink than all of it counted
    INSIDE: "the character was read as an outline",
    CLEAREST: "strokes that may not belong to the character were left out",
}
HEAT = 10  # by which doubt about the ink tempers a reading; `make evaluate ARGS=--papers` shows what it does
# Power of the confidence with which readings count, by what the second is of: with more, a part of a mark, such as the
# line of an exclamation mark, is surely read as a character
SURER = {INSIDE: 4, CLEAREST: 1}
MAX_FRAMES = 256  # frames scored in one pass; larger passes take more memory and are not faster


class RecogniserHandler:
    """Serves the recogniser whose weights are in the archive. A subclass names the recogniser.

    Attributes:
        model: name of the recogniser.
        weights_of: name of the recogniser that the weights were trained for, if it is another one.
        explains: whether it answers at /explanations.
        max_side_px: larger pictures are halved until their longest side is not larger.
        picture_s: time limit of a request for each of its pictures; most take a tenth of it.
        version: MAJOR.MINOR of the archive.
        network: in evaluation mode, on the CPU.
        score: the network in the runtime that the config names; for inference only.
        card: the model card as JSON: training data, accuracy and size.
        metrics: counters and histograms of its batches.
        request_log: log of failed requests.
        memory: returns unused memory to the system.
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
    metrics: WorkerMetrics
    request_log: RequestLog
    memory: MemoryTrimmer

    def initialize(self, context: Context) -> None:
        """Load the archive's weights. An exception here stops the worker, so a broken archive serves nothing.

        Raises:
            RuntimeError: the weights are of another recogniser or of an unknown normal form.
        """
        replace_reading()
        manifest = context.manifest["model"]
        options = (context.model_yaml_config or {}).get("handler", {})
        use_threads(int(options.get("threads", 1)))
        self.version = manifest["modelVersion"]
        weights = Path(context.system_properties["model_dir"]) / manifest["serializedFile"]
        self.network = load_checkpoint(weights)
        config = self.network.config
        if config.model != (self.weights_of or self.model) or config.normal_form not in FORMS:
            raise RuntimeError(
                f"the archive of {self.model} holds the weights of {config.model} for {config.normal_form} frames"
            )
        self.card = weights.with_suffix(".json").read_text()
        self.metrics = WorkerMetrics(self.model, self.version)
        self.request_log = RequestLog(self.model, self.version)
        silence_batch_logs(context)
        self.score = make_runtime(self.network, options.get("runtime", RUNTIMES[0]), weights.with_suffix(".onnx"))
        self.inference(np.zeros((1, FRAME_PX, FRAME_PX), np.float32))  # the first pass of each network is slow
        look_at_all(np.zeros((1, VIEW_PX, VIEW_PX), np.float32))
        self.memory = MemoryTrimmer()

    def handle(self, data: Sequence[Mapping[str, object]], context: Context) -> list[bytes]:
        """Answer a batch of requests in order."""
        # The management API asks for the card with this header and no body; a client's request has a body
        if len(data) == 1 and not data[0] and context.get_request_header(0, "describe") == "True":
            return [self.card.encode()]
        started = time.perf_counter()
        try:
            return self.answer_batch(data, context, started)
        except Exception as err:
            self.request_log.log_lost_batch(len(data), context, time.perf_counter() - started, err)
            raise
        finally:
            self.memory.after_batch()

    def answer_batch(self, data: Sequence[Mapping[str, object]], context: Context, started: float) -> list[bytes]:
        """Preprocess, score and answer a batch that arrived at `started` (s)."""
        infer = InferBatch(data, context)
        requests = self.preprocess(infer.inputs, context, started)
        valid = [request for request in requests if isinstance(request, PreparedRequest)]
        frames = [picture.frames for request in valid for picture in request.valid_pictures()]
        prepared = time.perf_counter()
        probabilities = self.inference(np.concatenate([np.empty((0, FRAME_PX, FRAME_PX), np.float32), *frames]))
        scored = time.perf_counter()
        answers = infer.answers(self.postprocess(requests, probabilities, context))
        for i in range(len(data)):
            context.set_response_content_type(i, "application/json")
        times = Times(started, prepared, scored, time.perf_counter())
        for i, request in enumerate(requests):
            if isinstance(request, PreparedRequest) and request.parsed.timing:
                context.set_response_header(i, "Server-Timing", times.header())
        self.metrics.record(requests, times)
        self.request_log.log_failures(requests, context, times.answered - times.started)
        return answers

    def preprocess(
        self, data: Sequence[Mapping[str, object] | RequestError], context: Context, started_s: float = float("inf")
    ) -> list[PreparedRequest | RequestError]:
        """Prepare the pictures of a batch that arrived at `started_s`. An invalid request is replaced by its error."""
        requests: list[PreparedRequest | RequestError] = []
        for i, inputs in enumerate(data):
            try:
                if time.perf_counter() > started_s + FULL_BATCH_S:
                    raise Overloaded(f"the {i} requests before it in its batch took long; try again later")
                if isinstance(inputs, RequestError):
                    raise inputs
                requests.append(self.read(inputs, context.get_all_request_header(i), started_s + MAX_BATCH_S))
            except RequestError as err:
                requests.append(err)
            except Exception as err:  # a bug must not fail the other requests of the batch
                requests.append(internal_error(err))
        return requests

    def read(
        self, inputs: Mapping[str, object], headers: Mapping[str, object], latest_s: float = float("inf")
    ) -> PreparedRequest:
        """Parse a request and prepare its pictures: the first, and then as many as there is time for.

        Raises:
            RequestError: the request as a whole is invalid.
        """
        parsed = parse_request(inputs, headers, len(self.network.config.labels))
        is_explained = headers.get("explain") == "True"  # TorchServe adds this header at /explanations
        if is_explained and not self.explains:
            raise InvalidRequest(f"{self.model} gives no explanations")
        if is_explained and parsed.is_list:
            raise InvalidRequest("the request has a list of pictures; an explanation is of one")
        extra_s = APART_S * sum(isinstance(part, bytes) and is_read_apart(part) for part in parsed.parts)
        deadline_s = min(latest_s, time.perf_counter() + REQUEST_S + self.picture_s * len(parsed.parts) + extra_s)
        pages: list[list[PreparedPicture | RequestError]] = []  # of each part
        for i, part in enumerate(parsed.parts):
            in_time = i == 0 or time.perf_counter() < deadline_s
            pages.append(self.prepare_part(part, latest_s) if in_time else [time_limit_error(i)])
        pictures = [picture for each in pages for picture in each]
        if len(pictures) > len(parsed.parts):
            parsed = parsed._replace(is_list=True)
        if not parsed.is_list:
            if isinstance(pictures[0], RequestError):
                raise pictures[0]
            return PreparedRequest(parsed, pictures, is_explained)
        return PreparedRequest(parsed, pictures, is_explained, list_names(parsed.names, [len(each) for each in pages]))

    def prepare_part(self, part: Part, latest_s: float) -> list[PreparedPicture | RequestError]:
        """Prepare one picture of a request, or the pages of one file, or return the error.

        Args:
            part: of the request.
            latest_s: after this time, no further page is begun.
        """
        try:
            with open_part(part, self.max_side_px) as file:
                return self.prepare_file(file, latest_s)
        except RequestError as err:
            return [err]
        except Exception as err:  # a bug must not fail the other pictures of the request
            return [internal_error(err)]

    def prepare_file(self, file: PageFile, latest_s: float) -> list[PreparedPicture | RequestError]:
        """Prepare the first page of a file that shows a character.

        Raises:
            RequestError: none does; the error of the first page.
        """
        failure: RequestError | None = None
        for number, page in enumerate(file.pages, start=1):
            try:
                if isinstance(page, RequestError):
                    raise page
                return [with_page_note(self.prepare(page), file, number)]
            except InvalidImage as err:
                failure = failure or err
                if time.perf_counter() > latest_s:
                    break
        raise failure or InvalidImage("the file has no pages")

    def prepare(self, picture: Picture) -> PreparedPicture:
        """Make the frames of a picture of one character: one for each reading of its ink.

        Raises:
            RequestError: the picture shows no character.
        """
        character = find_character(picture, self.network.config.normal_form)
        return PreparedPicture(**character._asdict())

    def inference(self, frames: np.ndarray) -> np.ndarray:
        """Score (n, 28, 28) float32 frames: (n, labels) float32 probabilities."""
        parts = [frames[first : first + MAX_FRAMES] for first in range(0, len(frames), MAX_FRAMES)]
        logits = [np.empty((0, len(self.network.config.labels)), np.float32), *map(self.score, parts)]
        return softmax(np.concatenate(logits))

    def postprocess(
        self, requests: Sequence[PreparedRequest | RequestError], probabilities: np.ndarray, context: Context
    ) -> list[bytes]:
        """Write one JSON answer for each request.

        Args:
            requests: as `preprocess` returns them.
            probabilities: (n, labels) float32, a row for each frame of each picture of each request, in order.
            context: of the batch; takes the status of failed requests.
        """
        scores = BatchScores(probabilities)
        answers = [
            reject(context, i, request) if isinstance(request, RequestError) else self.respond(request, scores)
            for i, request in enumerate(requests)
        ]
        return [
            answer if len(answer) <= MAX_ANSWER_BYTES else reject(context, i, answer_length_error(len(answer)))
            for i, answer in enumerate(answers)
        ]

    def respond(self, request: PreparedRequest, scores: BatchScores) -> bytes:
        """Write the JSON answer to one request; its rows are the next of `scores`."""
        if request.is_explained and isinstance(picture := request.pictures[0], PreparedPicture):
            explanation = self.explanation(scores.take(picture), picture)
            return to_json(with_notes(explanation, request.parsed.notes))
        answers = [
            each if isinstance(each, RequestError) else self.answer(scores.take(each), each, request.parsed.top_k)
            for each in request.pictures
        ]
        if request.parsed.is_list:
            return to_json(list_answer(answers, request.names, request.parsed.left_out, request.parsed.notes))
        return to_json(with_notes(answers[0], request.parsed.notes))

    def answer(self, probabilities: np.ndarray, picture: PreparedPicture, top_k: int) -> dict[str, Any]:
        """Describe the prediction for one picture as the API documents it.

        Args:
            probabilities: (frames, labels) float32, a row for each frame of the picture.
            picture: that the rows belong to.
            top_k: how many labels to list.
        """
        combined = read_as_one(probabilities, picture)
        found = picture.notes
        if (label := combined.argmax()) != probabilities[0].argmax():
            counted = picture.readings[probabilities[:, label].argmax()]
            found = (*found, MEANT[counted]) if counted in MEANT else found
        notes = {"notes": found} if found else {}
        return self.ranking(combined, top_k) | {"model": self.model, "version": self.version} | notes

    def ranking(self, probabilities: np.ndarray, top_k: int) -> dict[str, Any]:
        """List the most probable labels, given (labels,) float32 probabilities."""
        order = (-probabilities).argsort(kind="stable")[:top_k].tolist()
        labels = self.network.config.labels
        top = [{"label": labels[i], "probability": probabilities[i]} for i in order]
        return {"label": top[0]["label"], "confidence": top[0]["probability"], "top": top}

    def explanation(self, probabilities: np.ndarray, picture: PreparedPicture) -> dict[str, Any]:
        """Return the frame that speaks most for the predicted label, and the label's Grad-CAM heatmap on it.

        Args:
            probabilities: (frames, labels) float32, a row for each frame of the picture.
            picture: that the rows belong to.
        """
        ranking = self.ranking(read_as_one(probabilities, picture), 1)
        target = self.network.config.labels.index(ranking["label"])
        frame = picture.frames[probabilities[:, target].argmax()]
        told = {"label": ranking["label"], "confidence": ranking["confidence"]}
        return (
            told
            | {"model": self.model, "version": self.version}
            | {
                "frame": np.round(frame * 255).astype(np.uint8),
                "heatmap": explain(self.network, frame, target),
            }
        )


def read_as_one(readings: np.ndarray, picture: PreparedPicture) -> np.ndarray:
    """Make one reading, (labels,) float32 probabilities, of those of a picture's frames, (n, labels) float32."""
    return doubted(weigh(readings, picture.readings), picture.doubt)


def weigh(readings: np.ndarray, of: Sequence[str]) -> np.ndarray:
    """Combine the readings of one character: the surer a reading is, the more it counts.

    Two that are as sure of different labels leave none that is sure.

    Args:
        readings: (n, labels) float32 probabilities.
        of: n names, as `frames_of` has them.

    Returns:
        (labels,) float32 probabilities.
    """
    if len(readings) == 1:
        return np.asarray(readings[0])
    shares = readings.max(axis=1) ** SURER[of[-1]]
    return np.asarray((shares / shares.sum()) @ readings)


def doubted(probabilities: np.ndarray, doubt: float) -> np.ndarray:
    """Make a reading less sure where it is unsure which ink is the character's; the order of the labels stays.

    The network that reads takes a frame for what is written; the one that finds the ink knows better. A temperature
    (Guo et al., On Calibration of Modern Neural Networks, 2017) that grows with its doubt.

    Args:
        probabilities: (labels,) float32.
        doubt: as `Ink` has it.

    Returns:
        (labels,) float32 probabilities.
    """
    if not doubt:
        return probabilities
    tempered = probabilities ** (1 / (1 + HEAT * doubt**2))
    return np.asarray(tempered / tempered.sum())


def list_names(names: Sequence[str] | None, pages: Sequence[int]) -> list[dict[str, object]]:
    """Return what the answer for each picture of a list begins with.

    Args:
        names: of the files, if they have any.
        pages: number of pages of each file.
    """
    files = [{} if names is None else {"name": names[i]} for i in range(len(pages))]
    return [
        file | ({"page": number} if count > 1 else {})
        for file, count in zip(files, pages, strict=True)
        for number in range(1, count + 1)
    ]


def with_notes(answer: Mapping[str, Any] | RequestError, notes: Sequence[str]) -> object:
    """Add notes on the request to the answer for its only picture."""
    if not notes or isinstance(answer, RequestError):
        return answer
    return {**answer, "notes": [*answer.get("notes", ()), *notes]}


def with_page_note(picture: PreparedPicture, file: PageFile, number: int) -> PreparedPicture:
    """Add a note on which page of a file of several was read."""
    if file.is_animation:
        note = LAST_FRAME.format(count=file.count) if number > 1 else ""
    elif file.count > 1:
        note = (FIRST_PAGE if number == 1 else LATER_PAGE).format(number=number, count=file.count)
    else:
        note = ""
    return picture._replace(notes=(*picture.notes, note)) if note else picture


def time_limit_error(index: int, what: str = "pictures") -> NotRead:
    """Return the error of a picture that is not read because the request took too long."""
    return NotRead(
        f"not read: the {index:,} {what} before it took all the time that the request has; send fewer at once"
    )


def answer_length_error(size_bytes: int) -> InvalidRequest:
    """Return the error of a request whose answer would be too long."""
    return InvalidRequest(
        f"the answer has {size_bytes:,} bytes; at most {MAX_ANSWER_BYTES:,}: send fewer pictures, or lower top_k"
    )


def internal_error(err: Exception) -> InternalError:
    """Log a bug with its traceback, and return the error that the client gets."""
    logger.error("preprocessing failed", exc_info=err)
    return InternalError(f"preprocessing failed: {type(err).__name__}")
