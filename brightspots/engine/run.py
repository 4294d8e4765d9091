"""One fit by the engine asked for: an integration that fails its certificate is said aloud and sampled instead."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from brightspots.common.errors import CertificateWarning
from brightspots.common.settings import Priors
from brightspots.data.cells import Cells
from brightspots.engine.effect_choice import EffectChoice
from brightspots.engine.options import FitOptions, Method
from brightspots.engine.posterior import Certificate, Posterior

if TYPE_CHECKING:
    from brightspots.engine.integration.choice import Looked

# How long sampling may take where it was not asked for by name.
FALLBACK_SECONDS = 600.0


@dataclass(frozen=True)
class Request:
    """What was asked of the engine, whatever came of it.

    Parameters
    ----------
    method : {"auto", "integrate", "nuts"}
    draws : int or None
        None for as many as give 1,000 effective ones.
    """

    method: Method = "auto"
    draws: int | None = None


class Answer(NamedTuple):
    """What a fit comes to.

    Parameters
    ----------
    effects : Posterior
    certificate : Certificate
    priors : Priors
        As they were asked for, with the distributions of effects that were fitted.
    choice : EffectChoice
    """

    effects: Posterior
    certificate: Certificate
    priors: Priors
    choice: EffectChoice


def run(cells: Cells, options: FitOptions, *, stacklevel: int = 2) -> Answer:
    """Decide on the distribution of effects where that is left to the data, fit, and warn where no certificate holds.

    Parameters
    ----------
    cells : Cells
    options : FitOptions
        Its method "auto" integrates; where that does not earn its certificate it samples, for at most
        `FALLBACK_SECONDS`, and returns what was sampled if that holds, else the better of the two: the one that misses
        its checks by the smaller factor.
    stacklevel : int
        How many calls up from here lies the line that warnings name, as in `warnings.warn`: 2 is the caller's.

    Returns
    -------
    Answer

    Warns
    -----
    CertificateWarning
    """
    from brightspots.engine.chains import nuts

    priors, method, draws, seed = options.priors, options.method, options.draws, options.seed
    sampler, shown = options.sampler, nuts.show_progress(options.progress)
    if method == "nuts":
        _, choice = _chosen(cells, priors)
        decided = choice.decide(priors)
        asked = nuts.sample(cells, decided, draws=draws, seed=seed, sampler=sampler, progress=shown)
        _warn_unless_ok(asked[1], stacklevel + 1)
        return Answer(*asked, decided, choice)

    integrated = integrate_decided(cells, priors, draws=draws, seed=seed)
    certificate, decided, choice = integrated[1:]
    if certificate.ok or method == "integrate":
        advised = certificate
        if not certificate.ok:
            advised = replace(certificate, message=f"{certificate.message}; use method='nuts'")
        _warn_unless_ok(advised, stacklevel + 1)
        return integrated._replace(certificate=advised)
    warnings.warn(
        f"the integrating engine missed its certificate: {certificate.message}; sampling with NUTS instead, for at "
        f"most {FALLBACK_SECONDS / 60:.3g} minutes",
        CertificateWarning,
        stacklevel=stacklevel,
    )
    sampled = nuts.sample_within(
        FALLBACK_SECONDS, cells, decided, draws=draws, seed=seed, sampler=sampler, progress=shown
    )
    answer = better_of(integrated[:2], sampled)
    _warn_unless_ok(answer[1], stacklevel + 1)
    return Answer(*answer, decided, choice)


def _chosen(cells: Cells, priors: Priors) -> tuple[Looked | None, EffectChoice]:
    """What the data say of the distributions that are left to them, and the choice; None where all are given."""
    from brightspots.engine.integration.choice import look

    looked = look(cells, priors) if priors.undecided else None
    return looked, EffectChoice(looked.log_bayes_factors if looked else {})


def integrate_decided(
    cells: Cells, priors: Priors, *, draws: int | None, seed: int | None, effective: int | None = None
) -> Answer:
    """Integrate under what the data decide; where that has no certificate, that is set aside piece by piece.

    Parameters
    ----------
    cells : Cells
    priors : Priors
        As they were asked for.
    draws, seed, effective
        As in `integrate`.
    """
    from brightspots.engine.integration.integrate import EFFECTIVE_DRAWS, integrate

    looked, choice = _chosen(cells, priors)
    enough = EFFECTIVE_DRAWS if effective is None else effective
    while True:
        decided = choice.decide(priors)
        effects, certificate = integrate(
            cells, decided, draws=draws, seed=seed, effective=enough, looked=looked
        )
        if certificate.ok or not choice.taken:
            return Answer(effects, certificate, decided, choice)
        # What the data say the least for goes first.
        doubtful = min(choice.taken, key=lambda question: choice.log_bayes_factors[question])
        choice = replace(choice, set_aside=(*choice.set_aside, doubtful))


def better_of(
    integrated: tuple[Posterior, Certificate], sampled: tuple[Posterior, Certificate] | None
) -> tuple[Posterior, Certificate]:
    """Of an integration without certificate and what sampling gave, the answer that misses its checks by less.

    Parameters
    ----------
    integrated, sampled : (Posterior, Certificate)
        `sampled` is None where the chains did not finish in time.

    Returns
    -------
    Posterior, Certificate
        What was sampled where that holds. Else the message says what is wrong with either.
    """
    if sampled is None:
        other = f"NUTS was not done after {FALLBACK_SECONDS / 60:.3g} minutes (method='nuts' samples without limit)"
        return integrated[0], _beside(integrated[1], other)
    if sampled[1].ok:
        return sampled
    if sampled[1].shortfall < integrated[1].shortfall:
        return sampled[0], _beside(sampled[1], f"integrating did worse: {integrated[1].message}")
    return integrated[0], _beside(integrated[1], f"NUTS did no better: {sampled[1].message}")


def _beside(certificate: Certificate, other: str) -> Certificate:
    return replace(certificate, message=f"{certificate.message}. {other}")


def _warn_unless_ok(certificate: Certificate, stacklevel: int) -> None:
    if not certificate.ok:
        warnings.warn(
            f"the fit's certificate does not hold: {certificate.message}",
            CertificateWarning,
            stacklevel=stacklevel,
        )
