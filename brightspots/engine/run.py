"""One fit by the engine asked for: an integration that fails its certificate is said aloud and sampled instead."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

from brightspots.cells import Cells
from brightspots.errors import CertificateWarning, SettingsError
from brightspots.posterior import Certificate, Posterior
from brightspots.settings import Priors

Method = Literal["auto", "integrate", "nuts"]


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


def run(
    cells: Cells,
    priors: Priors,
    method: Method,
    *,
    sampler: str = "auto",
    draws: int | None = None,
    seed: int | None = None,
    progress: bool | None = None,
    stacklevel: int = 2,
) -> tuple[Posterior, Certificate]:
    """Fit, and warn where the certificate does not hold.

    Parameters
    ----------
    cells, priors
    method : {"auto", "integrate", "nuts"}
        "auto" integrates, and samples where that does not earn its certificate or department effects are not normal
        with one standard deviation.
    sampler, draws, seed, progress
        As in `fit_hierarchy`.
    stacklevel : int
        Whom the warnings point at: 2 is the caller.

    Raises
    ------
    SettingsError
        Where effects that are not normal with one standard deviation are to be integrated.

    Warns
    -----
    CertificateWarning
    """
    from brightspots.engine import nuts

    shown = nuts.show_progress(progress)
    if not priors.integrable:
        if method == "integrate":
            raise SettingsError(
                "method='integrate' takes normal effects of one standard deviation; "
                f"with Priors(effects={priors.effects!r}, department_by_type={priors.department_by_type!r}) "
                "pass method='nuts' or 'auto'"
            )
        method = "nuts"
    if method != "nuts":
        from brightspots.engine.integrate import integrate

        effects, certificate = integrate(cells, priors, draws=draws, seed=seed)
        if certificate.ok or method == "integrate":
            _warn_unless_ok(certificate, stacklevel + 1)
            return effects, certificate
        warnings.warn(
            f"the integrating engine {certificate.message}; sampling with NUTS instead, which takes longer",
            CertificateWarning,
            stacklevel=stacklevel,
        )
    sampled, certificate = nuts.sample(cells, priors, draws=draws, seed=seed, sampler=sampler, progress=shown)
    _warn_unless_ok(certificate, stacklevel + 1)
    return sampled, certificate


def _warn_unless_ok(certificate: Certificate, stacklevel: int) -> None:
    if not certificate.ok:
        warnings.warn(
            f"the fit's certificate {certificate.message}", CertificateWarning, stacklevel=stacklevel
        )
