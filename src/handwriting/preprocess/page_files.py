"""Files of several pages: a PDF, a TIFF, an animation. A file of one picture is a file of one page.

The number of pages is known at once, and each page is decoded when it is asked for.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from PIL import Image

from handwriting.errors import RequestError
from handwriting.preprocess.decode import MAX_SIDE_PX, Picture, from_image, opened, read_frame, read_picture
from handwriting.preprocess.decode_limits import MAX_BLOCKS, MAX_PAGES, TIFF_HEADS, count_blocks, tiff_pages
from handwriting.preprocess.formats import format_apart
from handwriting.sandbox.parent import decoding

MAX_FRAMES = 1000  # of an animation whose last frame is read
MAX_FRAMES_MEGAPIXELS = 100  # of all its frames together
ANIMATED_PNG, PNG_HEADER_BYTES = b"acTL", 4096  # a chunk before the pixels
ANIMATED_WEBP_AT, ANIMATED_WEBP = 20, 0x02  # a bit of the flags


@dataclass(frozen=True, slots=True)
class PageFile:
    """The pages of a file.

    Attributes:
        count: of its pages; `pages` has at most MAX_PAGES of them.
        is_animation: whether its pages are one picture that changes: then `pages` has the first frame and the last.
        pages: decoded one after another; an error in place of each that cannot be read.
    """

    count: int
    is_animation: bool
    pages: Iterator[Picture | RequestError]


def open_pages(content: bytes, max_side_px: int = MAX_SIDE_PX) -> AbstractContextManager[PageFile]:
    """Open a file, whose pages are decoded as they are asked for.

    Args:
        content: of a picture or document.
        max_side_px: a larger page is halved until its longest side is not larger.

    Raises:
        InvalidImage: a PDF that cannot be read.
    """
    if format_apart(content) == "PDF":
        return drawn(content, max_side_px)
    numbers, is_animation = page_numbers(content), False
    if len(numbers) == 1 and (frames := count_frames(content)) > 1:
        numbers, is_animation = (0, frames - 1), True
    count = numbers[-1] + 1 if is_animation else len(numbers)
    pages = (read_or_error(content, number, max_side_px) for number in numbers[:MAX_PAGES])
    return nullcontext(PageFile(count, is_animation, pages))


def single(picture: Picture) -> PageFile:
    """Return a decoded picture as the only page of a file."""
    return PageFile(1, False, iter([picture]))


@contextmanager
def drawn(content: bytes, max_side_px: int) -> Iterator[PageFile]:
    """Open a PDF; its process ends with the context."""
    with decoding(content, "PDF", MAX_PAGES) as decoded:
        pages = drawn_pages(decoded.pages, min(decoded.count, MAX_PAGES), max_side_px)
        yield PageFile(decoded.count, False, pages)


def drawn_pages(images: Iterator[Image.Image], count: int, max_side_px: int) -> Iterator[Picture | RequestError]:
    """Turn the pages of a PDF into grey values; where drawing one fails, the others have its error, too."""
    failure: RequestError | None = None
    for _ in range(count):
        if failure is None:
            try:
                yield from_image(next(images), max_side_px)
            except RequestError as err:
                failure = err
        if failure is not None:
            yield failure


def read_or_error(content: bytes, frame: int, max_side_px: int) -> Picture | RequestError:
    """Decode a page or frame, or return its error."""
    try:
        return read_frame(content, frame, max_side_px) if frame else read_picture(content, max_side_px)
    except RequestError as err:
        return err


def page_numbers(content: bytes) -> Sequence[int]:
    """Return which frames of a file are pages: of a TIFF those that are no copies or masks; otherwise the first."""
    if content[:4] not in TIFF_HEADS:
        return (0,)
    return [i for i, page in enumerate(tiff_pages(content)) if not page.is_extra] or (0,)


def count_frames(content: bytes) -> int:
    """Count the frames of an animation; 1 for other pictures, and if decoding its last frame would take long."""
    if content.startswith(b"GIF8"):
        blocks, frames = count_blocks(content, MAX_FRAMES + 1)
        if blocks > MAX_BLOCKS or not 1 < frames <= MAX_FRAMES:
            return 1
    elif not is_animated(content):
        return 1
    try:
        with opened(content) as image:
            frames = int(getattr(image, "n_frames", 1))
            megapixels = frames * image.width * image.height / 1_000_000
    except RequestError:
        return 1  # reading it says why
    return frames if frames <= MAX_FRAMES and megapixels <= MAX_FRAMES_MEGAPIXELS else 1


def is_animated(content: bytes) -> bool:
    """Tell whether a PNG or WebP file is an animation."""
    if content.startswith(b"\x89PNG"):
        return ANIMATED_PNG in content[:PNG_HEADER_BYTES]
    is_webp = content[8:16] == b"WEBPVP8X" and len(content) > ANIMATED_WEBP_AT
    return is_webp and bool(content[ANIMATED_WEBP_AT] & ANIMATED_WEBP)
