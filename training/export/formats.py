"""The export formats. To add one: a module with `write_<name>` and `open_<name>`, and an entry in FORMATS."""

import warnings
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from training.export.source import AbsentError, ExportError, Predictor, Source

INSTALL = "python -m deploy.install export mobile"
INSTALL_APART = "pip install litert-torch, in its own environment: its requirements conflict with ours"
KNOWN_WARNINGS = [  # of exporters about themselves; nothing here can act on them
    # TorchScript is deprecated in favour of torch.export; the results page tells readers
    (r"`torch\.jit\.", DeprecationWarning),
    # torch.export copies its own deprecated class
    (r".*LeafSpec.* is deprecated", FutureWarning),
    # ExecuTorch reads its tables with a deprecated function, and calls the Python interface of its runtime experimental
    (r"(open_text|read_text|read_binary) is deprecated", DeprecationWarning),
    (r"This API is experimental", Warning),
]


@dataclass(frozen=True)
class Format:
    """An export format.

    Attributes:
        name: on the command line.
        title: in tables.
        file: name of the file in the folder of a version.
        module: in this package, with the functions `write_<name>` and `open_<name>`.
        writing: packages needed to write it.
        reading: packages needed to read it.
        exact: whether its output must equal that of torch; otherwise the agreement is only reported.
        install: how to install what writing needs.
    """

    name: str
    title: str
    file: str
    module: str
    writing: tuple[str, ...] = ()
    reading: tuple[str, ...] = ()
    exact: bool = True
    install: str = INSTALL

    def write(self, source: Source, path: Path) -> None:
        """Write a recogniser.

        Raises:
            AbsentError: a package or the data that it needs is missing.
            ExportError: the exporter failed.
        """
        self._call("write", self.writing, "the exporter failed", source, path)

    def open(self, path: Path) -> Predictor:
        """Open a file that `write` wrote.

        Raises:
            AbsentError: a package that it needs is missing.
            ExportError: the runtime refuses the file.
        """
        return self._call("open", self.reading, f"{path} cannot be opened", path)

    def why_absent(self, packages: tuple[str, ...]) -> str:
        """Say which of the packages are not installed, or "" if all are."""
        missing = " and ".join(package for package in packages if find_spec(package) is None)
        return f"{missing} not installed; {self.install}" if missing else ""

    def _call(self, function: str, packages: tuple[str, ...], failure: str, *arguments: object) -> Any:  # noqa: ANN401
        if reason := self.why_absent(packages):
            raise AbsentError(reason)
        try:
            with warnings.catch_warnings():
                for message, category in KNOWN_WARNINGS:
                    warnings.filterwarnings("ignore", message, category)
                module = import_module(f"training.export.{self.module}")
                return getattr(module, f"{function}_{self.name}")(*arguments)
        except ImportError as err:
            raise AbsentError(f"cannot be imported: {err}") from err
        except ExportError:
            raise
        except Exception as err:  # exporters and runtimes raise errors of all types
            raise ExportError(f"{failure}: {type(err).__name__}: {err}") from err


ONNX_WRITING, ONNX_READING = ("onnx", "onnxscript", "onnxruntime"), ("onnx", "onnxruntime")
FORMATS = {
    each.name: each
    for each in (
        Format("torchscript", "TorchScript", "model.pt", "torchscript"),
        Format("onnx", "ONNX", "model.onnx", "onnx", ONNX_WRITING, ONNX_READING),
        Format("int8", "ONNX, int8", "model-int8.onnx", "onnx", ONNX_WRITING, ONNX_READING, exact=False),
        Format("executorch", "ExecuTorch, XNNPACK", "model.pte", "mobile", ("executorch",), ("executorch",)),
        Format(
            "litert", "LiteRT", "model.tflite", "mobile", ("litert_torch",), ("ai_edge_litert",), install=INSTALL_APART
        ),
    )
}
