"""The handler of recognisers that read pages: a picture holds many characters."""

import time
from typing import Any

import numpy as np

from handwriting.errors import InvalidRequest, RequestError
from handwriting.pages import Character, Layout, find_layout, read_layout
from handwriting.pages.page_ink import find_page_ink
from handwriting.preprocess import FORMS, Picture, check_cut
from handwriting.preprocess.decode_limits import MAX_PAGES
from handwriting.preprocess.frame import ink_box
from handwriting.preprocess.page_files import PageFile
from handwriting.serving.batch import PreparedPicture
from handwriting.serving.handler import RecogniserHandler, time_limit_error


class PageHandler(RecogniserHandler):
    """Finds lines and characters in a picture, and reads them as text."""

    explains = False
    max_side_px = 2560  # characters on a page are small
    picture_s = 0.5  # most pages take a tenth of it

    def prepare_file(self, file: PageFile, latest_s: float) -> list[PreparedPicture | RequestError]:
        """Prepare every page of a file for which there is time; further ones than are read get an error together.

        Raises:
            RequestError: the only page cannot be read.
        """
        if file.count == 1 or file.is_animation:
            return super().prepare_file(file, latest_s)
        pages: list[PreparedPicture | RequestError] = []
        for i, page in enumerate(file.pages):
            if i and time.perf_counter() > latest_s:
                pages += [time_limit_error(i, "pages")] * (min(file.count, MAX_PAGES) - i)
                break
            pages.append(self.prepare_page(page))
        if file.count > MAX_PAGES:
            pages.append(InvalidRequest(f"not read: the file has {file.count:,} pages; at most {MAX_PAGES}: split it"))
        return pages

    def prepare_page(self, page: Picture | RequestError) -> PreparedPicture | RequestError:
        """Prepare one page of several, or return its error."""
        try:
            return page if isinstance(page, RequestError) else self.prepare(page)
        except RequestError as err:
            return err

    def prepare(self, picture: Picture) -> PreparedPicture:
        """Find all possible characters on a page.

        Raises:
            InvalidImage: the page shows none.
        """
        form = FORMS[self.network.config.normal_form]
        ink = find_page_ink(picture.grey)
        if picture.is_cut:
            check_cut(picture, ink_box(ink))
        return PreparedPicture(*find_layout(ink, form, picture.reduction), notes=picture.notes)

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
        notes = {"notes": picture.notes} if picture.notes else {}
        return {"text": text, "lines": lines, "model": self.model, "version": self.version} | notes

    def describe(self, character: Character, layout: Layout, top_k: int) -> dict[str, Any]:
        """Describe a character of a page."""
        ranking = self.ranking(character.probabilities, top_k)
        ranking["label"] = ranking["top"][0]["label"] = character.label  # upper or lower case, as its line suggests
        box = character.group.box
        edges = [box.left, box.top, box.width, box.height]
        return ranking | {"box": [round(edge * layout.reduction) for edge in edges]}
