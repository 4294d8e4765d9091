"""All draws of an adaptive importance sampler, and the mixture of all that they were drawn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brightspots.common.arrays import FloatArray, log_sum
from brightspots.engine.integration.proposal import Proposal, RestProposal

Sources = Sequence[tuple[int, Proposal]]


class Rounds:
    """Draws of parameters, (S, k), and border, (S, B), with the log density that each should have, (S,).

    The border here is all that is drawn given the parameters: log σ of department types too, where these differ.

    A draw is weighed against the mixture of all proposals in proportion to their draws (deterministic mixture; Owen &
    Zhou 2000, JASA 95:135): one that the first of them had nearly missed does no harm once a later one has it.
    """

    def __init__(self) -> None:
        self.parameters = np.empty((0, 0))
        self.border = np.empty((0, 0))
        self._target = np.empty(0)
        # The mixture: draws, proposal of the parameters, and place of that of the border, whose densities at all draws
        # are kept.
        self._sources: list[tuple[int, Proposal, int]] = []
        self._of_border: list[RestProposal] = []
        self._log_border: list[FloatArray] = []

    @property
    def n_proposed(self) -> int:
        """Draws so far, with those that were left out because their density is nil."""
        return sum(size for size, _, _ in self._sources)

    def add(
        self,
        sources: Sources,
        of_border: RestProposal,
        parameters: FloatArray,
        border: FloatArray,
        log_border: FloatArray,
        target: FloatArray,
    ) -> None:
        """Add a round.

        Parameters
        ----------
        sources : sequence of (int, Proposal)
            What parameters were drawn from, and how often.
        of_border : RestProposal
        parameters, border : (n, k), (n, B)
        log_border : (n,)
            Log density of the border's proposal.
        target : (n,)
            Log density that the draws should have.
        """
        if not self._of_border:
            self.parameters, self.border = parameters[:0], border[:0]
        if all(of is not of_border for of in self._of_border):
            before = of_border.log_density(self.parameters, self.border) if self._of_border else np.empty(0)
            self._of_border.append(of_border)
            self._log_border.append(before)
        for place, of in enumerate(self._of_border):
            new = log_border if of is of_border else of.log_density(parameters, border)
            self._log_border[place] = np.concatenate([self._log_border[place], new])
        place = next(at for at, of in enumerate(self._of_border) if of is of_border)
        self._sources.extend((size, source, place) for size, source in sources)
        self.parameters = np.concatenate([self.parameters, parameters])
        self.border = np.concatenate([self.border, border])
        self._target = np.concatenate([self._target, target])

    def log_ratio(self) -> FloatArray:
        """Log of the density that each draw should have over that of the mixture, (S,)."""
        total = self.n_proposed
        logs = np.stack([
            np.log(size / total) + source.log_density(self.parameters) + self._log_border[place]
            for size, source, place in self._sources
        ])  # fmt: skip
        return np.asarray(self._target - log_sum(logs))
