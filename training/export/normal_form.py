"""The normal form without Python: the rules of `handwriting.preprocess` as ONNX graphs, for a page without a server.

A page runs `begin` on a picture, then, while `begin` or `decide` ask for it, `look`, the ink network's own file and
`decide`, and last `frame`. The shapes of a graph are fixed, so a picture lies in the corner of a larger square, and
ink likewise. All numbers come from `handwriting.preprocess`; tests hold both to the same frames.
"""

from math import pi

import torch
from torch import Tensor, nn
from torch.nn import functional

from handwriting.preprocess import ink, ink_network
from handwriting.preprocess.frame import (
    BOX_CENTRE,
    FRAME_PX,
    INK_THRESHOLD,
    MASS_CENTRE,
    SPECK_PX,
    WORKING_PX,
    Form,
)

PICTURE_PX = 640  # side of the square that holds a picture
INK_PX = 176  # side of the square that holds ink: that of a clean picture with its margins, or of a view
GLYPH_PX = 112  # side of the square that holds a character before it is placed in its frame
MARGIN_PX = 64  # around that: half of a frame, in px of a character of WORKING_PX
MOST_GROWN_PX = 6
MOST_HALVED = 3  # times, from PICTURE_PX to a view
ROUNDS, HOPS = 6, 10  # of joining pixels to pieces; hops reach 2 ** HOPS numbers far
LUMA = (19595, 38470, 7471)  # Pillow's grey of red, green and blue, in 65536ths
READ, LOOK, BLANK, SPECK = range(4)  # what `begin` and `frame` say of a picture; LOOK: the ink network has to


def to_number(condition: Tensor) -> Tensor:
    """Return 1.0 for true and 0.0 for false."""
    return condition.to(torch.float32)


def positions(count: int) -> Tensor:
    """Return 0.0, 1.0, ... up to a count."""
    return torch.arange(count, dtype=torch.float32)


def extent(inked: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Return the first column (axis 0) or row (axis 1) that holds ink, and the one after the last; 0, 0 without."""
    line = to_number(inked).amax(dim=axis)
    at = positions(line.shape[0])
    first = torch.where(line > 0, at, float(line.shape[0])).min()
    end = (line * (at + 1)).max()
    return torch.minimum(first, end), end


def quantile(values: Tensor, chosen: Tensor, share: float) -> Tensor:
    """Return the value below which a share of the chosen values lies, as `handwriting.preprocess.ink.quantile`."""
    ordered = torch.where(chosen, values, torch.inf).flatten().sort().values
    position = torch.floor(share * (to_number(chosen).sum() - 1)).clamp(min=0).to(torch.int64)
    return ordered[position]


def pieces(inked: Tensor) -> Tensor:
    """Return the number of each pixel's piece, the largest number of its pixels, counted from 1; 0 without ink.

    In each round a piece takes the largest number beside it, and those in a row behind it follow, so that few are left.
    """
    height, width = inked.shape
    own = positions(height * width + 1)
    numbers = torch.where(inked, own[1:].reshape(height, width), 0.0)
    for _ in range(ROUNDS):
        beside = torch.where(inked, functional.max_pool2d(numbers[None], 3, stride=1, padding=1)[0], 0.0)
        new = own.scatter_reduce(0, numbers.flatten().to(torch.int64), beside.flatten(), "amax")
        for _ in range(HOPS):
            new = new[new.to(torch.int64)]
        numbers = new[numbers.to(torch.int64)]
    return numbers


def weights_of_view(start: Tensor, side: Tensor, view_px: int) -> Tensor:
    """Return how much of each px of the picture is in each of a view, as OpenCV scales by area, or linearly if larger.

    Returns:
        (view_px, PICTURE_PX) float32.
    """
    halves, factor = side, torch.ones(())
    for _ in range(MOST_HALVED):  # first by halves, of which the last px of an odd number is no part
        is_halved = halves >= 2 * view_px
        halves, factor = (
            torch.where(is_halved, torch.floor(halves / 2), halves),
            torch.where(is_halved, 2 * factor, factor),
        )
    scale = halves * factor / view_px
    begin = start + positions(view_px)[:, None] * scale
    at = positions(PICTURE_PX)[None]
    overlap = (torch.minimum(begin + scale, at + 1) - torch.maximum(begin, at)).clamp(min=0) / scale
    centre = torch.minimum(torch.maximum(begin + scale / 2 - 0.5, start), start + side - 1)
    return torch.where(scale > 1, overlap, (1 - (centre - at).abs()).clamp(min=0))


def picked(image: Tensor, tops: Tensor, lefts: Tensor, sizes: Tensor, result_px: int) -> Tensor:
    """Cut a part out of a square image into the corner of another square, with zeros around it."""
    rows, columns = (
        to_number((positions(image.shape[0])[None] - start == at) & (at < size))
        for start, size, at in (
            (tops, sizes[0], positions(result_px)[:, None]),
            (lefts, sizes[1], positions(result_px)[:, None]),
        )
    )
    return rows @ image @ columns.T


def border_of(grey: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """Return the outermost pixels of a picture in a square, and which to count: others come twice, or are beyond."""
    height, width = size[0], size[1]
    last_row, last_column = ((each - 1).to(torch.int64)[None] for each in (height, width))
    bottom, right = grey.index_select(0, last_row)[0], grey.index_select(1, last_column)[:, 0]
    at = positions(PICTURE_PX)
    beside = (at > 0) & (at < height - 1)
    return torch.cat([grey[0], bottom, grey[:, 0], right]), torch.cat([at < width, at < width, beside, beside])


class Begin(nn.Module):
    """Takes a picture, and finds its ink where that needs no network: `find_clean_ink`, and the first window."""

    def forward(self, rgba: Tensor, size: Tensor) -> tuple[Tensor, ...]:
        """Begin with a picture.

        Args:
            rgba: (PICTURE_PX, PICTURE_PX, 4) uint8; the picture is in its upper left corner, without transparency.
            size: (2,) float32, its height and width in px.

        Returns:
            grey: (PICTURE_PX, PICTURE_PX) float32 from 0 to 255, less `outside` within the picture, 0 around it.
            outside: () float32, the grey around the picture.
            status: () float32, READ, LOOK or BLANK.
            ink: (INK_PX, INK_PX) float32 in [0, 1], where the status is READ.
            ink_size: (2,) float32, height and width of that.
            per_px: () float32, px of the picture for one of the ink.
            window: (3,) float32, left, top and side of the whole picture.
        """
        colours = rgba[..., :3].to(torch.float32)
        grey = torch.floor((colours @ torch.tensor(LUMA, dtype=torch.float32) + 32768) / 65536)
        height, width = size[0], size[1]
        at = positions(PICTURE_PX)
        inside = (at[:, None] < height) & (at[None] < width)
        border, is_border = border_of(grey, size)
        outside = quantile(border, is_border, 0.5)
        found, ink_size, per_px, is_clean = self._clean(grey, size, torch.where(is_border, border, grey[0, 0]))
        darkest, lightest = torch.where(inside, grey, 255).min(), torch.where(inside, grey, 0).max()
        is_blank = lightest - darkest <= ink.SAME_GREY
        status = torch.where(is_blank, float(BLANK), torch.where(is_clean, float(READ), float(LOOK)))
        side = torch.maximum(height, width)
        window = torch.stack([torch.floor((width - side) / 2), torch.floor((height - side) / 2), side])
        return torch.where(inside, grey - outside, 0.0), outside, status, found, ink_size, per_px, window

    def _clean(self, grey: Tensor, size: Tensor, border: Tensor) -> tuple[Tensor, ...]:
        paper = grey[0, 0]
        is_even = (border - paper).abs().max() <= ink.EVEN
        images, shapes = [grey], [size]
        while images[-1].shape[0] > ink.CLEAN_PX:
            images.append(torch.floor(functional.avg_pool2d(images[-1][None], 2)[0] + 0.5))
            shapes.append(torch.floor(shapes[-1] / 2))
        coarsest = len(images) - 1
        # The first of the sizes that is no larger than CLEAN_PX
        level = sum(to_number(shape.max() > ink.CLEAN_PX) for shape in shapes[:-1])
        coarse = sum(
            to_number(level == each) * image[: ink.CLEAN_PX, : ink.CLEAN_PX] for each, image in enumerate(images)
        )
        shape = sum(to_number(level == each) * one for each, one in enumerate(shapes))
        at = positions(ink.CLEAN_PX)
        within = (at[:, None] < shape[0]) & (at[None] < shape[1])
        difference = torch.where(within, (coarse - paper).abs(), 0.0)
        most = difference.max()
        inked = difference > ink.CLEAN_INK * most
        numbers = pieces(inked)
        own = positions(numbers.numel()).reshape(numbers.shape) + 1
        count = to_number(inked & (numbers == own)).sum()
        share = to_number(inked).sum() / (shape[0] * shape[1])
        is_clean = is_even & (count == 1) & (most > ink.SAME_GREY) & (share <= ink.MOST_INK)
        (top, bottom), (left, right) = extent(inked, 1), extent(inked, 0)
        box = torch.stack([top, left, bottom - top, right - left])
        for _ in range(coarsest):  # in a finer size, where the ink is small enough
            is_finer = (level > 0) & (2 * torch.maximum(box[2], box[3]) <= ink.CLEAN_PX)
            box, level = torch.where(is_finer, 2 * box, box), torch.where(is_finer, level - 1, level)
        top, left = ((each - ink.CLEAN_MARGIN_PX).clamp(min=0) for each in (box[0], box[1]))
        shape = sum(to_number(level == each) * one for each, one in enumerate(shapes))
        wanted = box[2:] + 2 * ink.CLEAN_MARGIN_PX
        part_size = torch.minimum(wanted, shape - torch.stack([top, left]))
        part = sum(
            to_number(level == each) * picked(image, top, left, part_size, INK_PX) for each, image in enumerate(images)
        )
        at = positions(INK_PX)
        is_part = (at[:, None] < part_size[0]) & (at[None] < part_size[1])
        difference = torch.where(is_part, (part - paper).abs(), 0.0)
        full = quantile(difference, difference > ink.CLEAN_INK * most, ink.CLEAN_FULL)
        return torch.minimum(difference / full, torch.ones(())), part_size, 2**level, is_clean


class Look(nn.Module):
    """Cuts a window out of a picture for the ink network: `cut` and `stretched`."""

    def __init__(self, view_px: int) -> None:
        super().__init__()
        self.view_px = view_px

    def forward(self, grey: Tensor, outside: Tensor, window: Tensor, size: Tensor) -> Tensor:
        """Return (1, ink_network.INPUTS, view_px, view_px) float32, the input of the ink network.

        Args:
            grey: as of Begin.
            outside: as of Begin.
            window: (3,) float32, left, top and side in px of the picture.
            size: (2,) float32, height and width of the picture in px.
        """
        rows, columns = (weights_of_view(start, window[2], self.view_px) for start in (window[1], window[0]))
        view = torch.floor(rows @ grey @ columns.T + outside + 0.5) / 255
        level = view.mean()
        deviation = (view - level).square().mean().sqrt()
        whole = (view - level) / (deviation + ink_network.GRAIN)
        means, squares = (self._blurred(each) for each in (view, view * view))
        near = (view - means) / ((squares - means * means).clamp(min=0).sqrt() + ink_network.NEAR_GRAIN)
        both = torch.stack([whole, near])
        both = torch.where((whole**3).sum() > 0, -both, both)
        at = positions(self.view_px)
        rows, columns = ((at >= first) & (at < end) for first, end in shown(window, size, self.view_px))
        beyond = to_number(~(rows[:, None] & columns[None]))
        return torch.cat([both, beyond[None]])[None]

    def _blurred(self, view: Tensor) -> Tensor:
        reach = ink_network.NEAR_PX // 2
        padded = functional.pad(view[None, None], (reach, reach, reach, reach), mode="reflect")
        return functional.avg_pool2d(padded, ink_network.NEAR_PX, stride=1)[0, 0]


class Decide(nn.Module):
    """Takes what the ink network sees in a view, and says where to look next: `writing` and the windows."""

    def __init__(self, view_px: int) -> None:
        super().__init__()
        self.view_px = view_px

    def forward(
        self, seen: Tensor, window: Tensor, size: Tensor, looks: Tensor, was_last: Tensor
    ) -> tuple[Tensor, ...]:
        """Decide after a look.

        Args:
            seen: (1, 2, view_px, view_px) float32 of the ink network.
            window: (3,) float32 of the view.
            size: (2,) float32, height and width of the picture in px.
            looks: () float32, how many there were before this one.
            was_last: () float32, 1 if this one was to be the last.

        Returns:
            is_found: () float32, 1 if there is ink; if not, what an earlier look has found stays.
            again: () float32, 1 to look again.
            is_last: () float32, 1 if that will be the last look.
            ink: (INK_PX, INK_PX) float32 in [0, 1].
            ink_size: (2,) float32, height and width of that.
            per_px: () float32, px of the picture for one of the ink.
            next_window: (3,) float32.
        """
        most = seen[0, 0].max()
        found, strokes = writing(seen[0, 0], seen[0, 1], most, edge_of(window, size, self.view_px))
        (top, bottom), (left, right) = extent(found > ink.INKED, 1), extent(found > ink.INKED, 0)
        largest = torch.maximum(right - left, bottom - top)
        (top, bottom), (left, right) = extent(strokes, 1), extent(strokes, 0)
        longest = torch.maximum(right - left, bottom - top)
        is_large = largest >= ink.LARGE_PX if self.view_px == ink_network.VIEW_PX else torch.zeros((), dtype=torch.bool)
        both = seen[0].sum(dim=0)
        edge = torch.stack([both[0].max(), both[-1].max(), both[:, 0].max(), both[:, -1].max()]).max()
        is_cut = (looks > 0) & (edge > ink.INKED)
        is_found = most >= ink.SEEN
        is_done = (was_last > 0) | (is_large & ~is_cut) | ~is_found | (looks + 1 >= ink.LOOKS)
        side = window[2]
        wide = torch.round(ink.WIDER * side)
        shift = torch.floor((wide - side) / 2)
        wider = torch.stack([window[0] - shift, window[1] - shift, wide])
        per_px = side / self.view_px
        near = torch.round(ink.ROOM * longest * per_px).clamp(min=SPECK_PX)
        closer = torch.stack(
            [
                torch.round(window[0] + (left + right) / 2 * per_px - near / 2),
                torch.round(window[1] + (top + bottom) / 2 * per_px - near / 2),
                near,
            ]
        )
        empty = INK_PX - self.view_px
        view = torch.full((2,), float(self.view_px))
        return (
            to_number(is_found),
            to_number(~is_done),
            to_number(is_cut),
            functional.pad(found, (0, empty, 0, empty)),
            view + 0 * most,  # an output of its own, not a constant
            per_px,
            torch.where(is_cut, wider, closer),
        )


def shown(window: Tensor, size: Tensor, view_px: int) -> list[tuple[Tensor, Tensor]]:
    """Return the first row and the end of those, and the same of columns, of a window's view that show the picture.

    As `handwriting.preprocess.windows.shown`.
    """
    side, ends = window[2], []
    for start, length in ((window[1], size[0]), (window[0], size[1])):
        first, end = (
            torch.round(torch.minimum((each - start).clamp(min=0), side) * view_px / side) for each in (0.0, length)
        )
        first = first.clamp(max=view_px - 1)
        ends.append((first, torch.maximum(end, first + 1)))
    return ends


def edge_of(window: Tensor, size: Tensor, view_px: int) -> Tensor:
    """Return where the edge of a picture of this height and width is in a window's view: (view_px, view_px) bool."""
    at = positions(view_px)
    (rows, row_edges), (columns, column_edges) = (
        ((at >= first) & (at < end), (at == first) | (at == end - 1)) for first, end in shown(window, size, view_px)
    )
    return rows[:, None] & columns[None] & (row_edges[:, None] | column_edges[None])


def writing(seen: Tensor, marks: Tensor, most: Tensor, edge: Tensor) -> tuple[Tensor, Tensor]:
    """Return the ink of the strokes that lie together and are the most, and where they are.

    Args:
        seen: (H, W) float32 ink.
        marks: (H, W) float32.
        most: () float32, the most ink.
        edge: (H, W) bool, where the picture ends.

    Returns:
        (H, W) float32, of which the most is 1; (H, W) bool.
    """
    found, stroked = seen / most, seen + marks > ink.INKED * most
    numbers = pieces(stroked)
    masses = masses_of(numbers, found)
    kept = (masses > ink.PART_SHARE * masses.max())[numbers.to(torch.int64)] & stroked
    (top, bottom), (left, right) = (extent(stroked & (numbers == masses.argmax()), axis) for axis in (1, 0))
    reach = torch.round(ink.APART / 2 * torch.maximum(right - left, bottom - top))
    near = to_number(kept)
    for each in range(1, round(ink.APART / 2 * max(found.shape)) + 1):
        near = torch.where(reach >= each, functional.max_pool2d(near[None], 3, stride=1, padding=1)[0], near)
    groups = pieces(near > 0) * kept
    sure, cut_off = (masses_of(groups, each) for each in (found * found, to_number(edge)))
    kept &= groups == torch.where(cut_off > 0, ink.AT_EDGE * sure, sure).argmax()
    beside = functional.max_pool2d(to_number(kept)[None], 3, stride=1, padding=1)[0] > 0
    chosen = torch.where(beside & (kept | ~stroked), found, 0.0)
    return torch.where((kept | ~stroked).all(), found, chosen / chosen.max()), kept


def masses_of(numbers: Tensor, found: Tensor) -> Tensor:
    """Return the ink of each piece by its number, 0 of the paper."""
    masses = torch.zeros(numbers.numel() + 1).scatter_add(0, numbers.flatten().to(torch.int64), found.flatten())
    return masses * to_number(positions(masses.shape[0]) > 0)


class Frame(nn.Module):
    """Brings ink into a recogniser's normal form: `to_frame` and `check_size`."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form

    def forward(self, found: Tensor, ink_size: Tensor, per_px: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
        """Frame a character.

        Args:
            found: (INK_PX, INK_PX) float32 in [0, 1].
            ink_size: (2,) float32, height and width of the ink.
            per_px: () float32, px of the picture for one of the ink.
            size: (2,) float32, height and width of the picture.

        Returns:
            frame: (1, 1, 28, 28) float32 in [0, 1].
            status: () float32, READ, BLANK or SPECK.
        """
        inked = found > INK_THRESHOLD
        (top, bottom), (left, right) = extent(inked, 1), extent(inked, 0)
        side = torch.maximum(right - left, bottom - top)
        in_picture = torch.round(side * per_px)
        smallest = torch.maximum(torch.full((), float(SPECK_PX)), ink.SPECK_SHARE * size.min())
        is_speck = (in_picture < smallest) | (side < SPECK_PX)
        status = torch.where(~inked.any(), float(BLANK), torch.where(is_speck, float(SPECK), float(READ)))
        glyph, side = self._glyph(found, ink_size, (top, bottom, left, right), side.clamp(min=1))
        glyph, side = self._thickened(glyph, side)
        return self._placed(glyph, side)[None, None], status

    def _glyph(self, found: Tensor, ink_size: Tensor, box: tuple[Tensor, ...], side: Tensor) -> tuple[Tensor, Tensor]:
        edge = 2  # as in to_frame
        top, bottom, left, right = box
        starts = [(each - edge).clamp(min=0) for each in (top, left)]
        sizes = [
            torch.minimum(end + edge, most) - start
            for end, most, start in zip((bottom, right), ink_size, starts, strict=True)
        ]
        factor = torch.minimum(torch.ones(()), WORKING_PX / side)
        rows, columns = (
            self._area_weights(start, size, torch.round(size * factor).clamp(min=1))
            for start, size in zip(starts, sizes, strict=True)
        )
        small = rows @ found @ columns.T
        at = positions(INK_PX)
        is_glyph = ((at >= starts[0]) & (at < starts[0] + sizes[0]))[:, None] & (
            (at >= starts[1]) & (at < starts[1] + sizes[1])
        )[None]
        most = torch.where(is_glyph, found, 0.0).max()
        return small * (most / small.max().clamp(min=1e-6)), torch.minimum(side, torch.full((), float(WORKING_PX)))

    def _area_weights(self, start: Tensor, size: Tensor, result: Tensor) -> Tensor:
        """Return OpenCV's weights of a reduction by area, of (GLYPH_PX, INK_PX), after MOST_GROWN_PX."""
        scale = size / result
        at = positions(GLYPH_PX)[:, None] - MOST_GROWN_PX
        px = positions(INK_PX)[None] - start
        covered = (torch.minimum((at + 1) * scale, px + 1) - torch.maximum(at * scale, px)).clamp(min=0) / scale
        return covered * to_number((at >= 0) & (at < result) & (px >= 0) & (px < size))

    def _thickened(self, glyph: Tensor, side: Tensor) -> tuple[Tensor, Tensor]:
        inked = to_number(glyph > 0.5)  # noqa: PLR2004 - half covered by ink
        steps = (inked[1:] - inked[:-1]).abs().sum() + (inked[:, 1:] - inked[:, :-1]).abs().sum()
        pen_width = 2 * glyph.sum() / (steps * (pi / 4)).clamp(min=1)
        missing = self.form.pen_px / self.form.box_px * side - pen_width
        grow = torch.round(missing / 2).clamp(0, MOST_GROWN_PX)
        grown = to_number(grow == 0) * glyph
        for each in range(1, MOST_GROWN_PX + 1):
            wide = functional.max_pool2d(glyph[None], 2 * each + 1, stride=1, padding=each)[0]
            grown = grown + to_number(grow == each) * wide
        return grown, side + 2 * grow

    def _placed(self, glyph: Tensor, side: Tensor) -> Tensor:
        per_px = side / self.form.box_px
        inked = glyph > INK_THRESHOLD
        rows, columns = (self._triangle_weights(self._start(glyph, inked, axis, per_px), per_px) for axis in (1, 0))
        return (rows @ glyph @ columns.T).clamp(0, 1)

    def _start(self, glyph: Tensor, inked: Tensor, axis: int, per_px: Tensor) -> Tensor:
        first, end = extent(inked, axis)
        if not self.form.by_mass:
            return (first + end) / 2 - (BOX_CENTRE + 0.5) * per_px
        profile = glyph.sum(dim=axis)
        centre = (profile * positions(GLYPH_PX)).sum() / profile.sum().clamp(min=1e-6) + 0.5
        other = end - FRAME_PX * per_px
        low, high = torch.minimum(first, other), torch.maximum(first, other)
        return torch.minimum(torch.maximum(centre - (MASS_CENTRE + 0.5) * per_px, low), high)

    def _triangle_weights(self, start: Tensor, per_px: Tensor) -> Tensor:
        """Return the weights of `handwriting.preprocess.frame.weights`, (28, GLYPH_PX)."""
        at = positions(GLYPH_PX + 2 * MARGIN_PX)[None] - MARGIN_PX
        centre = start + (positions(FRAME_PX)[:, None] + 0.5) * per_px
        weights = (1 - (at + 0.5 - centre).abs() / per_px.clamp(min=1)).clamp(min=0)
        return (weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-6))[:, MARGIN_PX:-MARGIN_PX]
