"""Case mix: from patient records, wherever they are held, to events expected by trust and department."""

from brightspots.casemix.card import ModelCard
from brightspots.casemix.indirect import standardise
from brightspots.casemix.standardised import Standardised

__all__ = ["ModelCard", "Standardised", "standardise"]
