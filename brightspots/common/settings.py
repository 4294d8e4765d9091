"""Options as small frozen objects that check themselves: priors of the model, the rule for spots."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Final, Literal, get_args

import numpy as np

from brightspots.common.arguments import check_choice, check_number, check_whole, send_options_to, shown
from brightspots.common.errors import SettingsError

Reference = Literal["organisation", "peers", "both"]
EffectDistribution = Literal["normal", "student_t", "mixture"]
EffectLevel = Literal["trust", "department"]
EffectQuestion = Literal["trust", "department", "department_by_type"]

# From which ratio on a difference matters, where nobody says otherwise.
DEFAULT_MARGIN: Final = 1.1


def _check_number(name: str, value: object, low: float, high: float, *, open_low: bool = True) -> float:
    """Return ``value`` as a float in (low, high], or in [low, high] where `open_low` is False, or raise."""
    number = check_number(name, value)
    if number < low or number > high or (open_low and number == low):
        raise SettingsError(
            f"{name} must lie in {'(' if open_low else '['}{low:g}, {high:g}]; received {shown(value)}"
        )
    return number


def _keep(options: object, **numbers: float) -> None:
    """Set fields of a frozen dataclass to the numbers as checked, so that it holds Python's floats, not NumPy's."""
    for name, number in numbers.items():
        object.__setattr__(options, name, number)


@dataclass(frozen=True, slots=True)
class Normal:
    """Normal prior N(mean, sd²) of an intercept or coefficient."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        _keep(self, mean=_check_number("Normal(mean)", self.mean, -math.inf, math.inf))
        _keep(self, sd=_check_number("Normal(sd)", self.sd, 0.0, math.inf))


@dataclass(frozen=True, slots=True)
class HalfNormal:
    """Half-normal prior of a standard deviation σ ≥ 0, with density proportional to exp(−σ²/(2·scale²))."""

    scale: float

    def __post_init__(self) -> None:
        _keep(self, scale=_check_number("HalfNormal(scale)", self.scale, 0.0, math.inf))


@dataclass(frozen=True, slots=True)
class InverseGamma:
    """Inverse-gamma prior of a variance σ²: density ∝ (σ²)^(−shape−1)·exp(−scale/σ²).

    Offered to reproduce older analyses. It keeps σ away from zero, so it cannot say that a level of
    the hierarchy does not matter (Gelman 2006, Bayesian Analysis 1:515).
    """

    shape: float
    scale: float

    def __post_init__(self) -> None:
        _keep(self, shape=_check_number("InverseGamma(shape)", self.shape, 0.0, math.inf))
        _keep(self, scale=_check_number("InverseGamma(scale)", self.scale, 0.0, math.inf))


@dataclass(frozen=True, slots=True)
class Flat:
    """Improper flat prior, on the location or on the standard deviation σ itself."""


LocationPrior = Normal | Flat
ScalePrior = HalfNormal | InverseGamma | Flat


@dataclass(frozen=True, slots=True)
class Priors:
    """Priors of the hierarchy, on the scale of the linear predictor (log ratio, log odds or the estimate's own).

    The defaults below are for logarithms. With ``estimate_scale="difference"``, priors left at their default are
    replaced by ones in the units of the estimates: with s their standard deviation and m their mean, HalfNormal(s) for
    standard deviations, N(m, (2.5·s)²) for the intercept and N(0, (2.5·s)²) for coefficients.

    A bare number is shorthand: the standard deviation of a normal for `intercept` and `covariate`, the
    scale of a half-normal for the standard deviations. ``None`` leaves a level out of the model.

    Parameters
    ----------
    intercept : float, Normal or Flat, optional
        Default N(0, 0.5²) where an expected is given and for estimates, N(0, 1.5²) on the logit scale where not.
    covariate : float, Normal or Flat, default 1.0
        Each coefficient, for covariates scaled to unit standard deviation.
    trust : float, HalfNormal, InverseGamma or Flat, default 0.5
        Standard deviation between trusts.
    department : as `trust` or None, default 0.5
        Standard deviation between departments within a trust. ``None`` fits trusts alone.
    department_type : as `trust` or None, default 0.5
        Standard deviation between department types nationally. ``None`` leaves the term out.
    period : as `trust` or None, default 0.5
        Standard deviation between periods within a department, used where the data have periods.
    effects : {"normal", "student_t", "mixture"}, optional
        Distribution of department effects within a trust. Two have heavier tails, so that a few extreme departments are
        shrunk less and do not carry the standard deviation, which stays σ of the partition. With ``"student_t"`` the
        degrees of freedom are 2 plus Gamma(2, rate 0.1) (Juárez & Steel 2010, J Bus Econ Stat 28:52). With
        ``"mixture"`` a share π ~ Beta(1, 9) of departments is exceptional: their effects are normal too, but
        k times as wide, k − 1 ~ HalfNormal(4). By default the data decide between normal and mixture, by
        the Bayes factor: see `HierarchyFit.effect_distribution`.
    trust_effects : as `effects`, optional
        Distribution of trusts' effects; by default as `effects` where that is given, else decided by the data too.
    department_by_type : float or HalfNormal, optional
        Gives every department type a standard deviation of its own, for where some kinds of department differ between
        trusts more than others do: log σ of a type is N(log σ of the typical type, τ²), and this is the prior of τ (0.5
        lets σ differ by a factor of 1.6 at one standard deviation). `sd_department` of the results is then the root
        of the average department's variance, so that shares stay shares of the variance. By default all types have one
        σ where `effects` is given; where it is not, the data decide on this too.

    Raises
    ------
    SettingsError
        Where a value is not a prior, not positive or not finite.
    """

    intercept: LocationPrior | float | None = None
    covariate: LocationPrior | float = 1.0
    trust: ScalePrior | float = 0.5
    department: ScalePrior | float | None = 0.5
    department_type: ScalePrior | float | None = 0.5
    period: ScalePrior | float | None = 0.5
    effects: EffectDistribution | None = None
    department_by_type: HalfNormal | float | None = None
    trust_effects: EffectDistribution | None = None

    def __post_init__(self) -> None:
        for name in ("effects", "trust_effects"):
            if (given := getattr(self, name)) is not None:
                check_choice(f"Priors({name})", given, get_args(EffectDistribution))
        if self.effects not in (None, "normal") and self.department is None:
            raise SettingsError(
                f"Priors(effects={self.effects!r}) speaks of departments, which department=None leaves out; "
                "pass Priors(trust_effects=…) for trusts"
            )
        if self.department_by_type is not None and self.department is None:
            raise SettingsError(
                "Priors(department_by_type=…) speaks of departments, which department=None leaves out"
            )
        for field in fields(self):
            if field.name in ("effects", "trust_effects"):
                continue
            value = getattr(self, field.name)
            location = field.name in ("intercept", "covariate")
            if value is None:
                if field.name in ("trust", "covariate"):
                    raise SettingsError(
                        f"Priors({field.name}=None): this term cannot be left out of the model"
                    )
                continue
            if isinstance(value, int | float | np.number) and not isinstance(value, bool):
                positive = _check_number(f"Priors({field.name})", value, 0.0, math.inf)
                value = Normal(0.0, positive) if location else HalfNormal(positive)
                object.__setattr__(self, field.name, value)
            allowed = get_args(LocationPrior) if location else get_args(ScalePrior)
            if field.name == "department_by_type":
                allowed = (HalfNormal,)
            if not isinstance(value, allowed):
                names = ", ".join(kind.__name__ for kind in allowed)
                raise SettingsError(
                    f"Priors({field.name}) takes a positive number, {names}; received {shown(value)}"
                )

    @property
    def distributions(self) -> dict[EffectLevel, EffectDistribution]:
        """Distribution of the effects of trusts and departments, where not normal, as undecided ones count."""
        of: dict[EffectLevel, EffectDistribution | None] = {
            "trust": self.effects if self.trust_effects is None else self.trust_effects,
            "department": self.effects,
        }
        return {level: name for level, name in of.items() if name not in (None, "normal")}

    @property
    def undecided(self) -> tuple[EffectQuestion, ...]:
        """What the data decide on: distributions of effects, and whether departments differ in spread by type."""
        if self.effects is not None:
            return ()
        asked: list[EffectQuestion] = [] if self.trust_effects is not None else ["trust"]
        if self.department is not None:
            asked.append("department")
            if self.department_by_type is None:
                asked.append("department_by_type")
        return tuple(asked)

    def scaled(self, factor: float) -> Priors:
        """Priors `factor` times as wide: sd and scale times `factor`, the scale of InverseGamma times `factor`².

        Flat priors, levels that are left out (None) and an intercept left at its default (None) stay as they are.
        """

        def wider(prior: object) -> object:
            match prior:
                case Normal(mean, sd):
                    return Normal(mean, factor * sd)
                case HalfNormal(scale):
                    return HalfNormal(factor * scale)
                case InverseGamma(shape, scale):
                    return InverseGamma(shape, factor**2 * scale)
            return prior

        return Priors(**{field.name: wider(getattr(self, field.name)) for field in fields(self)})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class SpotRule:
    """When a department is called a bright or dark spot, and when it is called in line.

    Parameters
    ----------
    margin : float, optional
        A ratio matters when it exceeds `margin` or is below 1/`margin`. At least 1; 1.1 by default.
    fdr : float, default 0.05
        Bayesian false discovery rate of the list: the longest list, sorted by exceedance probability,
        whose mean probability of not exceeding the margin is at most `fdr` is flagged
        (Newton et al. 2004, Biostatistics 5:155; Müller, Parmigiani & Rice 2006). A smaller `fdr` never adds a
        flag. A larger `margin` never lengthens the list (unless departments tie exactly at its end), but it may
        bring in a department that was not on it: the list is cut by its mean, so where the margin changes
        which departments are the likeliest, one takes the place of another.
    min_probability : float, default 0.8
        No department is flagged below this probability. The list is cut by its mean, so sure flags would else make
        room for unsure ones. From 0 (no floor) to below 1.
    share : float, optional
        In place of `margin`: flag the departments that belong to the most extreme `share` of all true effects, half of
        it on each side. A flag then needs the probability that the effect lies beyond the share/2 or 1 − share/2
        quantile of the effects of all departments, draw by draw (Lin, Louis, Paddock & Ridgeway 2006, Bayesian Analysis
        1:915; Henderson & Newton 2016, J R Stat Soc B 78:781). For where every department differs by more than a fixed
        margin. What is in line, learning pairs and detectable effects go on with a margin, of 1.1.
    reference : {"organisation", "peers", "both"}, default "organisation"
        Compare with the other departments of the own trust (`own_ratio`), with the same department
        nationally (`peer_ratio`), or require both at once.
    in_line : float, default 0.8
        P(1/margin ≤ ratio ≤ margin) from which a department is said to be in line: of `own_ratio` and `peer_ratio` at
        once, whatever `reference` is, and of `own_ratio` by the department's own data alone too, with a flat prior on
        its effect (a department of which nothing is known is not in line because others are alike).
    min_reliability : float, default 0
        Departments whose `reliability` (0 to 1, in the table of spots) is below this are never flagged.
    min_expected : float, default 0
        Departments with fewer expected events (or a smaller denominator) are never flagged.
    difference : float, optional
        In place of `margin` for a fit with ``estimate_scale="difference"``: how large a difference matters, in the
        units of the estimates. There is no default, because none would suit days and points alike.

    Raises
    ------
    SettingsError
        Where a value lies outside its range, or both `margin` and `share` are given.
    """

    margin: float | None = None  # None only beside a share
    fdr: float = 0.05
    reference: Reference = "organisation"
    in_line: float = 0.8
    min_reliability: float = 0.0
    min_expected: float = 0.0
    difference: float | None = None
    min_probability: float = 0.8
    share: float | None = None

    def __post_init__(self) -> None:
        if self.share is not None:
            if self.margin is not None:
                raise SettingsError(
                    "SpotRule takes a margin or a share, not both: a share flags the most extreme departments, however "
                    f"large their effects are; received margin={shown(self.margin)}, share={shown(self.share)}"
                )
            _keep(self, share=check_probability("SpotRule(share)", self.share))
        else:
            margin = DEFAULT_MARGIN if self.margin is None else self.margin
            _keep(self, margin=_check_number("SpotRule(margin)", margin, 1.0, math.inf, open_low=False))
        floor = _check_number("SpotRule(min_probability)", self.min_probability, 0.0, 1.0, open_low=False)
        if floor == 1.0:
            raise SettingsError(
                "SpotRule(min_probability) must be below 1: no probability reaches it; received 1"
            )
        _keep(
            self,
            min_probability=floor,
            fdr=check_probability("SpotRule(fdr)", self.fdr),
            in_line=check_probability("SpotRule(in_line)", self.in_line),
            min_reliability=_check_number(
                "SpotRule(min_reliability)", self.min_reliability, 0.0, 1.0, open_low=False
            ),
            min_expected=_check_number(
                "SpotRule(min_expected)", self.min_expected, 0.0, math.inf, open_low=False
            ),
        )
        check_choice("SpotRule(reference)", self.reference, get_args(Reference))
        if self.difference is not None:
            _keep(self, difference=check_difference(self.difference, "SpotRule(difference)"))

    @property
    def ordinary_margin(self) -> float:
        """The margin of what is in line: `margin`, or 1.1 beside a `share`."""
        return DEFAULT_MARGIN if self.margin is None else self.margin


def check_probability(name: str, value: object) -> float:
    """Return a probability strictly between 0 and 1, or raise `SettingsError` quoting what was received."""
    number = _check_number(name, value, 0.0, 1.0)
    if number == 1.0:
        raise SettingsError(f"{name} must lie strictly between 0 and 1; received {shown(value)}")
    return number


def check_margin(value: object) -> float:
    """Return a ratio margin of at least 1, or raise `SettingsError`."""
    return _check_number("margin", value, 1.0, math.inf, open_low=False)


def check_difference(value: object, name: str = "difference") -> float:
    """Return a difference that matters, 0 or more, or raise `SettingsError`."""
    return _check_number(name, value, 0.0, math.inf, open_low=False)


def margin_in_use(margin: object, difference: object, *, ratios: bool) -> float:
    """Return the checked size from which an effect matters: `margin` for a fit of ratios, else `difference`.

    Parameters
    ----------
    margin, difference : number or None
        As the caller gave them.
    ratios : bool
        Whether the effects of the fit are logarithms of ratios.

    Raises
    ------
    SettingsError
        Where a difference is given for ratios, or none for estimates in units of their own.
    """
    if not ratios:
        if difference is None:
            raise SettingsError(
                "effects are differences in the units of the estimates, for which no margin can be assumed: say how "
                "large a difference matters, difference=…, or SpotRule(difference=…) in a rule"
            )
        return check_difference(difference)
    if difference is not None:
        raise SettingsError(f"the fit is of ratios: pass margin=…, not difference={difference!r}")
    return check_margin(margin)


def check_seed(seed: object) -> int | None:
    """Return a non-negative integer seed or None, or raise `SettingsError`."""
    if seed is None:
        return None
    return check_whole("seed", seed, "a non-negative integer or None", least=0)


send_options_to(SpotRule, "rule", "fit.find_spots(SpotRule({}))")
send_options_to(Priors, "priors", "fit_hierarchy(…, priors=Priors({}))")
