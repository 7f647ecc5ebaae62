"""The export formats. To add one: a module with a writer and `open_file`, and an entry in FORMATS."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

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
        module: in this package, with the writer and `open_file`.
        writing: packages needed to write it.
        reading: packages needed to read it.
        writer: name of the module's function that writes it.
        exact: whether its output must equal that of torch; otherwise the agreement is only reported.
        install: how to install what writing needs.
    """

    name: str
    title: str
    file: str
    module: str
    writing: tuple[str, ...]
    reading: tuple[str, ...]
    writer: str = "write"
    exact: bool = True
    install: str = INSTALL

    def write(self, source: Source, path: Path) -> None:
        """Write a recogniser.

        Raises:
            AbsentError: a package or the data that it needs is missing.
            ExportError: the exporter failed.
        """
        module = self.load(self.writing)
        try:
            with _known_warnings_ignored():
                getattr(module, self.writer)(source, path)
        except ExportError:
            raise
        except Exception as err:  # exporters raise errors of all types
            raise ExportError(f"the exporter failed: {type(err).__name__}: {err}") from err

    def open(self, path: Path) -> Predictor:
        """Open a file that `write` wrote.

        Raises:
            AbsentError: a package that it needs is missing.
            ExportError: the runtime refuses the file.
        """
        module = self.load(self.reading)
        try:
            with _known_warnings_ignored():
                return module.open_file(path)
        except Exception as err:  # runtimes raise errors of all types
            raise ExportError(f"{path} cannot be opened: {type(err).__name__}: {err}") from err

    def load(self, packages: tuple[str, ...]) -> ModuleType:
        """Import the format's module, which imports the packages.

        Raises:
            AbsentError: one is not installed, or cannot be imported.
        """
        if missing := missing_of(packages):
            raise AbsentError(f"{missing} not installed; {self.install}")
        try:
            with _known_warnings_ignored():
                return import_module(f"training.export.{self.module}")
        except ImportError as err:
            raise AbsentError(f"cannot be imported: {err}") from err

    def why_absent(self) -> str:
        """Say which packages are missing to write it, or "" if none is."""
        missing = missing_of(self.writing)
        return f"{missing} not installed; {self.install}" if missing else ""


def missing_of(packages: tuple[str, ...]) -> str:
    """Name the packages that are not installed, or "" if all are."""
    return " and ".join(package for package in packages if find_spec(package) is None)


@contextmanager
def _known_warnings_ignored() -> Iterator[None]:
    with warnings.catch_warnings():
        for message, category in KNOWN_WARNINGS:
            warnings.filterwarnings("ignore", message, category)
        yield


ONNX_WRITING, ONNX_READING = ("onnx", "onnxscript", "onnxruntime"), ("onnx", "onnxruntime")
FORMATS = {
    each.name: each
    for each in (
        Format("torchscript", "TorchScript", "model.pt", "torchscript", (), ()),
        Format("onnx", "ONNX", "model.onnx", "onnx", ONNX_WRITING, ONNX_READING),
        Format(
            "int8",
            "ONNX, int8",
            "model-int8.onnx",
            "onnx",
            ONNX_WRITING,
            ONNX_READING,
            writer="write_int8",
            exact=False,
        ),
        Format("executorch", "ExecuTorch, XNNPACK", "model.pte", "executorch", ("executorch",), ("executorch",)),
        Format(
            "litert", "LiteRT", "model.tflite", "litert", ("litert_torch",), ("ai_edge_litert",), install=INSTALL_APART
        ),
    )
}
