"""Simulated nations: the truth they claim is the truth they were drawn from."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from brightspots.common.errors import SettingsError
from brightspots.common.settings import Priors
from brightspots.common.vocabulary import FAMILIES
from brightspots.data.columns import Columns
from brightspots.data.options import ReadOptions
from brightspots.data.tables import read_table
from brightspots.simulate.draws import Stream, uniform_draws
from brightspots.simulate.nation import CQC_FREQUENCIES, sample_nation, simulate_nation, write_sample


def test_a_seed_is_a_nation():
    one, again, other = (simulate_nation(8, 5, 2, seed=seed) for seed in (3, 3, 4))
    for part in ("cells", "truth", "row_truth", "trusts"):
        pd.testing.assert_frame_equal(getattr(one, part), getattr(again, part))
    assert one.parameters == again.parameters
    assert not one.cells["observed"].equals(other.cells["observed"])


def test_a_drawn_seed_is_kept_and_makes_the_same_nation_again():
    drawn = simulate_nation(4, 3)
    again = simulate_nation(4, 3, seed=drawn.parameters["seed"])
    pd.testing.assert_frame_equal(drawn.cells, again.cells)


def test_uniform_draws_are_the_generators_own_bits():
    bits = np.random.PCG64(np.random.SeedSequence([7, 1])).random_raw(1000)
    draws = uniform_draws(7, Stream.TRUST, 1000)
    assert ((draws > 0) & (draws < 1)).all()
    np.testing.assert_allclose(draws, bits.astype(float) / 2.0**64, atol=2.0**-51)


def test_parameters_hold_every_argument_as_used():
    nation = simulate_nation(5, 4, sd_trust=0.3, seed=9)
    assert nation.parameters["sd_trust"] == 0.3
    assert nation.parameters["seed"] == 9
    assert nation.parameters["family"] == "poisson"
    with pytest.raises(TypeError):
        nation.parameters["seed"] = 1  # type: ignore[index]


def test_changing_one_ingredient_leaves_the_draws_of_the_others():
    base = simulate_nation(30, 6, 2, seed=5)
    louder = simulate_nation(30, 6, 2, sd_department=0.5, seed=5)
    pd.testing.assert_series_equal(base.truth["trust_effect"], louder.truth["trust_effect"])
    pd.testing.assert_series_equal(base.cells["expected"], louder.cells["expected"])
    pd.testing.assert_series_equal(base.cells["rating"], louder.cells["rating"])
    np.testing.assert_allclose(
        louder.truth["department_effect"], base.truth["department_effect"] * 0.5 / 0.19
    )


def test_effects_have_the_standard_deviations_asked_for():
    nation = simulate_nation(
        2000, 40, 2, sd_trust=0.2, sd_department=0.3, sd_period=0.1, sd_department_type=0.4,
        missing_departments=0.0, seed=11,
    )  # fmt: skip
    effects = [
        (nation.trusts["trust_effect"], 0.2),
        (nation.truth["department_effect"], 0.3),
        (nation.row_truth["period_effect"], 0.1),
        (nation.row_truth["department_type_effect"].unique(), 0.4),
    ]
    for drawn, sd in effects:
        # The standard error of a standard deviation from n normal numbers is sd/√(2n).
        assert np.std(drawn) == pytest.approx(sd, abs=4 * sd / np.sqrt(2 * len(drawn)))


def test_without_periods_nothing_passes():
    nation = simulate_nation(5, 4, seed=1)
    assert "period" not in nation.cells
    assert (nation.row_truth["period_effect"] == 0).all()
    assert len(nation.truth) == len(nation.cells)


def test_log_ratio_is_the_sum_of_its_effects():
    nation = simulate_nation(6, 5, (2023, 2024), intercept=0.3, seed=2)
    rows = nation.cells[["trust", "department"]].merge(
        nation.truth, on=["trust", "department"], validate="m:1"
    )
    total = (
        0.3 + nation.row_truth["department_type_effect"] + rows["trust_effect"]
        + rows["department_effect"] + nation.row_truth["period_effect"]
    )  # fmt: skip
    np.testing.assert_allclose(nation.row_truth["log_ratio"], total, rtol=1e-12)
    assert nation.cells["period"].unique().tolist() == [2023, 2024]


@pytest.mark.parametrize("family", ["poisson", "binomial", "normal"])
def test_own_ratio_leaves_the_department_itself_out(family):
    nation = simulate_nation(12, 5, 2, family=family, missing_departments=0.5, seed=6)
    cells = nation.cells
    weight = cells["standard_error"] ** -2.0 if family == "normal" else cells["expected"]
    weights = weight.groupby([cells["trust"], cells["department"]]).sum()
    effects = nation.truth.set_index(["trust", "department"])
    assert effects["log_own_ratio"].isna().any()
    for (trust, department), cell in effects.iterrows():
        others = effects.loc[[trust]].drop(index=(trust, department))
        if others.empty:
            assert np.isnan(cell["log_own_ratio"])
            continue
        level = np.average(others["department_effect"], weights=weights[others.index])
        assert cell["log_own_ratio"] == pytest.approx(cell["department_effect"] - level)
        assert cell["log_peer_ratio"] == pytest.approx(cell["trust_effect"] + cell["department_effect"])
        assert cell["expected"] == pytest.approx(weights[trust, department])


def test_student_t_effects_keep_the_standard_deviation_and_gain_tails():
    normal, heavy = (
        simulate_nation(2000, 50, effects=effects, degrees_of_freedom=5, seed=8).truth["department_effect"]
        for effects in ("normal", "student_t")
    )
    assert heavy.std() == pytest.approx(0.19, rel=0.02)
    assert abs(normal.kurt()) < 0.1
    assert heavy.kurt() > 1


def test_contamination_multiplies_the_stated_share():
    clean, dirty = (
        simulate_nation(
            200, 50, effects=effects, contamination_share=0.1, contamination_scale=5, seed=8
        ).truth["department_effect"]
        for effects in ("normal", "contaminated")
    )  # fmt: skip
    ratio = (dirty / clean).round(9)
    assert set(ratio) == {1.0, 5.0}
    assert (ratio == 5).mean() == pytest.approx(0.1, abs=0.015)


@pytest.mark.parametrize("effects", ["student_t", "contaminated"])
def test_trusts_may_have_heavy_tails_too_and_departments_stay_as_they_were(effects):
    usual, heavy = (
        simulate_nation(5000, 2, trust_effects=shape, degrees_of_freedom=5, seed=8)
        for shape in ("normal", effects)
    )
    assert heavy.trusts["trust_effect"].kurt() > 1
    pd.testing.assert_series_equal(heavy.truth["department_effect"], usual.truth["department_effect"])
    if effects == "contaminated":
        ratio = (heavy.trusts["trust_effect"] / usual.trusts["trust_effect"]).round(9)
        assert set(ratio) == {1.0, 4.0}
        assert (ratio == 4).mean() == pytest.approx(0.05, abs=0.01)


def test_department_types_may_differ_in_how_much_they_differ():
    sds = [0.05, 0.2, 0.4]
    truth = simulate_nation(2000, 3, sd_department=sds, missing_departments=0.0, seed=8).truth
    found = truth.groupby("department", sort=False)["department_effect"].std()
    np.testing.assert_allclose(found, sds, rtol=0.05)
    with pytest.raises(SettingsError, match="one for each of the 3 department types"):
        simulate_nation(5, 3, sd_department=[0.1, 0.2])
    with pytest.raises(
        SettingsError, match="sd_department must be a finite number of at least 0; received -1"
    ):
        simulate_nation(5, 2, sd_department=[0.1, -1.0])


def test_poisson_counts_scatter_around_their_means():
    nation = simulate_nation(200, 20, seed=12)
    mean = nation.cells["expected"] * np.exp(nation.row_truth["log_ratio"])
    z = (nation.cells["observed"] - mean) / np.sqrt(mean)
    assert z.mean() == pytest.approx(0, abs=4 / np.sqrt(len(z)))
    assert z.std() == pytest.approx(1, abs=0.05)


def test_binomial_counts_scatter_around_their_means():
    nation = simulate_nation(200, 20, family="binomial", base_rate=0.3, seed=12)
    observed, people, expected = (nation.cells[name] for name in ("observed", "denominator", "expected"))
    odds = expected / (people - expected) * np.exp(nation.row_truth["log_ratio"])
    chance = odds / (1 + odds)
    z = (observed - people * chance) / np.sqrt(people * chance * (1 - chance))
    assert z.mean() == pytest.approx(0, abs=4 / np.sqrt(len(z)))
    assert z.std() == pytest.approx(1, abs=0.05)
    assert (observed <= people).all()


def test_estimates_scatter_around_their_truth():
    nation = simulate_nation(200, 20, family="normal", seed=12)
    z = (nation.cells["estimate"] - nation.row_truth["log_ratio"]) / nation.cells["standard_error"]
    assert z.mean() == pytest.approx(0, abs=4 / np.sqrt(len(z)))
    assert z.std() == pytest.approx(1, abs=0.05)


def test_sizes_are_log_normal_with_the_stated_mean():
    nation = simulate_nation(3000, 1, sd_trust_size=0.6, sd_department_size=0, sd_cell_size=0, seed=3)
    log_size = np.log(nation.cells["expected"])
    assert nation.cells["expected"].mean() == pytest.approx(40, rel=0.05)
    assert log_size.std() == pytest.approx(0.6, rel=0.05)
    equal = simulate_nation(4, 4, sd_trust_size=0, sd_department_size=0, sd_cell_size=0, seed=3)
    np.testing.assert_allclose(equal.cells["expected"], 40)


def test_some_trusts_lack_some_departments_but_nobody_is_left_with_nothing():
    nation = simulate_nation(100, 30, missing_departments=0.25, seed=1)
    assert len(nation.truth) / 3000 == pytest.approx(0.75, abs=0.03)
    bare = simulate_nation(40, 30, missing_departments=0.99, seed=1)
    assert bare.cells["trust"].nunique() == 40
    assert bare.cells["department"].nunique() == 30


def test_rating_bands_occur_as_often_as_stated():
    nation = simulate_nation(243, 2, seed=1)
    rating = nation.cells.drop_duplicates("trust")["rating"]
    assert rating.cat.ordered
    assert rating.value_counts(sort=False).to_dict() == {
        "Inadequate": 6, "Requires improvement": 88, "Good": 126, "Outstanding": 23,
    }  # fmt: skip
    assert nation.cells.groupby("trust")["rating"].nunique().eq(1).all()
    assert sum(CQC_FREQUENCIES.values()) == pytest.approx(1)


@pytest.mark.parametrize("validity", [-0.7, 0.0, 0.4, 1.0])
def test_rating_validity_is_the_correlation_with_the_trust_effect(validity):
    trusts = simulate_nation(4000, 1, rating_validity=validity, seed=2).trusts
    correlation = np.corrcoef(-trusts["trust_effect"], trusts["latent_rating"])[0, 1]
    assert correlation == pytest.approx(validity, abs=0.05)


def test_a_perfect_rating_puts_the_worst_trusts_in_the_worst_band():
    nation = simulate_nation(100, 3, rating_validity=1.0, rating_frequencies={"low": 1, "high": 3}, seed=2)
    effect = nation.trusts["trust_effect"]
    band = nation.cells.drop_duplicates("trust")["rating"].to_numpy()
    assert (band == "low").sum() == 25
    assert effect[band == "low"].min() > effect[band == "high"].max()


def test_ratings_can_be_left_out():
    nation = simulate_nation(4, 3, rating_validity=None, seed=1)
    assert "rating" not in nation.cells
    assert "latent_rating" not in nation.trusts


@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_suppressed_counts_are_intervals_that_hold_the_truth(family):
    nation = simulate_nation(50, 10, family=family, mean_expected=6, suppress=(1, 7), seed=4)
    cells, true = nation.cells, nation.row_truth["observed"]
    hidden = true.between(1, 7)
    assert hidden.any()
    assert (~hidden).any()
    assert (true == 0).any()
    pd.testing.assert_series_equal(cells["observed"].isna(), hidden, check_names=False)
    assert (cells["observed_lower"][hidden] == 1).all()
    assert (cells["observed_upper"][hidden] <= 7).all()
    assert cells["observed_lower"].le(true).all()
    assert cells["observed_upper"].ge(true).all()
    for column in ("observed", "observed_lower", "observed_upper"):
        assert (cells[column][~hidden] == true[~hidden]).all()


def test_identifiers_cannot_be_mistaken_for_real_trust_codes():
    cells = simulate_nation(120, 2, seed=1).cells
    assert cells["trust"].str.fullmatch(r"T\d{3}").all()
    assert cells["trust_name"].str.startswith("Simulated").all()
    assert "Simulated" in cells.attrs["notes"][0]
    assert simulate_nation(1200, 1, seed=1).cells["trust"].iloc[0] == "T0001"


def test_department_names_are_those_given_or_run_on():
    assert (
        simulate_nation(2, ["A", "B"], missing_departments=0, seed=1).cells["department"].tolist()
        == ["A", "B"] * 2
    )
    names = simulate_nation(2, 30, missing_departments=0, seed=1).cells["department"].unique()
    assert len(names) == 30
    assert names[0] == "Cardiology"
    assert names[-1] == "Department 030"


@pytest.mark.parametrize("family", ["poisson", "binomial", "normal"])
@pytest.mark.parametrize("periods", [None, 3])
def test_cells_go_straight_into_the_library(family, periods):
    nation = simulate_nation(
        6, 4, periods, family=family, suppress=None if family == "normal" else (1, 7), seed=1
    )
    table = read_table(nation.cells, ReadOptions(Columns(), family), Priors())
    assert table.cells.n_leaves == len(nation.cells)
    assert table.cells.family.name == family
    assert "rating" in table.extras


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trusts": 0}, "trusts must be a positive whole number; received 0"),
        ({"trusts": 2.5}, "trusts must be a whole number"),
        ({"departments": []}, "departments must be labels that differ"),
        ({"departments": ["A", "A"]}, "departments must be labels that differ"),
        ({"departments": "Cardiology"}, "departments must be a whole number or a sequence"),
        ({"periods": 0}, "periods must be a positive whole number or a sequence"),
        ({"family": "gamma"}, f"family must be one of {', '.join(FAMILIES)}; received 'gamma'"),
        ({"effects": "t"}, "effects must be one of"),
        ({"intercept": float("nan")}, "intercept must be a finite number"),
        ({"sd_trust": -0.1}, "sd_trust must be a finite number of at least 0; received -0.1"),
        ({"degrees_of_freedom": 2}, "degrees_of_freedom must be a finite number above 2"),
        ({"mean_expected": 0}, "mean_expected must be a finite number above 0"),
        ({"base_rate": 1.0}, "base_rate"),
        ({"missing_departments": 1.0}, "missing_departments must be a number from 0 to below 1"),
        ({"rating_validity": 1.5}, "rating_validity must be None or between -1 and 1"),
        ({"rating_frequencies": {}}, "rating_frequencies must be a mapping"),
        ({"rating_frequencies": {"low": -1, "high": 2}}, "rating_frequencies must be a mapping"),
        ({"suppress": (7, 1)}, "suppress must be"),
        ({"suppress": 7}, "suppress must be"),
        ({"suppress": (1, 7), "family": "normal"}, "suppress must be None for estimates"),
        ({"seed": -1}, "seed"),
    ],
)  # fmt: skip
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(SettingsError, match=message.replace("(", r"\(")):
        simulate_nation(**{"seed": 1, **arguments})


def test_the_sample_is_written_the_same_every_time(tmp_path):
    for name in ("one.csv.gz", "two.csv.gz"):
        write_sample(tmp_path / name)
    one, two = ((tmp_path / name).read_bytes() for name in ("one.csv.gz", "two.csv.gz"))
    assert one == two
    assert len(gzip.decompress(one).splitlines()) == len(sample_nation().cells) + 1
