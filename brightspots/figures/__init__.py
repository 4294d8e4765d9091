"""Figures: one file a figure. Each takes data, draws on an Axes and returns it.

matplotlib is imported by these modules and by nothing else, and the style is active only while one of them draws.
"""
