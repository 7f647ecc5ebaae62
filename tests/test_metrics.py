"""Increases, rates and quantiles of Prometheus pages, against values worked out by hand."""

from math import inf

import pytest

from inkserve.metrics import (
    Histogram,
    PageError,
    Quantile,
    Series,
    Totals,
    histogram,
    increase,
    mean,
    rate,
    read_page,
    sum_by,
    total,
)

PAGE = """\
# HELP requests_total Requests
# TYPE requests_total counter
requests_total{model="digits",outcome="ok"} 7.0
requests_total{model="digits",outcome="InvalidImage"} 2.0
requests_total{model="reader",outcome="ok",} 1.5e1
# TYPE seconds histogram
seconds_bucket{le="0.001"} 1.0
seconds_bucket{le="+Inf"} 4.0
seconds_count 4.0
seconds_sum 0.5
# TYPE up gauge
up 1.0
"""


def requests_of(outcome: str) -> Series:
    return Series("requests_total", (("model", "digits"), ("outcome", outcome)))


def buckets(counts: dict[str, float], name: str = "seconds", **labels: str) -> dict[Series, float]:
    """The series of a histogram, from how many observations are at most each bound."""
    return {
        Series(f"{name}_bucket", tuple(sorted([("le", bound), *labels.items()]))): count
        for bound, count in counts.items()
    }


def test_a_page_is_read_into_values_by_series_with_its_time():
    page = read_page(PAGE, time_s=12.0)
    assert page.time_s == 12
    assert page.values[requests_of("InvalidImage")] == 2
    assert page.values[Series("requests_total", (("model", "reader"), ("outcome", "ok")))] == 15
    assert page.values[Series("up")] == 1
    assert page.values[Series("seconds_bucket", (("le", "+Inf"),))] == 4


def test_only_wanted_names_are_read():
    assert set(read_page(PAGE, 0, ("up", "seconds_c")).values) == {Series("up"), Series("seconds_count")}


def test_an_empty_page_has_no_values():
    assert read_page("", 0).values == {}


@pytest.mark.parametrize("text", ["<html>{", 'a{b="c} 1', "a one"])
def test_other_text_is_refused(text):
    with pytest.raises(PageError, match="not a Prometheus page"):
        read_page(text)


def test_counters_grow_by_their_difference():
    assert increase({Series("a"): 3.0, Series("b"): 1.0}, {Series("a"): 5.0, Series("b"): 1.0}) == {
        Series("a"): 2,
        Series("b"): 0,
    }


def test_a_counter_that_fell_counts_from_zero():
    assert increase({Series("a"): 100.0}, {Series("a"): 4.0}) == {Series("a"): 4}


def test_a_new_label_set_counts_from_zero():
    before = {requests_of("ok"): 7.0}
    assert increase(before, before | {requests_of("InvalidImage"): 2.0})[requests_of("InvalidImage")] == 2


def test_a_series_that_disappeared_has_no_increase():
    assert increase({Series("a"): 1.0}, {}) == {}


def test_a_rate_is_per_second():
    assert rate({Series("a"): 30.0}, 15) == {Series("a"): 2}


@pytest.mark.parametrize("elapsed_s", [0, -1, float("nan")])
def test_a_rate_needs_elapsed_time(elapsed_s):
    with pytest.raises(ValueError, match="wanted more than 0"):
        rate({}, elapsed_s)


def test_totals_begin_at_zero_and_survive_a_restart():
    totals, a = Totals(), Series("a")
    assert [totals.add({a: value})[a] for value in (100.0, 103.0, 2.0, 2.0, 7.0)] == [0, 3, 5, 5, 10]


def test_earlier_totals_do_not_change():
    totals, a = Totals(), Series("a")
    first = totals.add({a: 1.0})
    second = totals.add({a: 2.0})
    assert (first[a], second[a]) == (0, 1)
    assert totals.add({a: 2.0}) is second  # nothing new weighs nothing


def test_a_series_missing_from_a_page_continues_from_its_last_total():
    totals, a = Totals(), Series("a")
    assert [totals.add(page)[a] for page in ({a: 50.0}, {}, {a: 51.0})] == [0, 0, 1]


def test_a_series_that_appears_counts_from_zero_in_the_totals():
    totals, a = Totals(), Series("a")
    totals.add({})
    assert totals.add({a: 3.0}) == {a: 3}


def test_sums_are_over_the_wanted_labels():
    values = read_page(PAGE, 0).values
    assert total(values, "requests_total") == 24
    assert total(values, "requests_total", model="digits") == 9
    assert total(values, "requests_total", model="nobody") == 0
    assert sum_by(values, "requests_total", "outcome") == {"ok": 22, "InvalidImage": 2}
    assert sum_by(values, "requests_total", "outcome", model="reader") == {"ok": 15}


def test_a_mean_is_of_sum_and_count():
    assert mean(read_page(PAGE, 0).values, "seconds") == 0.125
    assert mean({}, "seconds") is None


# 10 observations up to 1 s, 30 from 1 to 2 s, 60 from 2 to 4 s
HUNDRED = buckets({"1.0": 10, "2.0": 40, "4.0": 100, "+Inf": 100})


@pytest.mark.parametrize(
    ("q", "value"),
    [
        (0.05, 0.5),  # the 5th of 10 that begin at 0
        (0.10, 1.0),
        (0.25, 1.5),  # the 25th: 15 of 30 into the second bucket
        (0.50, 2 + 2 * 10 / 60),  # the 50th: 10 of 60 into the third
        (0.95, 2 + 2 * 55 / 60),
        (1.00, 4.0),
    ],
)
def test_quantiles_are_linear_in_their_bucket(q, value):
    assert histogram(HUNDRED, "seconds").quantile(q) == Quantile(pytest.approx(value), 100)


def test_a_quantile_in_the_last_bucket_is_the_highest_finite_bound():
    assert histogram(buckets({"1.0": 10, "2.0": 40, "+Inf": 100}), "seconds").quantile(0.95) == Quantile(2.0, 100)


def test_all_in_the_last_bucket():
    assert histogram(buckets({"1.0": 0, "2.0": 0, "+Inf": 8}), "seconds").quantile(0.5) == Quantile(2.0, 8)


def test_all_in_the_first_bucket():
    assert histogram(buckets({"1.0": 4, "2.0": 4, "+Inf": 4}), "seconds").quantile(0.5) == Quantile(0.5, 4)


def test_empty_buckets_before_a_rank_are_skipped():
    assert histogram(buckets({"1.0": 0, "2.0": 0, "4.0": 2, "+Inf": 2}), "seconds").quantile(0.5) == Quantile(3.0, 2)


@pytest.mark.parametrize(
    "counts",
    [{}, {"1.0": 0, "+Inf": 0}, {"+Inf": 5}, {"1.0": 5}],
    ids=["no buckets", "no observations", "one bucket", "no bucket without end"],
)
def test_without_a_usable_bucket_there_is_a_count_but_no_value(counts):
    found = histogram(buckets(counts), "seconds").quantile(0.5)
    assert found == Quantile(None, list(counts.values())[-1] if counts else 0)


def test_a_first_bound_under_zero_is_its_own_quantile():
    assert histogram(buckets({"-1.0": 5, "1.0": 5, "+Inf": 5}), "seconds").quantile(0.5) == Quantile(-1.0, 5)


@pytest.mark.parametrize("q", [0, -0.1, 1.1, float("nan")])
def test_a_quantile_outside_0_to_1_is_refused(q):
    with pytest.raises(ValueError, match="wanted one in"):
        histogram(HUNDRED, "seconds").quantile(q)


def test_label_sets_are_added_up_and_chosen():
    pages = buckets({"1.0": 1, "+Inf": 1}, model="digits", version="1.0")
    pages |= buckets({"1.0": 2, "+Inf": 3}, model="digits", version="1.1")
    pages |= buckets({"1.0": 0, "+Inf": 5}, model="reader", version="1.0")
    assert histogram(pages, "seconds") == Histogram((1.0, inf), (3, 9))
    assert histogram(pages, "seconds", model="digits") == Histogram((1.0, inf), (3, 4))
    assert histogram(pages, "seconds", model="digits", version="1.1").counts == [2, 1]


def test_a_restart_between_two_pages_counts_from_zero():
    before = buckets({"1.0": 900, "2.0": 1000, "+Inf": 1000})
    after = buckets({"1.0": 2, "2.0": 8, "+Inf": 10})
    grown = histogram(increase(before, after), "seconds")
    assert grown == Histogram((1.0, 2.0, inf), (2, 8, 10))
    assert grown.quantile(0.5) == Quantile(1.5, 10)


def test_falling_buckets_are_made_level():
    assert histogram(buckets({"1.0": 5, "2.0": 4, "+Inf": 6}), "seconds").cumulative == (5, 5, 6)


def test_bounds_are_sorted_as_numbers():
    assert histogram(buckets({"10.0": 3, "2.5": 1, "+Inf": 3}), "seconds").bounds == (2.5, 10.0, inf)
