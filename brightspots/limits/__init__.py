"""Funnel limits, with or without a fit."""

from __future__ import annotations

from brightspots.limits.funnel import FunnelLimits, funnel_limits

__all__ = ["FunnelLimits", "funnel_limits"]
