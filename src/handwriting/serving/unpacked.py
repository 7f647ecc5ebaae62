"""An unpacked archive in a process of its own, without TorchServe's front end: for functions and for work in bulk."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ts.model_loader import ModelLoaderFactory
from ts.service import Service

from handwriting.serving.messages import FormPart, make_request, retrieve

Answer = tuple[int, bytes]  # HTTP status, and the body


class Archive:
    """An unpacked archive with its handler, as TorchServe's worker loads it."""

    def __init__(self, folder: Path) -> None:
        """Load the archive.

        Args:
            folder: of the unpacked archive; it is on `sys.path`, as this module came from it.
        """
        manifest = json.loads((folder / "MAR-INF" / "MANIFEST.json").read_text())["model"]
        self.model, self.version = str(manifest["modelName"]), str(manifest["modelVersion"])
        metrics = SimpleNamespace(set_request_ids=lambda _: None)
        loader = ModelLoaderFactory.get_model_loader()
        self.service: Service = loader.load(
            self.model, str(folder), manifest["handler"], batch_size=1, metrics_cache=metrics
        )

    def answer(self, id_: str, headers: Mapping[str, str], parts: Iterable[FormPart]) -> Answer:
        """Answer one request as a worker does."""
        context = self.service.context
        processors, inputs, ids = retrieve([make_request(id_, headers.items(), parts)])
        context.request_ids, context.request_processor = ids, processors
        [body] = self.service._entry_point(inputs, context)
        status, _ = context.get_response_status(0)
        return status, body

    def read(self, pictures: Sequence[bytes]) -> list[dict[str, Any]]:
        """Read pictures as one request of many; each answer is as in docs/api.md, with an `error` where it failed."""
        _, body = self.answer("read", {}, ((str(i), "", each) for i, each in enumerate(pictures)))
        document: dict[str, Any] = json.loads(body)
        answers: list[dict[str, Any]] = document.get("predictions", [document])
        return answers
