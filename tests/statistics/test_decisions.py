"""The Bayesian false discovery rate, and the four statuses."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from brightspots import SpotRule
from brightspots.common import vocabulary as names
from brightspots.statistics.decisions import bayesian_fdr, decide
from brightspots.statistics.ensemble import Extremes
from brightspots.statistics.summaries import CellSummary, Interval

PROBABILITIES = hnp.arrays(float, st.integers(1, 9), elements=st.floats(0, 1, width=16))
FDR = st.floats(0.01, 0.5)


def summary_of(high, low, *, reliability=1.0) -> CellSummary:
    """A summary in which both references say the same."""
    high, low = np.asarray(high, float), np.asarray(low, float)
    nothing = Interval(*(np.zeros(len(high)) for _ in range(3)))
    ones = np.ones(len(high))
    return CellSummary(
        reach=float(np.log(1.1)),
        peer=nothing,
        own=nothing,
        excess=nothing,
        p_peer_high=high,
        p_peer_low=low,
        p_own_high=high,
        p_own_low=low,
        p_both_high=high,
        p_both_low=low,
        own_sd=ones,
        reliability=np.broadcast_to(reliability, len(high)),
        p_within_both=1.0 - high - low,
        own_evidence=ones,
        peer_evidence=ones,
    )


@given(PROBABILITIES, FDR)
def test_the_list_is_the_longest_that_keeps_the_rate(probability, fdr):
    """Against brute force over every set that is closed upwards (whoever is likelier is flagged too)."""
    flagged = bayesian_fdr(probability, fdr)
    best = 0
    for size in range(1, len(probability) + 1):
        for chosen in itertools.combinations(range(len(probability)), size):
            inside = probability[list(chosen)]
            outside = np.delete(probability, chosen)
            closed = not len(outside) or inside.min() > outside.max()
            if closed and np.mean(1 - inside) <= fdr:
                best = size
    assert flagged.sum() == best
    if flagged.any() and not flagged.all():
        assert probability[flagged].min() > probability[~flagged].max()


@given(PROBABILITIES, FDR)
def test_halving_the_rate_never_adds_flags(probability, fdr):
    assert not np.any(bayesian_fdr(probability, fdr / 2) & ~bayesian_fdr(probability, fdr))


def test_missing_probabilities_are_never_flagged():
    assert list(bayesian_fdr(np.array([np.nan, 0.99]), 0.05)) == [False, True]
    assert not bayesian_fdr(np.array([np.nan]), 0.05).any()


def test_the_four_statuses():
    decisions = decide(
        summary_of([0.99, 0.0, 0.05, 0.4, np.nan], [0, 0.99, 0.05, 0.1, np.nan]), np.ones(5), SpotRule()
    )
    assert list(decisions.status) == ["dark spot", "bright spot", "in line", "cannot tell", "cannot tell"]
    np.testing.assert_allclose(decisions.probability, [0.99, 0.99, 0.9, 0.5, np.nan])
    assert decisions.expected_false == pytest.approx(0.02)
    assert decisions.needed == 0.99


@given(hnp.arrays(float, 12, elements=st.floats(0, 1)), hnp.arrays(float, 12, elements=st.floats(0, 1)), FDR)
def test_swapping_the_direction_swaps_bright_and_dark(share, side, fdr):
    high, low = share * side, share * (1 - side)
    rule = SpotRule(fdr=fdr, min_probability=0.0)
    worse = decide(summary_of(high, low), np.ones(12), rule, "worse").status
    better = decide(summary_of(high, low), np.ones(12), rule, "better").status
    swap = {"dark spot": "bright spot", "bright spot": "dark spot"}
    assert list(better) == [swap.get(status, status) for status in worse]


def test_thin_data_and_small_cells_can_be_kept_off_the_list():
    summary = summary_of([0.99, 0.99], [0, 0], reliability=np.array([0.1, 0.9]))
    reliable = decide(summary, np.ones(2), SpotRule(min_reliability=0.5))
    assert list(reliable.status) == ["cannot tell", "dark spot"]
    large = decide(summary, np.array([100.0, 1.0]), SpotRule(min_expected=10))
    assert list(large.status) == ["dark spot", "cannot tell"]


def test_each_reference_reads_its_own_exceedance():
    summary = summary_of([0.99], [0.0])
    summary = replace(summary, p_peer_high=np.array([0.3]), p_both_high=np.array([0.29]))
    assert decide(summary, np.ones(1), SpotRule()).status[0] == "dark spot"
    assert decide(summary, np.ones(1), SpotRule(reference="peers")).status[0] == "cannot tell"
    assert decide(summary, np.ones(1), SpotRule(reference="both")).probability[0] == pytest.approx(0.29)


def test_sure_flags_do_not_buy_unsure_ones():
    """Forty sure ones would let one of 0.3 onto a list at a rate of 5%."""
    high = np.r_[np.full(40, 0.999), 0.85, 0.6, 0.3]
    flagged = [
        decide(summary_of(high, np.zeros(43)), np.ones(43), SpotRule(min_probability=floor)).status
        == names.DARK
        for floor in (0.0, 0.5, 0.8)
    ]
    assert [int(each.sum()) for each in flagged] == [43, 42, 41]
    assert decide(summary_of(high, np.zeros(43)), np.ones(43), SpotRule()).needed == pytest.approx(0.85)


@given(hnp.arrays(float, 12, elements=st.floats(0, 1)), hnp.arrays(float, 12, elements=st.floats(0, 1)), FDR)
def test_no_flag_below_the_floor_nor_where_a_department_is_in_line(share, side, fdr):
    high, low = share * side, share * (1 - side)
    for floor, in_line in ((0.0, 0.3), (0.5, 0.8), (0.9, 0.8)):
        rule = SpotRule(fdr=fdr, min_probability=floor, in_line=in_line)
        decisions = decide(summary_of(high, low), np.ones(12), rule)
        flagged = np.isin(decisions.status, [names.DARK, names.BRIGHT])
        assert np.all(decisions.beyond[flagged] >= floor)
        assert not np.any(flagged & (1.0 - high - low >= in_line))


def test_each_status_has_a_list_of_its_own():
    """As bad as the rest of a bad trust: against its own trust nothing can be said, against its peers all."""
    summary = replace(
        summary_of([0.3, 0.99, 0.0, 0.05], [0.0, 0.0, 0.99, 0.05]),
        p_peer_high=np.array([0.99, 0.0, 0.0, 0.3]),
        p_peer_low=np.array([0.0, 0.99, 0.99, 0.0]),
    )
    decisions = decide(summary, np.ones(4), SpotRule())
    assert list(decisions.own_status) == [names.CANNOT_TELL, names.DARK, names.BRIGHT, names.IN_LINE]
    assert list(decisions.peer_status) == [names.DARK, names.BRIGHT, names.BRIGHT, names.CANNOT_TELL]
    assert list(decisions.reading) == [
        "worse than peers; own trust: cannot tell",
        "worse than own trust, better than peers",
        "better than own trust and peers",
        "as own trust; peers: cannot tell",
    ]
    assert list(decisions.status[:3]) == list(decisions.own_status[:3])
    by_peers = decide(summary, np.ones(4), SpotRule(reference="peers"))
    assert list(by_peers.status[:3]) == list(decisions.peer_status[:3])
    assert list(by_peers.own_status) == list(decisions.own_status)


def test_in_line_with_peers_needs_evidence_of_its_own():
    summary = replace(summary_of([0.05, 0.05], [0.05, 0.05]), peer_evidence=np.array([0.5, 0.9]))
    assert list(decide(summary, np.ones(2), SpotRule()).peer_status) == [names.CANNOT_TELL, names.IN_LINE]


def test_every_pair_of_statuses_has_a_reading_of_its_own():
    assert set(names.READINGS) == set(itertools.product(names.STATUSES, repeat=2))
    assert len(set(names.READINGS.values())) == 16


def test_a_share_flags_the_extreme_and_keeps_the_margin_for_what_is_in_line():
    high, low = np.array([1.0, 1.0, 0.05]), np.array([0.0, 0.0, 0.05])
    tails = [np.array([0.97, 0.2, 0.0]), np.array([0.0, 0.0, 0.0])]
    decisions = decide(summary_of(high, low), np.ones(3), SpotRule(share=0.1), extremes=Extremes(*tails * 3))
    assert list(decisions.status) == [names.DARK, names.CANNOT_TELL, names.IN_LINE]
    np.testing.assert_allclose(decisions.probability, [0.97, 0.2, 0.9])


def test_extremes_belong_to_a_share():
    """Without them a share would be decided by the margin."""
    with pytest.raises(ValueError, match="extremes are for a rule with a share"):
        decide(summary_of(np.array([0.5]), np.array([0.1])), np.ones(1), SpotRule(share=0.1))
