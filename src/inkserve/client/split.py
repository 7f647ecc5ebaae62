"""Traffic split by weight between versions of one recogniser, as for a canary or an A/B test.

with Split("digits", {"1.0": 9, "1.1": 1}) as digits:
    print(digits.predict("7.png").version)  # 1.1 for a tenth of all pictures
"""

import hashlib
import math
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import Any
from urllib.parse import quote

from inkserve.client.recogniser import Recogniser


class Split(Recogniser):
    """A client of several versions, each of which gets its share of the pictures.

    The sha256 of the picture decides, so another try, or the explanation of an answer, goes to the same version.

    Attributes:
        shares: of all pictures, in [0, 1], by version.
    """

    def __init__(self, model: str, weights: Mapping[str, float], url: str | None = None, **options: Any) -> None:  # noqa: ANN401
        """Name a recogniser and its versions; nothing is sent.

        Args:
            model: such as `digits`.
            weights: of each version, in any unit; a version of weight 0 gets nothing.
            url: of the server.
            options: as those of `Recogniser`.

        Raises:
            ValueError: a weight is no number of 0 or more, or all are 0.
        """
        bad = {version: weight for version, weight in weights.items() if not (math.isfinite(weight) and weight >= 0)}
        total = sum(weights.values())
        if bad or not total:
            raise ValueError(f"weights are {dict(weights)}; wanted numbers of 0 or more, and one above 0")
        super().__init__(model, url, **options)
        self.shares = {version: weight / total for version, weight in weights.items() if weight}
        self._versions = list(self.shares)
        self._ends = list(accumulate(self.shares.values()))

    def version_of(self, content: bytes) -> str:
        """Return the version that an encoded picture goes to."""
        place = int.from_bytes(hashlib.sha256(content).digest()[:8]) / 2**64
        return self._versions[min(bisect_right(self._ends, place), len(self._versions) - 1)]

    def _path_of(self, content: bytes, what: str = "predictions") -> str:
        return f"{super()._path_of(content, what)}/{quote(self.version_of(content), safe='')}"
