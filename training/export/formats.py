"""The formats that there are. To add one: a module with `write` and `open_reader`, and a line here."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from training.export.errors import AbsentError, ExportError
from training.export.quiet import quiet
from training.export.reader import Reader
from training.export.source import Source

INSTALL = "pip install '.[export,mobile]'"
INSTALL_APART = "pip install litert-torch, in an environment of its own: its requirements do not fit ours"


@dataclass(frozen=True)
class Format:
    """A format of exports.

    Attributes:
        name: of its module in this package, and on the command line.
        title: in tables.
        file: name of the file in the folder of a version.
        writing: packages that it takes to write it.
        reading: packages that it takes to read it.
        exact: whether it must say what torch says; otherwise its agreement is only reported.
        install: how to get what writing takes.
    """

    name: str
    title: str
    file: str
    writing: tuple[str, ...]
    reading: tuple[str, ...]
    exact: bool = True
    install: str = INSTALL

    def write(self, source: Source, path: Path) -> None:
        """Write a recogniser.

        Raises:
            AbsentError: a package or the data that it takes is not there.
            ExportError: the exporter failed.
        """
        module = self.load(self.writing)
        try:
            with quiet():
                module.write(source, path)
        except ExportError:
            raise
        except Exception as err:  # exporters raise what they like
            raise ExportError(f"the exporter failed: {type(err).__name__}: {err}") from err

    def open(self, path: Path) -> Reader:
        """Open a file that `write` wrote.

        Raises:
            AbsentError: a package that it takes is not there.
            ExportError: the runtime refuses the file.
        """
        module = self.load(self.reading)
        try:
            with quiet():
                return module.open_reader(path)
        except Exception as err:  # so do runtimes
            raise ExportError(f"{path} cannot be opened: {type(err).__name__}: {err}") from err

    def load(self, packages: tuple[str, ...]) -> object:
        """Import the format's module, which imports the packages.

        Raises:
            AbsentError: one is not there, or is there and cannot be imported.
        """
        if missing := missing_of(packages):
            raise AbsentError(f"{missing} not installed; {self.install}")
        try:
            with quiet():
                return import_module(f"training.export.{self.name}")
        except ImportError as err:
            raise AbsentError(f"cannot be imported: {err}") from err

    def why_absent(self) -> str:
        """Say which packages are missing to write it, or "" if none is."""
        missing = missing_of(self.writing)
        return f"{missing} not installed; {self.install}" if missing else ""


def missing_of(packages: tuple[str, ...]) -> str:
    """Name the packages that are not installed, or "" if all are."""
    return " and ".join(package for package in packages if find_spec(package) is None)


FORMATS = {
    each.name: each
    for each in (
        Format("torchscript", "TorchScript", "model.pt", (), ()),
        Format("onnx", "ONNX", "model.onnx", ("onnx", "onnxscript", "onnxruntime"), ("onnx", "onnxruntime")),
        Format(
            "int8",
            "ONNX, int8",
            "model-int8.onnx",
            ("onnx", "onnxscript", "onnxruntime"),
            ("onnx", "onnxruntime"),
            exact=False,
        ),
        Format("executorch", "ExecuTorch, XNNPACK", "model.pte", ("executorch",), ("executorch",)),
        Format("litert", "LiteRT", "model.tflite", ("litert_torch",), ("ai_edge_litert",), install=INSTALL_APART),
    )
}
