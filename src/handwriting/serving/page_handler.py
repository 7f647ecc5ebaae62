"""The handler of recognisers that read pages: a picture holds many characters."""

from typing import Any

import numpy as np

from handwriting.pages import Character, Layout, find_layout, read_layout
from handwriting.pages.page_ink import find_page_ink
from handwriting.preprocess import FORMS, Picture
from handwriting.serving.batch import PreparedPicture
from handwriting.serving.handler import RecogniserHandler


class PageHandler(RecogniserHandler):
    """Finds lines and characters in a picture, and reads them as text."""

    explains = False
    max_side_px = 2560  # characters on a page are small
    picture_s = 0.5  # most pages take a tenth of it

    def prepare(self, picture: Picture) -> PreparedPicture:
        """Find all possible characters on a page.

        Raises:
            InvalidImage: the page shows none.
        """
        form = FORMS[self.network.config.normal_form]
        return PreparedPicture(*find_layout(find_page_ink(picture.grey), form, picture.reduction))

    def answer(self, probabilities: np.ndarray, picture: PreparedPicture, top_k: int) -> dict[str, Any]:
        """Describe a page's lines and characters; boxes are in px of the picture that was sent."""
        layout: Layout = picture.layout
        read = read_layout(layout, probabilities, self.network.config.labels)
        lines = [
            {
                "text": line.text,
                "characters": [self.describe(each, layout, top_k) for word in line.words for each in word],
            }
            for line in read
        ]
        text = "\n".join(line.text for line in read)
        return {"text": text, "lines": lines, "model": self.model, "version": self.version}

    def describe(self, character: Character, layout: Layout, top_k: int) -> dict[str, Any]:
        """Describe a character of a page."""
        ranking = self.ranking(character.probabilities, top_k)
        ranking["label"] = ranking["top"][0]["label"] = character.label  # upper or lower case, as its line suggests
        box = character.group.box
        edges = [box.left, box.top, box.width, box.height]
        return ranking | {"box": [round(edge * layout.reduction) for edge in edges]}
