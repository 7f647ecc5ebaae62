"""HTML of the figures, bars and tables of the Live page; needs no server and no session."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from html import escape

from dashboard.live.events import Event, Versions
from dashboard.live.load_generator import LoadPlan, LoadResult
from dashboard.live.window_figures import MIB, MIN_OBSERVATIONS, NOW_S, QUANTILES, Figures, Point, quantile_ms
from inkserve.metrics import Quantile

NONE, NO_DATA, FEW = "none", "no data", "too few"
STATUSES = {  # in words
    "400": "bad picture or request",
    "404": "no such recogniser",
    "408": "too slow a client",
    "413": "too large",
    "415": "unknown type",
    "429": "too many at once",
    "500": "server error",
    "503": "queue full",
    "507": "a worker died",
}
FEW_MS = 10  # smaller values have two decimals


def cards(now: Figures, versions: Versions | None) -> str:
    """Return the figures as cards, each with a name, a value, and the number of observations."""
    return _cards(_figures(now, versions))


def numbers(now: Figures, versions: Versions | None) -> str:
    """Return the same figures as a table."""
    return table("Figures of the window", ("figure", "value", "of"), _figures(now, versions))


def batches(now: Figures) -> str:
    """Return the batch sizes as bars, up to the largest that occurred."""
    counts = now.batches.counts
    used = max((index for index, count in enumerate(counts) if count), default=-1)
    bounds = (0.0, *now.batches.bounds)
    bars = {_range(bounds[index], bounds[index + 1]): round(counts[index]) for index in range(used + 1)}
    return _bars("Requests in a batch", bars, "No batches in this window.")


def errors(now: Figures) -> str:
    """Return the failed requests by status, and the errors of workers by type, as bars."""
    named = {f"{status} {STATUSES.get(status, '')}".strip(): count for status, count in now.statuses.items()}
    by_type = _bars("Pictures refused, by type", now.errors, "") if now.errors else ""
    return _bars("Failed requests, by status", named, "No request failed in this window.") + by_type


def points_table(points: Sequence[Point], zone: tzinfo) -> str:
    """Return the points of the charts, the newest first."""
    rows = [
        (clock(each.time_s, zone), NO_DATA, NO_DATA, *[NO_DATA] * len(QUANTILES), "0", NO_DATA, NO_DATA, NO_DATA)
        if each.requests_per_s is None
        else (
            clock(each.time_s, zone),
            _number(each.requests_per_s, 1),
            _number(each.failed_per_s, 1),
            *(FEW if value is None else _ms(value) for value in (each.p50, each.p95, each.p99)),
            str(each.answered),
            *(_number(value) for value in (each.in_flight, each.waiting, each.memory_mib)),
        )
        for each in reversed(points)
    ]
    head = ("time", "requests/s", "failed/s", *QUANTILES, "of", "in flight", "waiting", "memory, MiB")
    return table("Points of the charts", head, rows)


def workers_table(versions: Versions) -> str:
    """Return the workers by version."""
    rows = [
        (
            each.name + (" (default)" if each.is_default else ""),
            f"{sum(worker.is_ready for worker in each.workers)} of {each.wanted_workers}",
            ", ".join(str(worker.pid) for worker in each.workers if worker.pid) or NONE,
            _memory(sum(worker.memory_bytes for worker in each.workers)),
        )
        for each in versions
    ]
    return table("Workers", ("version", "up", "process ids", "memory"), rows)


def events_list(events: Sequence[Event], zone: tzinfo) -> str:
    """Return the events, the newest first."""
    rows = [(clock(each.time_s, zone), each.text) for each in reversed(events)]
    return table("Events", ("time", "event"), rows) if rows else note("No events in this window.")


def load_result(plan: LoadPlan, result: LoadResult) -> str:
    """Return the results of a load so far."""
    rows = [
        ("Sent", str(result.sent), f"of {plan.requests}" if plan.requests else "one after the other by each user"),
        ("Answered", str(result.answered), "with a prediction"),
        ("Errors", str(sum(result.errors.values())), "listed below" if result.errors else ""),
    ]
    rows += [(f"Measured {name}", *_quantile(result.quantile(q), "answers")) for name, q in QUANTILES.items()]
    state = "running" if result.is_running else "stopped" if result.was_stopped else "done"
    head = note(f"{plan.name}: {state}.")
    return head + _cards(rows) + _bars("Errors of the load", dict(result.errors.most_common()), "")


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose first column has the names of the rows."""
    names = "".join(f'<th scope="col">{escape(each)}</th>' for each in head)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>' + "".join(f"<td>{escape(each)}</td>" for each in rest) + "</tr>"
        for first, *rest in rows
    )
    return (
        f'<div class="live-scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table class="live-table">'
        f"<caption>{escape(caption)}</caption><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def note(message: str) -> str:
    """Return a message."""
    return f'<p class="live-note">{escape(message)}</p>'


def clock(time_s: float, zone: tzinfo) -> str:
    """Return a time of day."""
    return f"{datetime.fromtimestamp(time_s, zone):%H:%M:%S}"


def duration(seconds: float) -> str:
    """Return a duration."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _figures(now: Figures, versions: Versions | None) -> list[tuple[str, str, str]]:
    covered = f"in the last {NOW_S:.0f} s" if now.now_per_s is not None else f"needs samples of the last {NOW_S:.0f} s"
    rows = [("Requests/s now", _number(now.now_per_s, 1), covered)]
    rows.append(("Requests/s", f"{now.requests_per_s:.1f}", f"{now.requests} in {duration(now.elapsed_s)}"))
    rows += [(f"Latency {name}", *_quantile(now.latency.quantile(q), "requests")) for name, q in QUANTILES.items()]
    rows.append(("Mean queue time", _ms(now.mean_queue_ms), f"of {now.queued} requests"))
    rows.append(("Mean handler time", _ms(now.mean_handler_ms), f"of {now.batches.count} batches"))
    mean_batch = NONE if now.mean_batch is None else f"{now.mean_batch:.1f}"
    rows.append(("Mean batch", mean_batch, f"of {now.batches.count} batches"))
    rows.append(("Failed", str(now.failed), f"of {now.requests} requests"))
    if versions is None:
        return [*rows, ("Workers up", "unknown", "the server does not answer"), ("Worker memory", "unknown", "")]
    workers = [worker for version in versions for worker in version.workers]
    up, wanted = sum(worker.is_ready for worker in workers), sum(version.wanted_workers for version in versions)
    known = [worker.memory_bytes for worker in workers if worker.memory_bytes]
    rows.append(("Workers up", f"{up} of {wanted}", "" if up == wanted else "some are starting or down"))
    of = f"{len(known)} workers; " if known else ""
    rows.append(("Worker memory", _memory(sum(known)), f"{of}measured once a minute"))
    return rows


def _cards(rows: Iterable[tuple[str, str, str]]) -> str:
    body = "".join(
        f'<div class="live-card"><dt>{escape(name)}</dt><dd><b>{escape(value)}</b> <span>{escape(of)}</span></dd></div>'
        for name, value, of in rows
    )
    return f'<dl class="live-cards">{body}</dl>'


def _bars(caption: str, counts: Mapping[str, int], empty: str) -> str:
    if not counts:
        return f'<section class="live-bars"><h3>{escape(caption)}</h3>{note(empty)}</section>' if empty else ""
    most = max(counts.values())
    bars = "".join(
        f"<li><b>{escape(name)}</b>"
        f'<span class="ink-track" aria-hidden="true"><span style="width:{100 * count / most:.1f}%"></span></span>'
        f"<span>{count}</span></li>"
        for name, count in counts.items()
    )
    label = escape(caption)
    return f'<section class="live-bars"><h3>{label}</h3><ul aria-label="{label}">{bars}</ul></section>'


def _quantile(quantile: Quantile, what: str) -> tuple[str, str]:
    value_ms = quantile_ms(quantile)
    of = f"of {quantile.count} {what}"
    return (FEW, f"{of}; needs {MIN_OBSERVATIONS}") if value_ms is None else (_ms(value_ms), of)


def _range(above: float, up_to: float) -> str:
    if up_to == float("inf"):
        return f"over {above:.0f}"
    return f"{up_to:.0f}" if up_to - above <= 1 else f"{above + 1:.0f} to {up_to:.0f}"


def _ms(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f} ms" if value < FEW_MS else f"{value:.0f} ms"


def _number(value: float | None, digits: int = 0) -> str:
    return NO_DATA if value is None else f"{value:,.{digits}f}"


def _memory(size: int) -> str:
    return f"{size / MIB:,.0f} MiB" if size else "not yet known"
