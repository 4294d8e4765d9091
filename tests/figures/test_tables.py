"""Figures of tables of spots, partitions and periods: what is drawn is what the table holds."""

from __future__ import annotations

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from brightspots.common.errors import DataError, SettingsError
from brightspots.figures.caterpillar import draw_caterpillar
from brightspots.figures.describe import describe
from brightspots.figures.mosaic import draw_mosaic
from brightspots.figures.partition import draw_partition
from brightspots.figures.rating import draw_rating
from brightspots.figures.trend import draw_trend

from .conftest import NAMES, RATINGS, spots_frame


def drawn(ax: Axes, gid: str = "units") -> np.ndarray:
    return np.concatenate([line.get_xydata() for line in ax.lines if line.get_gid() == gid])


def tick_texts(labels: list[mpl.text.Text]) -> list[str]:
    return [label.get_text() for label in labels]


def partition() -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "sd": [0.12, 0.2],
            "share": [0.26, 0.74],
            "share_lower": [0.15, 0.61],
            "share_upper": [0.39, 0.85],
            "median_ratio": [1.12, 1.21],
        },
        index=pd.Index(["trust", "department"], name="level"),
    )
    frame.attrs["p_department_exceeds_trust"] = 0.9997
    return frame


# ---- partition -------------------------------------------------------------------------------------------------


def test_bars_are_the_shares_and_words_say_them():
    ax = draw_partition(partition())
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([26.0, 74.0])
    assert tick_texts(ax.get_yticklabels())[0] == "Between trusts"
    written = [text.get_text() for text in ax.texts]
    assert "74% (61% to 85%), median ratio 1.21" in written
    assert "vary more than trusts: above 0.99" in describe(ax)


def test_a_partition_without_intervals_is_refused():
    with pytest.raises(DataError, match="share_lower"):
        draw_partition(partition().drop(columns="share_lower"))


# ---- mosaic ----------------------------------------------------------------------------------------------------


def test_every_cell_is_drawn_once_at_its_place(spots_table: pd.DataFrame):
    ax = draw_mosaic(spots_table.iloc[:-1])
    assert len(drawn(ax)) == len(spots_table) - 1
    assert len(np.unique(drawn(ax), axis=0)) == len(spots_table) - 1
    assert tick_texts(ax.get_yticklabels()) == sorted(spots_table["trust"].unique())
    first = spots_table.iloc[0]
    assert first["status"] == "dark spot"
    assert [0.0, 0.0] in drawn(ax).tolist()
    assert "not a ranking" in describe(ax)
    assert "8 trusts by 5 departments" in describe(ax)


def test_row_order_ignores_results_and_groups_by_rating(spots_table: pd.DataFrame):
    shuffled = spots_table.sample(frac=1.0, random_state=1)
    ax = draw_mosaic(shuffled, order=RATINGS[::-1])
    assert tick_texts(ax.get_yticklabels()) == ["R00", "R05", "R01", "R06", "R02", "R07", "R03", "R04"]
    words = [text.get_text() for text in ax.texts]
    assert [word for word in words if word in (*RATINGS, "Not rated")] == [*RATINGS[::-1], "Not rated"]


def test_a_nation_stays_readable():
    ax = draw_mosaic(spots_frame(150, 25))
    ax.figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert len(boxes) == 150
    assert not any(a.overlaps(b) for a, b in pairwise(boxes))
    assert all(label.get_fontsize() >= 7 for label in ax.get_yticklabels())
    # Departments are named at the top too.
    assert ax.xaxis.get_major_ticks()[0].label2.get_visible()


def test_mosaic_names_are_literal(spots_table: pd.DataFrame):
    ax = draw_mosaic(spots_table, trust_names={"R00": NAMES[1], "R01": NAMES[2]})
    ax.figure.draw_without_rendering()
    assert NAMES[1] in tick_texts(ax.get_yticklabels())
    assert all(not label.get_parse_math() for label in ax.get_yticklabels())
    assert max(len(text) for text in tick_texts(ax.get_yticklabels())) <= 42


def test_a_grid_that_nobody_could_read_is_refused():
    table = pd.DataFrame({"trust": [f"T{i:04d}" for i in range(401)], "department": "D", "status": "in line"})
    with pytest.raises(SettingsError, match=r"a grid of 401 trusts cannot be read .*plot_mosaic\(trusts="):
        draw_mosaic(table)
    assert draw_mosaic(table.iloc[1:])


def test_mosaic_faults(spots_table: pd.DataFrame):
    with pytest.raises(DataError, match="no column status"):
        draw_mosaic(spots_table.drop(columns="status"))
    with pytest.raises(DataError, match="unknown status; row 3"):
        draw_mosaic(spots_table.assign(status=spots_table["status"].where(spots_table.index != 3, "great")))
    with pytest.raises(DataError, match="same department twice"):
        draw_mosaic(pd.concat([spots_table, spots_table.iloc[:1]]))


# ---- caterpillar -----------------------------------------------------------------------------------------------


def test_a_caterpillar_is_sorted_and_named(spots_table: pd.DataFrame):
    one = spots_table[spots_table["trust"] == "R00"]
    ax = draw_caterpillar(one, margin=1.1, title="Departments of R00")
    points = drawn(ax)
    points = points[np.argsort(points[:, 1])]
    assert points[:, 0].tolist() == sorted(one["own_ratio"])
    by_ratio = one.sort_values("own_ratio")["department"].tolist()
    assert tick_texts(ax.get_yticklabels()) == by_ratio
    assert "Dark spots: D02, D00. Bright spots: D01, D04." in describe(ax)


def test_a_long_caterpillar_names_only_flagged_rows_with_room():
    many = spots_frame(150, 20)
    ax = draw_caterpillar(many, label="trust")
    ax.figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert 0 < len(boxes) < 100
    assert not any(a.overlaps(b) for a, b in pairwise(boxes))
    assert "rows are flagged; those with room are named" in describe(ax)


def test_departments_without_a_ratio_are_counted(spots_table: pd.DataFrame):
    holes = spots_table.assign(own_ratio=spots_table["own_ratio"].where(spots_table.index > 1))
    ax = draw_caterpillar(holes.head(10))
    assert len(drawn(ax)) == 8
    assert "2 without a ratio are not shown" in describe(ax)
    with pytest.raises(DataError, match="no ratio to draw"):
        draw_caterpillar(holes.head(2))
    with pytest.raises(DataError, match="no column own_ratio_lower"):
        draw_caterpillar(spots_table.drop(columns="own_ratio_lower"))


# ---- rating ----------------------------------------------------------------------------------------------------


def test_divergent_departments_are_ringed_and_named(spots_table: pd.DataFrame):
    ax = draw_rating(spots_table, order=RATINGS)
    rated = spots_table[spots_table["rating"].notna()]
    divergent = rated[rated["rating_status"].isin(["dark in strong", "bright in weak"])]
    assert len(drawn(ax)) == len(rated)
    assert sorted(drawn(ax, "divergent")[:, 1]) == sorted(divergent["peer_ratio"])
    bands = np.round(drawn(ax, "divergent")[:, 0]).astype(int)
    expected = divergent["rating"].map(RATINGS.index)
    assert sorted(bands) == sorted(expected)
    named = {text.get_text() for text in ax.texts if text.get_gid() == "label"}
    assert named <= set(divergent["department"] + ", " + divergent["trust"])
    assert "D00, R00" in named
    assert "without a rating" in describe(ax)


def test_many_divergent_departments_keep_their_marks_and_the_rest_recedes():
    """Rings of hundreds would be one black blot."""
    table = spots_frame(150, 20)
    ax = draw_rating(table, order=RATINGS)
    divergent = table["rating_status"].isin(["dark in strong", "bright in weak"]).sum()
    assert divergent > 60
    assert not [line for line in ax.lines if line.get_gid() == "divergent"]
    units = [line for line in ax.lines if line.get_gid() == "units"]
    plain = [line for line in units if line.get_alpha() == 1.0]
    assert sum(len(line.get_xdata()) for line in plain) == divergent
    assert "Not faded: " in describe(ax)


def test_ratings_of_departments_are_called_so(spots_table: pd.DataFrame):
    ax = draw_rating(spots_table, order=RATINGS, of="department", title=None)
    assert ax.get_xlabel() == "Rating of the department itself"
    assert "by rating of the department itself" in describe(ax)
    assert "trust" not in ax.get_xlabel()


def test_the_caption_says_by_which_rule_a_rating_is_strong(spots_table: pd.DataFrame):
    rule = "Good or better, on the Care Quality Commission's scale"
    assert (
        f"bright in weak trusts. Grey band and line: middle half and median of the departments. Strong: {rule}."
        in (describe(draw_rating(spots_table, order=RATINGS, strong=rule)))
    )
    own = describe(draw_rating(spots_table, order=RATINGS, of="department", strong=rule))
    assert "bright in weak. Grey band" in own


def test_where_the_strong_ratings_are_not_known_none_is_called_strong(spots_table: pd.DataFrame):
    ax = draw_rating(spots_table.assign(rating_status="not rated"), order=RATINGS)
    assert len(drawn(ax)) == spots_table["rating"].notna().sum()
    assert not [line for line in ax.lines if line.get_gid() == "divergent"]
    said = describe(ax)
    assert "Which ratings count as strong is not known." in said
    assert "in strong" not in said


def test_rating_faults(spots_table: pd.DataFrame):
    with pytest.raises(DataError, match="a rating is not in order="):
        draw_rating(spots_table, order=RATINGS[1:])
    with pytest.raises(SettingsError, match="order must list"):
        draw_rating(spots_table, order="Good")
    with pytest.raises(DataError, match="no column rating_status"):
        draw_rating(spots_table.drop(columns="rating_status"), order=RATINGS)


# ---- trend -----------------------------------------------------------------------------------------------------


def test_a_trend_is_drawn_in_the_order_of_time():
    frame = pd.DataFrame({"period": [2012, 2010, 2011], "ratio": [1.3, 1.1, np.nan]})
    ax = draw_trend(frame, level=1.2, level_lower=1.05, level_upper=1.4, title="Cardiology")
    y = drawn(ax, "ratios")[:, 1]
    np.testing.assert_array_equal(y, [1.1, np.nan, 1.3])
    assert tick_texts(ax.get_xticklabels()) == ["2010", "2011", "2012"]
    assert (
        "2010 1.10, 2011 missing, 2012 1.30. Average over the periods shown 1.20 (1.05 to 1.40)"
        in describe(ax)
    )


def test_trend_faults():
    with pytest.raises(DataError, match="a period is given twice; row 1"):
        draw_trend(pd.DataFrame({"period": [1, 1], "ratio": [1.0, 2.0]}))
    with pytest.raises(DataError, match="no column ratio"):
        draw_trend(pd.DataFrame({"period": [1]}))
    with pytest.raises(DataError, match="no ratio to draw"):
        draw_trend(pd.DataFrame({"period": [1], "ratio": [np.nan]}))
