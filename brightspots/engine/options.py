"""How a model is to be fitted, in one object that checks itself: `FitOptions`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from brightspots.common.arguments import as_annotated, check_choice, check_whole
from brightspots.common.settings import Priors, check_seed
from brightspots.engine.chains.stacks import SAMPLERS

Method = Literal["auto", "integrate", "nuts"]


@dataclass(frozen=True)
class FitOptions:
    """How a model is to be fitted: the arguments of `fit_hierarchy` that do not depend on what the data are.

    Parameters
    ----------
    priors : Priors
    method : {"auto", "integrate", "nuts"}, default "auto"
        Which engine computes the posterior.
    sampler : {"auto", "nutpie", "numpyro", "pymc"}, default "auto"
        Who runs NUTS.
    draws : int, optional
        Posterior draws to hold; None for as many as give 1,000 effective ones.
    seed : int, optional
        The same seed gives the same numbers.
    progress : bool, optional
        Whether to show a progress bar; None for in a terminal and in Jupyter only.

    Raises
    ------
    SettingsError
        Where an option has a value that cannot be used.
    """

    priors: Priors
    method: Method = "auto"
    sampler: str = "auto"
    draws: int | None = None
    seed: int | None = None
    progress: bool | None = None

    def __post_init__(self) -> None:
        """Check every option."""
        as_annotated("priors", self.priors, Priors)
        check_choice("method", self.method, get_args(Method))
        check_choice("sampler", self.sampler, ("auto", *SAMPLERS))
        if self.draws is not None:
            object.__setattr__(self, "draws", check_whole("draws", self.draws))
        object.__setattr__(self, "seed", check_seed(self.seed))
        as_annotated("progress", self.progress, bool | None)
