import pytest

from dashboard.draw.sketch import MOST_STATES, Sketch
from dashboard.draw.tab import MOST_TABS, Tabs

A, B, C = ({"type": "Path", "path": name} for name in "abc")


def drawn(*strokes: dict) -> Sketch:
    """A sketch of strokes, as the canvas reports them, each run of the page once more."""
    sketch = Sketch()
    for count in range(1, len(strokes) + 1):
        for _ in range(2):
            sketch.report([dict(each) for each in strokes[:count]], b"picture %d" % count)
    return sketch


def test_strokes_are_taken_back_and_put_back_with_their_pictures():
    sketch = drawn(A, B)
    sketch.undo()
    assert (sketch.now.strokes, sketch.now.picture) == ([A], b"picture 1")
    sketch.redo()
    assert (sketch.now.strokes, sketch.now.picture) == ([A, B], b"picture 2")
    assert not sketch.can_redo


def test_what_was_cleared_comes_back():
    sketch = drawn(A, B)
    for _ in range(2):
        sketch.undo()
    sketch.clear()
    assert not sketch.now.strokes
    sketch.report([], b"white")
    sketch.redo()
    sketch.report([A], b"picture 1")
    sketch.redo()
    sketch.clear()
    assert not sketch.now.strokes
    sketch.report([], b"white")
    sketch.undo()
    assert sketch.now.strokes == [A, B]


def test_reports_from_before_an_undo_bring_nothing_back():
    sketch = drawn(A, B, C)
    sketch.undo()
    sketch.report([A, B, C], b"picture 3")  # the run of the click: the canvas has not loaded the earlier state yet
    sketch.undo()
    sketch.report([A, B], b"picture 2")  # what the first undo loaded
    assert sketch.now.strokes == [A]
    sketch.report([A], b"picture 1")
    assert sketch.now.strokes == [A]
    sketch.redo()
    assert sketch.now.strokes == [A, B]


def test_a_stroke_after_an_undo_replaces_what_was_taken_back():
    sketch = drawn(A, B)
    sketch.undo()
    sketch.report([A], b"picture 1")
    sketch.report([A, C], b"new")
    assert sketch.now.strokes == [A, C]
    assert not sketch.can_redo
    sketch.undo()
    assert sketch.now.strokes == [A]


def test_quick_strokes_are_taken_back_one_by_one():
    sketch = drawn(A)
    sketch.report([A, B, C], b"picture 3")
    sketch.undo()
    assert sketch.now.strokes == [A, B]
    sketch.report([A, B], b"picture 2")
    assert sketch.now.picture == b"picture 2"


def test_each_state_put_back_is_another_edition():
    sketch = drawn(A, B)
    editions = [sketch.edition]
    for act in (sketch.undo, sketch.redo, sketch.clear, sketch.undo):
        act()
        editions.append(sketch.edition)
    assert len(set(editions)) == len(editions)


def test_restored_strokes_that_are_reported_without_a_picture_keep_theirs():
    sketch = drawn(A)
    sketch.report((), None)
    sketch.undo()
    sketch.report([A], None)
    assert sketch.now.picture == b"picture 1"


def test_old_states_are_forgotten():
    sketch = Sketch()
    for count in range(1, MOST_STATES + 50):
        sketch.report([A] * count, b"picture")
    assert len(sketch.states) == MOST_STATES
    while sketch.can_undo:
        sketch.undo()
    assert len(sketch.now.strokes) == 50


def test_a_tab_gets_its_drawing_back_and_a_duplicate_of_it_a_copy():
    tabs, drawn = Tabs(), Sketch()
    assert tabs.swap("a" * 32, drawn) is drawn
    drawn.report([{"path": 1}], b"png")
    again = tabs.swap("a" * 32, Sketch())
    assert (again.now, again.can_undo, again.edition) == (drawn.now, True, drawn.edition + 1)
    again.undo()
    assert drawn.now.strokes
    busy = Sketch()
    busy.report([{"path": 2}], b"png")
    assert tabs.swap("a" * 32, busy) is busy  # a drawing that was begun before the tab was known stays


def test_the_tabs_that_were_seen_last_are_kept():
    tabs, first = Tabs(), Sketch()
    tabs.swap("first", first)
    first.report([{"path": 1}], b"png")
    for number in range(MOST_TABS):
        tabs.swap(str(number), Sketch())
    assert tabs.swap("first", Sketch()).is_untouched


def test_a_canvas_that_is_shown_anew_may_report_that_it_is_empty():
    sketch = drawn(A, B)
    sketch.shown_anew()
    sketch.report([], b"nothing")
    assert (sketch.now.strokes, sketch.now.picture) == ([A, B], b"picture 2")
    sketch.report([A, B, C], b"picture 3")  # drawn before the canvas had reported what it loaded
    sketch.report([], b"nothing")
    assert sketch.now.strokes == []


@pytest.mark.parametrize("strokes", [[A, B], [A, B, C]])
def test_an_undo_counts_for_a_stroke_that_the_canvas_reports_only_after_it(strokes):
    sketch = drawn(A)
    sketch.undo()
    sketch.report(strokes, b"picture")  # drawn before
    assert sketch.now.strokes == strokes[:-1]
    sketch.report(strokes, b"picture")  # the canvas has not loaded the earlier state yet
    assert sketch.now.strokes == strokes[:-1]
    sketch.redo()
    assert sketch.now.strokes == strokes


def test_presses_count_in_their_order_for_a_stroke_that_is_reported_after_them():
    sketch = drawn(A)
    for act in (sketch.undo, sketch.clear, sketch.undo, sketch.redo, sketch.clear, sketch.undo):
        act()
    sketch.report([A, B], b"picture")
    assert (sketch.now.strokes, sketch.can_redo) == ([A], True)


def test_a_drawing_is_cleared_with_a_stroke_that_is_reported_afterwards():
    sketch = drawn(A)
    sketch.clear()
    sketch.report([A, B], b"picture 2")
    assert not sketch.now.strokes
    sketch.report([], b"white")
    sketch.report([C], b"picture 3")
    assert sketch.now.strokes == [C]
