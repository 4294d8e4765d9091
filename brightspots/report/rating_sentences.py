"""The sentences of a board pack on ratings: flags that contradict them, and the share of variance they explain.

As in `sentences`, each is a pure function from numbers to a sentence.
"""

from __future__ import annotations

from brightspots.report.words import Estimate, counted, probability_of, share_of


def rating_explains(departments: Estimate, trust: Estimate | None = None) -> str:
    """The share of the variance that the rating explains; `trust`, between trusts, only where trusts are rated."""
    if trust is None:
        return (
            f"The departments' own ratings account for {share_of(departments)} of the variation between the "
            "departments of all trusts."
        )
    return (
        f"The overall rating accounts for {share_of(trust)} of the variation between trusts, and for "
        f"{share_of(departments)} of the variation between their departments."
    )


def rating_explains_nothing(level: object, unit: str = "trust") -> str:
    """Said where only one band occurs; `unit` is what is rated."""
    return f"Every rated {unit} has the same rating ({level}), so it cannot tell departments apart."


def rating_reversed(p: Estimate, *, by_department: bool = False) -> str:
    """How often a department of the better-rated trust, or the better-rated department, is the worse one."""
    pair = (
        "a department rated higher and one rated lower, at random"
        if by_department
        else "one department at random from a higher-rated trust and one from a lower-rated trust"
    )
    return (
        f"Take {pair}: the first is the "
        f"worse one with a probability of {probability_of(p)}; "
        "a rating that said nothing would give 0.50."
    )


def against_rating(
    dark_in_strong: int, dark: int, bright_in_weak: int, bright: int, *, by_department: bool = False
) -> str:
    """How many flags contradict the rating of their trust (or their own); `dark` and `bright` count rated ones."""
    where = "where the department's own rating" if by_department else "in trusts whose overall rating"
    parts = []
    if dark:
        parts.append(f"{_of(dark_in_strong, dark, 'dark spot')} {where} is strong")
    if bright:
        parts.append(f"{_of(bright_in_weak, bright, 'bright spot')} {where} is weak")
    if not parts:
        return f"No {'rated department' if by_department else 'department of a rated trust'} is flagged."
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _of(part: int, whole: int, what: str) -> str:
    if whole == 1:
        return f"the only {what} {'lies' if part else 'does not lie'}"
    if part == 0:
        return f"none of the {whole:,} {what}s lies"
    if part == whole:
        return f"all {whole:,} {what}s lie"
    return f"{part:,} of the {whole:,} {what}s {'lies' if part == 1 else 'lie'}"


def unrated(n: int, total: int, units: str = "trusts") -> str:
    """How many trusts (or departments, where those are rated) have no rating."""
    has, is_ = ("has", "is") if n == 1 else ("have", "are")
    return f"{n:,} of {total:,} {units} {has} no rating and {is_} left out here."


def rating_not_independent() -> str:
    """Said where the rating was built partly from the same outcome."""
    return (
        "The rating was built partly from this outcome. The two are not independent, and agreement between "
        "them is partly an echo."
    )


def strong_is(rule: str) -> str:
    """Which ratings count as strong, and by which rule: ``"Good or better, on the … scale"``."""
    return f"Strong is {rule}; every other rating counts as weak."


def rated_overall(trust: str, level: object) -> str:
    """One trust's rating, of which it is not known whether it is strong."""
    return f"{_is_rated(trust, level)}."


def _is_rated(trust: str, level: object) -> str:
    return f"{trust} is rated {level} overall"


def own_rating(trust: str, level: object, strong: bool, dark: int, bright: int, *, rule: str = "") -> str:
    """One trust's rating, by which rule it is strong or weak, and which of its flags contradict it."""
    counts_as, by_rule = "strong" if strong else "weak", f" (strong is {rule})" if rule else ""
    said = f"{_is_rated(trust, level)}, which counts as {counts_as}{by_rule}."
    contrary = counted(dark, "dark spot") if strong else counted(bright, "bright spot")
    if (dark if strong else bright) == 0:
        return f"{said} No flag contradicts that; departments that cannot be told may still do so."
    return f"{said} Within it, {contrary} {'stands' if (dark if strong else bright) == 1 else 'stand'} against that."


def no_rating(trust: str) -> str:
    """Said of a trust without a rating, of its own or of any of its departments."""
    return f"{trust} has no rating in these data."
