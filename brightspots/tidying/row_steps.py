"""Steps for rows: duplicates, rows of 0 of 0, missing numbers, withheld counts, several rows of one department."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from brightspots.common.errors import SettingsError
from brightspots.common.wording import counted
from brightspots.tidying.report import Finding
from brightspots.tidying.roles import COUNTS, Roles, column_of, numbers_of, present, row_word
from brightspots.tidying.step import Mask, Settled, Step, remedied

# Columns of numbers without which a row cannot be used, besides the count itself.
_AGAINST: Final = ("expected", "denominator", "estimate", "standard_error")


def _nothing(_: pd.DataFrame, __: Roles) -> list[Finding]:
    """No findings: another step finds the trouble, and this one is a second remedy for it."""
    return []


def _find_duplicates(frame: pd.DataFrame, roles: Roles) -> list[Finding]:
    again = _duplicated(frame)
    if not again.any() or len(present(frame, roles)) < 2:
        return []
    verb = "is" if again.sum() == 1 else "are"
    text = f"{counted(int(again.sum()), 'row')} {verb} there already, the same in every column."
    return [remedied("duplicates", "error", text, frame, bad=again)]


def _duplicated(frame: pd.DataFrame) -> Mask:
    try:
        return frame.duplicated().to_numpy()
    except TypeError:  # lists and the like in a column: compared as text
        return frame.astype(str).duplicated().to_numpy()


def _settle_duplicates(frame: pd.DataFrame, _: Roles, __: str | None) -> Settled:
    return _without(frame, _duplicated(frame), "that repeated another in every column")


def _silent(frame: pd.DataFrame, roles: Roles) -> tuple[Mask, Mask]:
    """Rows where only the count is missing, and has no bounds; and rows that lack another number."""
    numbers = numbers_of(frame, roles)
    counts = [numbers[part].isna().to_numpy() for part in ("observed", "observed_upper") if part in numbers]
    against = [numbers[part].isna().to_numpy() for part in _AGAINST if part in numbers]
    nothing = np.zeros(len(frame), dtype=bool)
    lacking = np.logical_or.reduce(against) if against else nothing
    return (np.logical_and.reduce(counts) & ~lacking if counts else nothing), lacking


def _find_missing(frame: pd.DataFrame, roles: Roles) -> list[Finding]:
    uncounted, lacking = _silent(frame, roles)
    found = []
    if uncounted.any():
        text = (
            f"In {counted(int(uncounted.sum()), 'row')} the count is missing. A count that is withheld because it is "
            "small is an interval and can stay as one; leaving such rows out makes rates look higher than they are."
        )
        either = "with the bounds that hold, or {} to leave the rows out"
        found.append(
            remedied(
                "missing counts",
                "error",
                text,
                frame,
                bad=uncounted,
                remedy="suppressed=…",
                in_python=f'bs.tidy(data, report, ["suppressed=1-4"]) {either.format("""["missing counts"]""")}',
                in_shell=f"--remedy suppressed=1-4 {either.format('--remedy missing-counts')}",
            )
        )
    if lacking.any():
        text = (
            f"In {counted(int(lacking.sum()), 'row')} a number is missing that the model needs besides the count: the "
            "row cannot be used."
        )
        absent = [
            str(column_of(frame, roles, part))
            for part, values in numbers_of(frame, roles).items()
            if part in _AGAINST and values[lacking].isna().any()
        ]
        column = ", ".join(absent)
        found.append(remedied("missing numbers", "error", text, frame, bad=lacking, column=column))
    return found


def _settle_uncounted(frame: pd.DataFrame, roles: Roles, _: str | None) -> Settled:
    return _without(frame, _silent(frame, roles)[0], "whose count is missing")


def _settle_lacking(frame: pd.DataFrame, roles: Roles, _: str | None) -> Settled:
    return _without(frame, _silent(frame, roles)[1], "without a number that the model needs")


def _without(frame: pd.DataFrame, bad: Mask, what: str) -> Settled:
    """The rows where `bad` is false, and a sentence on how many were left out."""
    if not bad.any():
        return frame, ""
    return frame[~bad], f"Left out {counted(int(bad.sum()), 'row')} {what}."


def _bounds_of(value: str | None) -> tuple[int, int]:
    """Two whole numbers from ``1-4``."""
    if value is None:
        raise SettingsError("the remedy 'suppressed' needs the bounds of withheld counts: suppressed=1-4")
    low, dash, high = (part.strip() for part in value.replace("–", "-").partition("-"))
    if not dash or not low.isdecimal() or not high.isdecimal() or int(low) > int(high):
        raise SettingsError(
            f"suppressed= takes the least and the most that a withheld count can be, as 1-4; received {value!r}"
        )
    return int(low), int(high)


def _settle_suppressed(frame: pd.DataFrame, roles: Roles, value: str | None) -> Settled:
    """Give withheld counts without bounds the bounds in `value`, such as ``1-4``."""
    low, high = _bounds_of(value)
    hidden = _silent(frame, roles)[0]
    if not hidden.any():
        return frame, ""
    observed = roles.columns.name_of("observed")
    bounds = {}
    for name, bound in ((_bound_name(roles, "lower"), low), (_bound_name(roles, "upper"), high)):
        given = frame[name] if name in frame else pd.Series(np.nan, index=frame.index)
        bounds[name] = given.mask(hidden, bound)
    said = f"Took {counted(int(hidden.sum()), 'withheld count')} in {observed!r} for one of {low} to {high}."
    return frame.assign(**bounds), said


def _bound_name(roles: Roles, side: str) -> str:
    """Name of the column of lower or upper bounds of the counts."""
    named: str | None = getattr(roles.columns, f"observed_{side}")
    return named or f"{roles.columns.name_of('observed')}_{side}"


def _nobody(frame: pd.DataFrame, roles: Roles) -> Mask:
    """Rows of 0 of 0: no events, and a denominator or expected of 0."""
    numbers = numbers_of(frame, roles)
    against = [part for part in ("denominator", "expected") if part in numbers]
    if not against or not ({"observed", "observed_upper"} & set(numbers)):
        return np.zeros(len(frame), dtype=bool)
    none = numbers[against[0]].eq(0.0).to_numpy()
    counted_none = np.ones(len(frame), dtype=bool)
    for part in ("observed", "observed_lower"):
        if part in numbers:
            counted_none &= numbers[part].fillna(0.0).eq(0.0).to_numpy()
    return none & counted_none


def _find_nobody(frame: pd.DataFrame, roles: Roles) -> list[Finding]:
    nobody = _nobody(frame, roles)
    if not nobody.any():
        return []
    one = nobody.sum() == 1
    text = (
        f"{counted(int(nobody.sum()), 'row')} {'is' if one else 'are'} of 0 of 0, and "
        f"{'says' if one else 'say'} nothing: "
        f"a fit leaves {'it' if one else 'them'} out and says so."
    )
    return [remedied("zero of zero", "note", text, frame, bad=nobody)]


def _settle_nobody(frame: pd.DataFrame, roles: Roles, _: str | None) -> Settled:
    return _without(frame, _nobody(frame, roles), "of 0 of 0, which carry no information")


def _repeated(frame: pd.DataFrame, roles: Roles) -> tuple[list[str], Mask]:
    keys = list(present(frame, roles).values())
    outcome = roles.columns.outcome
    if outcome is not None and outcome in frame:
        keys.append(outcome)
    if len(keys) < 2 or roles.columns.period is False:
        return keys, np.zeros(len(frame), dtype=bool)
    return keys, frame.duplicated(keys, keep=False).to_numpy()


def _find_repeated(frame: pd.DataFrame, roles: Roles) -> list[Finding]:
    keys, again = _repeated(frame, roles)
    if not again.any():
        return []
    described = ", ".join(keys)
    text = (
        f"{counted(int(again.sum()), 'row')} share {' × '.join(keys)} with another, where one row is expected for "
        "each. If they are parts of one department their counts can be summed; if a column tells them apart (months, "
        "outcomes), name it."
    )
    if "estimate" in numbers_of(frame, roles):
        rows = tuple(frame.index[again].tolist())
        name_it = ('period="…" or outcome="…"', "--period NAME")
        return [Finding("repeated keys", "error", text, described, rows, row_word(frame), None, *name_it)]
    return [
        remedied(
            "repeated keys",
            "error",
            text,
            frame,
            bad=again,
            column=described,
            in_python='period="…", outcome="…", or bs.tidy(data, report, ["repeated keys"])',
            in_shell="--period NAME, or --remedy repeated-keys",
        )
    ]


def _settle_repeated(frame: pd.DataFrame, roles: Roles, _: str | None) -> Settled:
    keys, again = _repeated(frame, roles)
    if not again.any():
        return frame, ""
    numbers = numbers_of(frame, roles)
    if "estimate" in numbers:
        raise SettingsError("the remedy 'repeated keys' sums counts; estimates cannot be summed")
    if "observed" in numbers:
        # A known count gets itself as bounds, so that its sum with a withheld one still has bounds.
        for part in ("observed_lower", "observed_upper"):
            if part in numbers:
                numbers[part] = numbers[part].fillna(numbers["observed"])
    group = frame.groupby(keys, sort=False, observed=True, dropna=False).ngroup().to_numpy()
    first = ~pd.Series(group).duplicated().to_numpy()
    result = frame[first].copy()
    for part in COUNTS:
        if part in numbers:
            # A sum with a missing part is missing.
            unknown = numbers[part].isna().groupby(group).any()
            total = numbers[part].groupby(group).sum().mask(unknown)
            result[column_of(frame, roles, part)] = total.reindex(group[first]).to_numpy()
    left = int((again & first).sum())
    said = f"Summed {counted(int(again.sum()), 'row')} that shared {' × '.join(keys)} to {left:,}."
    return result, said


ROW_STEPS: Final = (
    Step("duplicates", _find_duplicates, _settle_duplicates),
    Step("suppressed", _nothing, _settle_suppressed),
    Step("zero of zero", _find_nobody, _settle_nobody),
    Step("missing numbers", _find_missing, _settle_lacking),
    Step("missing counts", _nothing, _settle_uncounted),
    Step("repeated keys", _find_repeated, _settle_repeated),
)
