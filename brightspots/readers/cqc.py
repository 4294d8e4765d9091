"""Care Quality Commission: ratings of providers in England."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.common.errors import DataError
from brightspots.readers.layout import Layout
from brightspots.readers.opening import PublishedFile
from brightspots.readers.published import Records, counted, finish, read_records

_SCORES: Final = MappingProxyType({str(score): rating for score, rating in enumerate(names.CQC_RATINGS)})

_RATINGS: Final = Layout(
    "the Care Quality Commission's ratings of providers",
    {
        "provider": ("ORG_CODE", "Provider ID"),
        "date": ("DATE", "Publication Date", "Report Publication Date"),
        "population": ("POPULATION", "Service / Population Group"),
        "question": ("QUESTION", "Domain", "Key Question"),
        "rating": ("RATING_SCORE", "RATING", "Latest Rating"),
    },
    foreign={"Location ID": "the ratings of locations (the sheet Locations)"},
)

_SCORE_TABLE: Final = Layout("the table of rating scores", {"rating": ("RATING",), "score": ("SCORE",)})


@checked
def read_cqc_ratings(path: PublishedFile, scores: PublishedFile | None = None) -> pd.DataFrame:
    """Read the latest overall rating of each provider in England.

    Parameters
    ----------
    path : path, URL or open file
        Ratings by provider × service group × key question (of the monthly workbook, the sheet Providers); CSV, also
        inside a zip or gzip. Ratings are words or scores.
    scores : path, URL or open file, optional
        The publisher's table of what a score stands for. By default 0 Inadequate, 1 Requires improvement,
        2 Good, 3 Outstanding.

    Returns
    -------
    pandas.DataFrame
        `trust` (provider code), `rating` (ordered categorical, worst first), `rating_date`, one row a provider that
        has an overall rating. ``.attrs["notes"]`` says how many have none.

    Raises
    ------
    DataError
        Where the file is not this publication, is damaged, has a rating whose meaning is not known, or gives a
        provider two different overall ratings on its latest date.
    """
    records = read_records(path, _RATINGS)
    known = _SCORES if scores is None else _score_table(scores)
    records = records.with_columns(provider=records.identifiers("provider", 0, "[0-9A-Z-]{3,}"))
    providers = records.frame["provider"].nunique()
    overall = (records.frame["population"].str.lower() == "overall") & (
        records.frame["question"].str.lower() == "overall"
    )
    if not overall.any():
        raise DataError(
            "no row is an overall rating",
            column=f"{records.spelling('population')}, {records.spelling('question')}",
            expected="rows in which both are 'Overall'",
            action="another release may use other words: not read",
        )
    records.notes.append(f"Dropped {counted((~overall).sum(), 'row')} about services or single questions.")
    records = records.keep(overall)
    records = records.with_columns(
        date=records.dates("date", ("%d/%m/%Y", "%Y-%m-%d"), "day/month/year, or year-month-day"),
        rating=_words(records, known),
    )
    rated = records.keep(records.frame["rating"].notna())
    latest = rated.frame.groupby("provider")["date"].transform("max")
    older = rated.frame["date"] < latest
    if older.any():
        records.notes.append(f"Dropped {counted(older.sum(), 'older overall rating')}.")
    rated = rated.keep(~older)
    rated = rated.keep(~rated.frame.duplicated(["provider", "rating"]))
    rated.check_unique("provider")
    frame = pd.DataFrame(
        {
            names.TRUST: rated.frame["provider"],
            names.RATING: pd.Categorical(rated.frame["rating"], categories=names.CQC_RATINGS, ordered=True),
            "rating_date": rated.frame["date"],
        }
    )
    records.notes.append(
        f"Kept {len(frame):,} of {providers:,} providers; the others have no overall rating."
    )
    return finish(frame, [names.TRUST], records.notes)


def _words(records: Records, known: dict[str, str] | MappingProxyType[str, str]) -> pd.Series[str]:
    """Turn ratings as scores or words into the publisher's words; missing where there is no rating."""
    spelt = {word.lower(): word for word in names.CQC_RATINGS} | dict(known)
    text = records.frame["rating"].str.lower()
    records.refuse(
        "rating", ~text.isin(list(spelt)) & ~text.isin(names.UNRATED_WORDS), "a rating is not known",
        f"{', '.join(names.CQC_RATINGS)} or a score ({', '.join(f'{score} {word}' for score, word in known.items())})",
        "pass scores= with the publisher's table of scores",
    )  # fmt: skip
    words: pd.Series[str] = text.map(spelt)
    return words


def _score_table(scores: PublishedFile) -> dict[str, str]:
    table = read_records(scores, _SCORE_TABLE)
    table.check_unique("score")
    table.check_unique("rating")
    words = {word.lower(): word for word in names.CQC_RATINGS}
    spelt = table.text("rating").str.lower()
    table.refuse(
        "rating", ~spelt.isin(list(words)), "a rating is not known", ", ".join(names.CQC_RATINGS), "correct the table"
    )  # fmt: skip
    return dict(zip(table.text("score"), spelt.map(words), strict=True))
