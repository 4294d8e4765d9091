"""Figures, one module each. Each takes plain tables, draws on an Axes and returns it; none needs a fit.

matplotlib is imported by these modules, and by `report/pictures.py`, alone, and the style is active only while one of
them draws. `palette.py` (colours) and `marks.py` (how each kind of unit is drawn, wherever the library draws it) load
no matplotlib.

A new figure takes two steps:

1. A module here with one function ``draw_<name>(table, *, title=None, caption=None, ax=None) -> Axes``. Inside
   ``with canvas.style(<every text shown>):`` it takes its axes from `canvas.open_axes`, draws with
   `canvas.draw_marks` and the marks of `marks.py`, and ends with `canvas.finish`, which writes legend, title and
   caption and keeps the alternative text, without which no figure is complete.
2. A method ``plot_<name>`` of `Drawable` in `fit/plots.py`, which hands it the tables of a fit. Its docstring is the
   only one that users read.

Then give it a line in `tests/figures/test_contract.py`, which holds for every figure.
"""
