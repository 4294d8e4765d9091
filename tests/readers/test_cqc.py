"""CQC: one overall rating a provider, the latest one, in the publisher's words."""

from __future__ import annotations

import io

import pytest

from brightspots.common.errors import DataError
from brightspots.readers import read_cqc_ratings
from tests.readers.files import CQC_COLUMNS, write


def row(code, date, score, population="Overall", question="Overall"):
    return dict(zip(CQC_COLUMNS, (code, date, population, question, score), strict=True))


ROWS = [
    row("RA1", "11/12/2015", 1),
    row("RA1", "12/11/2016", 2),
    row("RA1", "01/01/2018", 0, question="Safe"),
    row("RA1", "01/01/2018", 3, population="Surgery"),
    row("RB2", "21/12/2018", 3),
    row("RC3", "21/12/2018", 2, population="Surgery"),
]


def read(rows, scores=None, columns=CQC_COLUMNS):
    content = ("\ufeff" + write(columns, rows)).encode("utf-8")
    return read_cqc_ratings(io.BytesIO(content), None if scores is None else io.StringIO(scores))


def test_the_latest_overall_rating_is_kept_day_first():
    ratings = read(ROWS)
    assert ratings["trust"].tolist() == ["RA1", "RB2"]
    assert ratings["rating"].tolist() == ["Good", "Outstanding"]
    assert ratings["rating_date"].dt.strftime("%Y-%m-%d").tolist() == ["2016-11-12", "2018-12-21"]


def test_ratings_are_ordered_worst_first():
    rating = read(ROWS)["rating"]
    assert rating.cat.ordered
    assert rating.cat.categories.tolist() == ["Inadequate", "Requires improvement", "Good", "Outstanding"]


def test_what_is_dropped_is_said():
    notes = " ".join(read(ROWS).attrs["notes"])
    assert "Dropped 3 rows about services or single questions" in notes
    assert "Dropped 1 older overall rating." in notes
    assert "Kept 2 of 3 providers" in notes


def test_ratings_may_be_words():
    words = ["INADEQUATE", "Requires improvement", "good", "Outstanding"]
    worded = [{**each, "RATING_SCORE": words[each["RATING_SCORE"]]} for each in ROWS]
    assert read(worded).equals(read(ROWS))


def test_providers_that_were_inspected_but_not_rated_are_left_out():
    ratings = read([*ROWS, row("RD4", "01/02/2018", "Inspected but not rated")])
    assert "RD4" not in set(ratings["trust"])


def test_scores_can_be_given():
    table = "\ufeffRATING,SCORE\nInadequate,10\nRequires improvement,20\nGood,30\nOutstanding,40\n"
    scored = [{**each, "RATING_SCORE": 10 * (each["RATING_SCORE"] + 1)} for each in ROWS]
    assert read(scored, table).equals(read(ROWS))
    with pytest.raises(DataError, match="a rating is not known"):
        read(scored)
    with pytest.raises(DataError, match="a rating is not known"):
        read(ROWS, "RATING,SCORE\nSplendid,1\n")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (row("RB2", "21/12/2018", 1), "appears more than once"),
        (row("RB2", "12/21/2018", 1), "a date is not a date"),
        (row("RB2", "21/12/2018", 7), "a rating is not known"),
        (row("", "21/12/2018", 1), "a key is blank"),
    ],
)
def test_a_row_whose_meaning_is_not_certain_is_refused(extra, message):
    with pytest.raises(DataError, match=message):
        read([*ROWS, extra])


def test_a_file_in_which_nothing_is_overall_is_refused():
    with pytest.raises(DataError, match="no row is an overall rating"):
        read([row("RA1", "11/12/2015", 1, population="Whole provider")])


def test_provider_codes_join_whatever_their_case():
    assert read([{**each, "ORG_CODE": each["ORG_CODE"].lower()} for each in ROWS]).equals(read(ROWS))


def test_the_same_rating_twice_on_one_day_is_one_rating():
    assert read([*ROWS, row("RB2", "21/12/2018", 3)]).equals(read(ROWS))


@pytest.mark.real
def test_the_published_ratings(real_data):
    ratings = read_cqc_ratings(
        real_data / "cqc_provider_ratings_2013_2019.csv", real_data / "cqc_rating_scores.csv"
    )
    assert ratings["rating"].value_counts(sort=False).to_dict() == {
        "Inadequate": 6, "Requires improvement": 88, "Good": 126, "Outstanding": 23,
    }  # fmt: skip
    assert "Kept 243 of 249 providers; the others have no overall rating." in ratings.attrs["notes"]
