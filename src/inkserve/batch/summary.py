"""The summary of a batch, in a few lines."""

from collections import Counter

from inkserve.client import Prediction, RecogniserError
from inkserve.client.answers import Document, Result

FAILURES_SHOWN = 20


class Summary:
    """Counts results as they come; keeps only the first failures.

    Attributes:
        asked: pictures with a result.
        failed: those of them that were not read, or not every page of them.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.failed = 0
        self._labels: Counter[str] = Counter()
        self._confidence_sum = 0.0
        self._failures: list[str] = []
        self._recogniser = ""
        self._characters = 0  # on pages

    def add(self, name: str, result: Result) -> None:
        """Count the result of a picture."""
        self.asked += 1
        pages = result.pages if isinstance(result, Document) else (result,)
        failures = [each for each in pages if isinstance(each, RecogniserError)]
        for page in pages:
            if isinstance(page, RecogniserError):
                continue
            self._recogniser = f"{page.model} {page.version} "
            if isinstance(page, Prediction):
                self._labels[page.label] += 1
                self._confidence_sum += page.confidence
            else:
                self._characters += len(page.characters)
        if failures:
            self.failed += 1
        if failures and self.failed <= FAILURES_SHOWN:
            self._failures.append(f"  {printable(name)}: {failures[0].type}: {printable(failures[0].message)}")

    def lines(self) -> list[str]:
        """Return the pictures read, how often each label, the mean confidence, and what failed."""
        read = self.asked - self.failed
        lines = [f"{self._recogniser}read {read:,} of {self.asked:,} pictures"]
        if labelled := self._labels.total():
            lines += ["", "label  pictures"]
            lines += [f"{label:<5}  {count:>8,}" for label, count in sorted(self._labels.items())]
            lines += ["", f"mean confidence {self._confidence_sum / labelled:.4f} (n = {labelled:,})"]
        if self._characters:
            lines += ["", f"{self._characters:,} characters"]
        if self.failed:
            lines += ["", f"{self.failed:,} failed:", *self._failures]
            if self.failed > FAILURES_SHOWN:
                lines.append(f"  and {self.failed - FAILURES_SHOWN:,} more")
        return lines


def printable(text: str) -> str:
    """Escape control characters and what a terminal cannot show; names in a ZIP file are untrusted."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
