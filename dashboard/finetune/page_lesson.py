"""A taught version: what it reads, and its way into service and back."""

from collections.abc import Callable, Sequence

import streamlit as st

from dashboard.finetune import service, words
from dashboard.finetune.lessons import Lesson
from dashboard.finetune.service import Stage
from dashboard.finetune.store import Store
from dashboard.finetune.task import Task
from dashboard.finetune.verdict import Verdict, judge
from dashboard.shared import catalogue, connection, view
from dashboard.shared.fleet import Fleet
from dashboard.shared.management import Management
from inkserve.client import RecogniserError
from inkserve.client.address import management_url

TICK_S = 0.5
DELETE = "lesson-delete"  # key of the tick
COMPARED = 500  # of the drawings kept last


@st.cache_resource(show_spinner=False)
def _task() -> Task:
    return Task()


@st.cache_resource(show_spinner=False)
def _verdicts() -> dict[tuple, Verdict]:
    return {}


def show_lessons(found: Sequence[Lesson], fleet: Fleet, store: Store) -> None:
    """Show the latest taught version, or the one that is chosen, and what can be done with it.

    Args:
        found: the taught versions, the latest first.
        fleet: what the server has, empty if it does not say.
        store: holds the drawings.
    """
    lesson = found[0]
    if len(found) > 1:
        lesson = st.selectbox("Taught versions", found, format_func=lambda each: str(each.new), width=220)
    stage = service.stage_of(lesson, fleet)
    with st.container(border=True, key="ink-lesson"):
        st.html(words.report(lesson, stage if fleet else None))
        if not fleet:
            st.html(view.remark("The server does not say what it has: the rest waits until it answers."))
            connection.try_again_soon()
        elif _task().is_running():
            _keep_looking()
        else:
            _show_outcome(lesson)
            _actions(lesson, stage)
        if stage is not Stage.MADE and service.is_loaded(lesson.old, fleet):
            _compare(lesson, store)


def _actions(lesson: Lesson, stage: Stage) -> None:
    """Offer what can be done now; a second click finds the task running, and does nothing."""
    with st.container(horizontal=True, gap="small"):
        if stage is Stage.MADE:
            label = f"Load {lesson.new} beside {lesson.old.version}"
            st.button(label, icon=":material/add:", on_click=_load, args=(lesson,))
            return
        if stage is Stage.BESIDE:
            st.button(f"Promote {lesson.new}", icon=":material/star:", on_click=_promote, args=(lesson,))
        promoted = stage is Stage.DEFAULT
        with st.popover("Roll back" if promoted else "Unload", icon=":material/undo:"):
            st.write(f"{_back(lesson, promoted)} Its weights stay, so that it can be loaded again.")
            if not st.checkbox("Delete its archive, too", value=True, key=DELETE, help=words.ARCHIVE):
                st.caption(words.ARCHIVE)
            label = f"Roll back to {lesson.old}" if promoted else f"Unload {lesson.new}"
            st.button(label, icon=":material/undo:", on_click=_roll_back, args=(lesson, promoted))


def _back(lesson: Lesson, promoted: bool) -> str:
    return f"{lesson.old} answers again, and {lesson.new} is unloaded." if promoted else f"{lesson.new} is unloaded."


def _load(lesson: Lesson) -> None:
    management, archives = Management(management_url()), catalogue.model_store()
    done = f"{lesson.new} is loaded. Where no version is named, the same one answers as before."
    _start(lesson, f"Loading {lesson.new} ...", done, lambda: service.load(lesson, management, archives))


def _promote(lesson: Lesson) -> None:
    management = Management(management_url())
    done = f"{lesson.new} is the default now, and will be after a restart."
    _start(lesson, f"Promoting {lesson.new} ...", done, lambda: service.promote(lesson, management))


def _roll_back(lesson: Lesson, promoted: bool) -> None:
    management, archives = Management(management_url()), catalogue.model_store()
    delete = bool(st.session_state[DELETE])  # as it is ticked now, which the page may not have run with yet
    _start(
        lesson,
        f"Unloading {lesson.new} ...",
        _back(lesson, promoted),
        lambda: service.roll_back(lesson, management, archives, delete),
    )


def _start(lesson: Lesson, title: str, done: str, action: Callable[[], None]) -> None:
    _task().start(str(lesson.new), title, done, action)


@st.fragment(run_every=TICK_S)
def _keep_looking() -> None:
    if not _task().is_running():
        st.rerun()
    st.html(words.working(_task().title))


def _show_outcome(lesson: Lesson) -> None:
    if (outcome := _task().outcome) and _task().about == str(lesson.new):
        (st.success if outcome.done else st.error)(outcome.text)


def _compare(lesson: Lesson, store: Store) -> None:
    drawings = store.latest(COMPARED)
    key = (connection.server_url(), lesson.weights, lesson.weights.stat().st_mtime_ns, *_stamp(drawings))
    if st.button("Compare on the kept drawings", icon=":material/compare_arrows:"):
        try:
            with st.spinner("Both read the drawings ...", show_time=True):
                _verdicts()[key] = judge(lesson, drawings)
        except RecogniserError as err:
            st.error(f"The comparison broke off: {err}")
    if verdict := _verdicts().get(key):
        st.html(words.comparison(lesson, verdict))


def _stamp(drawings: Sequence) -> tuple:
    return tuple((each.id, each.label) for each in drawings)
