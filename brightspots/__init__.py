"""Bright and dark spots inside hospitals: hierarchical models of outcomes by trust and department.

``fit_hierarchy`` fits, ``HierarchyFit`` answers, ``write_board_pack`` writes it up. Nothing here imports PyMC, ArviZ,
statsmodels or matplotlib until it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from brightspots._version import __version__

if TYPE_CHECKING:
    from brightspots.casemix import ModelCard, Standardised, standardise
    from brightspots.common.errors import (
        BrightspotsError,
        CertificateWarning,
        DataError,
        DataWarning,
        MissingExtraError,
        SettingsError,
    )
    from brightspots.common.settings import Flat, HalfNormal, InverseGamma, Normal, Priors, SpotRule
    from brightspots.data.columns import Columns
    from brightspots.disclosure import suppress
    from brightspots.figures.describe import describe
    from brightspots.figures.funnel import plot_funnel
    from brightspots.fit.fitting import fit_hierarchy
    from brightspots.fit.hierarchy_fit import HierarchyFit
    from brightspots.fit.load import load_fit
    from brightspots.fit.outcome_fits import OutcomeFits
    from brightspots.fit.spots import Spots
    from brightspots.limits.funnel import FunnelLimits, funnel_limits
    from brightspots.readers import (
        read_cms_hrrp,
        read_cms_ratings,
        read_cqc_ratings,
        read_nhs_rtt,
        read_nhs_shmi,
        read_ny_cardiac,
        read_ny_iqi,
    )
    from brightspots.report.pack import write_board_pack
    from brightspots.simulate.nation import Nation, simulate_nation
    from brightspots.simulate.samples import list_samples, load_sample
    from brightspots.tidying.check import check_table, tidy
    from brightspots.tidying.report import Finding, TableReport

# Where each public name lives; it is imported when first used.
_HOMES = {
    "brightspots.casemix": ("ModelCard", "Standardised", "standardise"),
    "brightspots.data.columns": ("Columns",),
    "brightspots.common.errors": (
        "BrightspotsError",
        "CertificateWarning",
        "DataError",
        "DataWarning",
        "MissingExtraError",
        "SettingsError",
    ),
    "brightspots.figures.describe": ("describe",),
    "brightspots.figures.funnel": ("plot_funnel",),
    "brightspots.fit.hierarchy_fit": ("HierarchyFit",),
    "brightspots.fit.fitting": ("fit_hierarchy",),
    "brightspots.fit.outcome_fits": ("OutcomeFits",),
    "brightspots.limits.funnel": ("FunnelLimits", "funnel_limits"),
    "brightspots.readers": (
        "read_cms_hrrp",
        "read_cms_ratings",
        "read_cqc_ratings",
        "read_nhs_rtt",
        "read_nhs_shmi",
        "read_ny_cardiac",
        "read_ny_iqi",
    ),
    "brightspots.disclosure": ("suppress",),
    "brightspots.report.pack": ("write_board_pack",),
    "brightspots.simulate.samples": ("list_samples", "load_sample"),
    "brightspots.common.settings": ("Flat", "HalfNormal", "InverseGamma", "Normal", "Priors", "SpotRule"),
    "brightspots.simulate.nation": ("Nation", "simulate_nation"),
    "brightspots.fit.spots": ("Spots",),
    "brightspots.fit.load": ("load_fit",),
    "brightspots.tidying.check": ("check_table", "tidy"),
    "brightspots.tidying.report": ("Finding", "TableReport"),
}
_HOME_OF = {name: home for home, public in _HOMES.items() for name in public}

__all__ = [
    "BrightspotsError",
    "CertificateWarning",
    "Columns",
    "DataError",
    "DataWarning",
    "Finding",
    "Flat",
    "FunnelLimits",
    "HalfNormal",
    "HierarchyFit",
    "InverseGamma",
    "MissingExtraError",
    "ModelCard",
    "Nation",
    "Normal",
    "OutcomeFits",
    "Priors",
    "SettingsError",
    "SpotRule",
    "Spots",
    "Standardised",
    "TableReport",
    "__version__",
    "check_table",
    "describe",
    "fit_hierarchy",
    "funnel_limits",
    "list_samples",
    "load_fit",
    "load_sample",
    "plot_funnel",
    "read_cms_hrrp",
    "read_cms_ratings",
    "read_cqc_ratings",
    "read_nhs_rtt",
    "read_nhs_shmi",
    "read_ny_cardiac",
    "read_ny_iqi",
    "simulate_nation",
    "standardise",
    "suppress",
    "tidy",
    "write_board_pack",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'brightspots' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
