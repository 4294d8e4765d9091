"""`Family`: everything that depends on whether counts, proportions or estimates were observed.

A leaf (one row of the data) has an outcome y, a size m and a linear predictor s, which includes the offset:

    family     y                 size m            E[y]             link
    poisson    events            expected events   exp(s)           log
    binomial   events            people            m·logit⁻¹(s)     logit
    normal     an estimate       standard error    s                identity

A `Family` answers every question whose answer differs between these: the log density and its derivatives, moments,
tails, how leaves add up to totals, how outcomes are drawn, the PyMC distribution, and the words for them. There is one
object of each, in `likelihood.families`; a new family is a module beside `poisson.py` and a line there.

Arrays given to one method broadcast with each other, element by element, unless their shapes are stated.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from brightspots.common.arrays import BoolArray, FloatArray
from brightspots.common.vocabulary import FamilyName

Link = Literal["log", "logit", "identity"]
# Sums an array of leaves, (N, ...), into units, (n, ...).
Totals = Callable[[FloatArray], FloatArray]

# Beyond this the exponential leaves the range in which sums of leaves stay finite.
LARGEST_PREDICTOR = 300.0


class Derivatives(NamedTuple):
    """Log likelihood, and its first and second derivative in the linear predictor."""

    value: FloatArray
    slope: FloatArray
    curvature: FloatArray


class Moments(NamedTuple):
    """The potential A(s) of a density h(y)·exp(t(y)·s − A(s)), and its first and second derivative in s.

    Where the link is not canonical, all of this is in g(s) instead of s: see `Family.natural`.

    `mean` is E[t(y)] and `information` is Var[t(y)]. For counts t(y) = y. For an estimate with standard error m,
    t(y) = y/m², and the three are s²/(2m²), s/m² and 1/m².
    """

    potential: FloatArray
    mean: FloatArray
    information: FloatArray


class Threshold(NamedTuple):
    """Cumulants, first to fourth, of the threshold of a count: see `CountFamily`."""

    mean: FloatArray
    variance: FloatArray
    third: FloatArray
    fourth: FloatArray


@dataclass(frozen=True)
class Family(ABC):
    """One family of outcomes: a frozen dataclass, whose objects hold no data.

    A family that needs a number of its own, such as a dispersion, has a field for it. Two objects of one class are
    equal where such numbers are; most families have none.

    Attributes
    ----------
    name : str
        As users write it, and as saved fits hold it.
    link : {"log", "logit", "identity"}
        From the mean to the linear predictor.
    is_count : bool
        Whether y is a number of events, which may be known as an interval only, or missing because it is small.
    is_bounded : bool
        Whether y can be at most m.
    adds_up : bool
        Whether a sum of leaves whose predictors differ by known constants only is of the family again, with all their
        information about the predictor.
    is_conjugate : bool
        Whether a normal effect in the predictor can be integrated in closed form.
    value_column, size_column : str
        Usual names of the columns that y and m are read from.
    loop : int or None
        Number of the family in the compiled loops over leaves (`engine.integration.loops_leaves.leaf_marginals`);
        None where the general quadrature is used.
    plain : str
        Word for limits that allow for chance alone, such as "plain Poisson".
    described : str
        Words for the data in the first lines of a printed fit.
    measured_by : str
        Words for the size in reports, such as "expected events".
    """

    name: ClassVar[FamilyName]
    link: ClassVar[Link]
    is_count: ClassVar[bool]
    is_bounded: ClassVar[bool] = False
    adds_up: ClassVar[bool] = False
    is_conjugate: ClassVar[bool] = False
    value_column: ClassVar[str]
    size_column: ClassVar[str]
    loop: ClassVar[int | None] = None
    plain: ClassVar[str]
    described: ClassVar[str]
    measured_by: ClassVar[str]

    # The density.

    @abstractmethod
    def derivatives(self, value: FloatArray, size: FloatArray, predictor: FloatArray) -> Derivatives:
        """Log density of y at s with its derivatives; constants in s are left out."""

    @abstractmethod
    def moments(self, size: FloatArray, predictor: FloatArray) -> Moments:
        """Potential A(s) with its first and second derivative: see `Moments`."""

    def natural(self, size: FloatArray, predictor: FloatArray) -> Derivatives | None:  # noqa: ARG002
        """g(s), by which t(y) is multiplied in the log density, and its derivatives; None where that is s itself.

        It is s for a canonical link. A family with another link has the log density t(y)·g(s) − A(g(s)).
        """
        return None

    def in_natural(
        self, outcome: FloatArray, size: FloatArray, predictor: FloatArray, moments: Moments
    ) -> Derivatives:
        """Log density t(y)·g(s) − A and its derivatives in g(s), from t(y) and the moments at s; see `natural`."""
        natural = self.natural(size, predictor)
        multiplied = outcome * (predictor if natural is None else natural.value)
        return Derivatives(multiplied - moments.potential, outcome - moments.mean, -moments.information)

    def in_predictor(self, size: FloatArray, predictor: FloatArray, found: Derivatives) -> Derivatives:
        """Turn derivatives in g(s) into derivatives in s, by the chain rule; see `natural`."""
        natural = self.natural(size, predictor)
        if natural is None:
            return found
        curvature = found.curvature * natural.slope**2 + found.slope * natural.curvature
        return Derivatives(found.value, found.slope * natural.slope, curvature)

    @abstractmethod
    def rise(
        self, outcome: FloatArray, size: FloatArray, predictor: FloatArray, mean: FloatArray, step: FloatArray
    ) -> FloatArray:
        """ℓ(s) + step·ℓ'(s) − ℓ(s + step), without loss of digits where step is small; ℓ is the log density.

        With a canonical link this is A(s + step) − A(s) − step·A'(s), whatever the outcome.

        Parameters
        ----------
        outcome
            What was observed, as t(y) of `Moments`.
        size, predictor
            m, and s.
        mean
            A' of `Moments` at s.
        step
            How far the predictor moves.
        """

    @abstractmethod
    def guess(self, value: FloatArray, size: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Rough estimate of s from one leaf alone, and its information (inverse variance): where a search starts."""

    # Means and information.

    @abstractmethod
    def mean(self, size: FloatArray, predictor: FloatArray) -> FloatArray:
        """E[y] at s."""

    @abstractmethod
    def information(self, size: FloatArray, predictor: FloatArray) -> FloatArray:
        """Minus the second derivative of the log density at s; where that depends on y, its mean over y."""

    @abstractmethod
    def usual_information(self, value: FloatArray, size: FloatArray) -> FloatArray:
        """Rough information of each leaf about s, (N,), for choosing how to compute something.

        Poisson: the size times Σ value / Σ size. Binomial: at the leaf's own rate, kept between 0.01 and 0.99.
        Estimates: the inverse variance.
        """

    # Sizes and totals.

    @abstractmethod
    def weight(self, size: FloatArray) -> FloatArray:
        """Weight of a leaf in averages: its expected events, its people, or the inverse variance of its estimate."""

    @abstractmethod
    def offset(self, size: FloatArray, expected: FloatArray | None) -> FloatArray:
        """Value of s at which E[y] is the expected events, (N,); 0 where none are given."""

    @abstractmethod
    def total_size(self, size: FloatArray, total: Totals) -> FloatArray:
        """Size of each unit's sum of leaves (for estimates: standard error of their weighted mean), (n,)."""

    @abstractmethod
    def total_predictor(
        self, size: FloatArray, predictor: FloatArray, variance: FloatArray, total: Totals
    ) -> tuple[FloatArray, FloatArray]:
        """Predictor of totals of leaves, and its variance where each leaf has a normal effect of its own.

        Parameters
        ----------
        size : (N, ...)
        predictor : (N, ...)
        variance : broadcasts to (n, ...)
            Of the leaves' own effects; 0 for none.
        total : callable
            Sums leaves into units.

        Returns
        -------
        predictor, variance : (n, ...)
        """

    # Simulation.

    @abstractmethod
    def draw(
        self, uniform: FloatArray, size: FloatArray, log_ratio: FloatArray, rate: FloatArray
    ) -> Mapping[str, Any]:
        """Columns of simulated outcomes, the outcome first, then what it is measured against.

        Parameters
        ----------
        uniform : (N,)
            Uniform numbers in (0, 1): each outcome is the quantile of its distribution at this probability.
        size : (N,)
            Expected events; for estimates the inverse variance.
        log_ratio : (N,)
            s without its offset.
        rate : (N,)
            Expected events per person; used by the binomial family only, for the number of people.
        """

    # The same density in PyMC.

    @abstractmethod
    def pymc_distribution(self, size: FloatArray, predictor: Any) -> tuple[Any, dict[str, Any]]:
        """PyMC distribution of y and its arguments, given sizes (N,) and a symbolic predictor (N,)."""


@dataclass(frozen=True)
class CountFamily(Family):
    """A family of counts: log p(y) = y·s − A(s) + log h(y), whose tails and intervals follow from h.

    With such a density log P(y in a set) has the slope E[y | set] − E[y] and the curvature Var[y | set] − Var[y]. (Read
    g(s) for s where the link is not canonical: see `natural`.)

    P(y ≥ k) as a function of s is itself the distribution function of a random variable, here called the *threshold* of
    k: the logarithm of a Gamma(k) variate for Poisson counts, the logit of a Beta(k, m − k + 1) variate for binomial
    ones. So P(y ≥ k | s) = P(threshold of k ≤ s).
    """

    is_count = True

    def derivatives(self, value: FloatArray, size: FloatArray, predictor: FloatArray) -> Derivatives:
        """Log density of y at s with its derivatives; log h(y) is left out."""
        found = self.in_natural(value, size, predictor, self.moments(size, predictor))
        return self.in_predictor(size, predictor, found)

    def limit(self, size: FloatArray) -> FloatArray:
        """Largest count that can be: ∞, or m where counts are bounded by it."""
        return size if self.is_bounded else np.full(np.shape(size), np.inf)

    @abstractmethod
    def log_term(self, count: FloatArray, size: FloatArray, predictor: FloatArray) -> FloatArray:
        """Log h(y) + y·s, up to a constant that depends on the size alone."""

    @abstractmethod
    def neighbours(self, odds: FloatArray, count: FloatArray, size: FloatArray) -> FloatArray:
        """p(y)/p(y − 1), y ≥ 1, where `odds` is exp(s)."""

    @abstractmethod
    def at_most(self, count: FloatArray, size: FloatArray, predictor: FloatArray) -> FloatArray:
        """P(y ≤ count), count below its limit."""

    @abstractmethod
    def at_least(self, count: FloatArray, size: FloatArray, predictor: FloatArray) -> FloatArray:
        """P(y ≥ count), count ≥ 1."""

    @abstractmethod
    def mass(self, count: FloatArray, size: FloatArray, predictor: FloatArray) -> FloatArray:
        """P(y = count), for counts below their limit; sizes need not be whole numbers."""

    @abstractmethod
    def threshold_quantile(self, count: FloatArray, size: FloatArray, probability: float) -> FloatArray:
        """Predictor at which P(y ≥ count) is `probability`, count ≥ 1."""

    @abstractmethod
    def threshold_information(self, count: FloatArray, size: FloatArray) -> FloatArray:
        """Approximate inverse of the variance of the threshold of `count`, count ≥ 1."""

    @abstractmethod
    def threshold_cumulants(self, count: FloatArray, size: FloatArray) -> Threshold:
        """First four cumulants of the threshold of `count`, count ≥ 1."""

    @abstractmethod
    def threshold_width(self, count: FloatArray, size: FloatArray) -> FloatArray:
        """Approximate standard deviation of the threshold of `count` + 1."""

    @abstractmethod
    def threshold_density(
        self, count: FloatArray, size: FloatArray, part: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Nodes t that cover the density of the threshold of r + 1, with what integrals over s need there.

        Parameters
        ----------
        count, size : (n,)
            r, below its limit, and the size.
        part : (nodes,)
            Places of the nodes between the two ends of their range, from 0 to 1 in equal steps.

        Returns
        -------
        nodes, density, inverse : (n, nodes)
            The density of the threshold at the nodes, divided by its sum over them; and the ratio of P(y = r | s = t)
            to its density at t. With φ the density of s at t, P(y = r) = Σ density·inverse·φ.
        """

    @abstractmethod
    def start_of_quantile(
        self, probability: float, size: FloatArray, location: FloatArray, sd: FloatArray
    ) -> FloatArray:
        """Counts near the quantile where s ~ N(location, sd²), from a normal approximation: where a search starts."""

    @abstractmethod
    def flat_posterior(self, count: FloatArray, size: FloatArray, predictor: FloatArray) -> FloatArray:
        """P(s ≤ predictor | count) under a flat prior on s; 0 where that posterior does not exist."""

    @abstractmethod
    def chance_interval(
        self, count: FloatArray, size: FloatArray, tail: float
    ) -> tuple[FloatArray, FloatArray]:
        """Exact confidence limits of E[y] given a count: those means at which it has the tail probability `tail`."""

    @abstractmethod
    def pymc_log_tail(self, least: FloatArray, size: FloatArray, predictor: Any) -> Any:
        """Symbolic log P(y ≥ least), least ≥ 1, without subtracting probabilities that nearly cancel."""

    def log_mass(self, count: FloatArray, size: FloatArray, predictor: FloatArray) -> FloatArray:
        """Log P(y = count)."""
        return np.asarray(self.log_term(count, size, predictor) - self.moments(size, predictor).potential)

    def without_end(self, upper: FloatArray, size: FloatArray) -> BoolArray:
        """Which intervals, by their upper ends, reach the largest count that can be: ∞, or m."""
        return np.asarray(upper >= self.limit(size))
