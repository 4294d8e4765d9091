"""What holds for every figure: each is drawn from one unit and from many, on axes that are given, in words too."""

from __future__ import annotations

import importlib
import inspect
import io
import pkgutil
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from brightspots import figures
from brightspots.figures.calibration import draw_calibration
from brightspots.figures.caterpillar import draw_caterpillar
from brightspots.figures.describe import describe
from brightspots.figures.funnel import draw_funnel, draw_two_stage
from brightspots.figures.mosaic import draw_mosaic
from brightspots.figures.partition import draw_partition
from brightspots.figures.rating import draw_rating
from brightspots.figures.trend import draw_trend
from brightspots.limits.funnel import FunnelLimits, funnel_limits

from .conftest import RATINGS, spots_frame

CAPTION = "Source: made up & drawn for $1 on 1 May 2026"


def limits(units: int) -> FunnelLimits:
    rng = np.random.default_rng(3)
    expected = np.exp(rng.normal(4.0, 1.0, units))
    observed = np.round(expected * np.exp(0.3 * np.sin(np.arange(units))))
    return funnel_limits(observed, expected, method="poisson")


def spots(units: int) -> pd.DataFrame:
    return spots_frame(-(-units // 20) or 1, 20).head(units)


def partition(levels: int) -> pd.DataFrame:
    share = np.full(levels, 1.0 / levels)
    columns = {"sd": share, "share": share, "share_lower": 0.5 * share, "share_upper": 1.2 * share}
    return pd.DataFrame(
        columns, index=pd.Index(["trust", "department", "period"][:levels], name="level")
    ).assign(median_ratio=1.2)


def periods(count: int) -> pd.DataFrame:
    ratio = np.exp(np.sin(np.arange(count)))
    return pd.DataFrame(
        {
            "period": 2000 + np.arange(count),
            "ratio": ratio,
            "ratio_lower": 0.8 * ratio,
            "ratio_upper": 1.2 * ratio,
        }
    )


def bands(count: int) -> pd.DataFrame:
    rate = np.linspace(0.01, 0.4, count)
    return pd.DataFrame(
        {
            "expected_rate": rate,
            "observed_rate": 1.1 * rate,
            "observed_rate_lower": 0.9 * rate,
            "observed_rate_upper": 1.3 * rate,
        }
    )


def two_stages(units: int, ax: Axes | None = None, **options: Any) -> tuple[Axes, Axes]:
    axes = None if ax is None else (ax, ax.figure.axes[1])
    return draw_two_stage(limits(units), limits(units), trust=0, axes=axes, **options)


# Each figure from the number of units that it shows, and what many are to it.
FIGURES: dict[str, tuple[Callable[..., Axes | tuple[Axes, ...]], int]] = {
    "draw_calibration": (lambda n, **options: draw_calibration(bands(n), **options), 20),
    "draw_caterpillar": (lambda n, **options: draw_caterpillar(spots(n), margin=1.1, **options), 2_000),
    "draw_funnel": (lambda n, **options: draw_funnel(limits(n), **options), 5_000),
    "draw_mosaic": (lambda n, **options: draw_mosaic(spots(n), **options), 2_000),
    "draw_partition": (lambda n, **options: draw_partition(partition(n), **options), 3),
    "draw_rating": (lambda n, **options: draw_rating(spots(n), order=RATINGS, **options), 5_000),
    "draw_trend": (lambda n, **options: draw_trend(periods(n), **options), 120),
    "draw_two_stage": (two_stages, 500),
}


@pytest.fixture(params=FIGURES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def draw(name: str, units: int, **options: Any) -> tuple[Axes, ...]:
    drawn = FIGURES[name][0](units, **options)
    return drawn if isinstance(drawn, tuple) else (drawn,)


def written_below(ax: Axes) -> str:
    return " ".join(text.get_text() for text in ax.texts if text.get_gid() == "caption").replace("\n", " ")


def drawing_functions() -> dict[str, Callable[..., Any]]:
    """Every function of the room that draws a whole figure: it is called so, and returns axes."""
    modules = [
        importlib.import_module(f"{figures.__name__}.{module.name}")
        for module in pkgutil.iter_modules(figures.__path__)
    ]
    return {
        name: thing
        for module in modules
        for name, thing in vars(module).items()
        if name.startswith("draw_") and getattr(thing, "__module__", None) == module.__name__
        if inspect.signature(thing).return_annotation in ("Axes", "tuple[Axes, Axes]")
    }


DRAWING = drawing_functions()


def test_every_figure_is_held_to_this():
    assert set(DRAWING) == set(FIGURES)


@pytest.mark.parametrize("many", [False, True], ids=["one unit", "many units"])
def test_a_figure_is_drawn_without_a_warning(name, many):
    units = FIGURES[name][1] if many else 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        axes = draw(name, units)
        axes[0].figure.savefig(io.BytesIO(), format="png")
    for ax in axes:
        assert isinstance(ax, Axes)
        assert ax.has_data()
        assert np.all(np.isfinite([*ax.get_xlim(), *ax.get_ylim()]))


def test_a_figure_says_in_words_what_it_shows(name):
    few, many = ([describe(ax) for ax in draw(name, units)] for units in (1, FIGURES[name][1]))
    for one, other in zip(few, many, strict=True):
        assert len(one) > 30
        assert one.endswith(".")
        assert "nan" not in one.split()
        assert one != other


def test_the_caption_is_kept_as_it_is_in_the_figure_and_in_words(name):
    for ax in draw(name, 1, caption=CAPTION):
        assert written_below(ax).endswith(f"{CAPTION}.")
        assert CAPTION in describe(ax)
        assert not any(text.get_parse_math() for text in ax.texts)
    for ax in draw(name, 1):
        assert "Source" not in written_below(ax) + describe(ax)


def test_given_axes_are_drawn_on_and_no_style_is_left_behind(name):
    before = dict(mpl.rcParams)
    figure, (left, right) = plt.subplots(1, 2, figsize=(14, 7))
    open_figures = plt.get_fignums()
    axes = draw(name, 5 if name != "draw_partition" else 2, ax=left)
    assert axes in ((left,), (left, right))
    assert figure.axes == [left, right]
    assert plt.get_fignums() == open_figures
    assert right.has_data() is (len(axes) == 2)
    assert dict(mpl.rcParams) == before


def test_the_options_that_all_figures_share_are_called_alike(name):
    parameters = inspect.signature(DRAWING[name]).parameters
    shared = {"caption", "axes"} if name == "draw_two_stage" else {"caption", "ax", "title"}
    assert shared <= set(parameters)
    assert {parameters[option].kind for option in shared} == {inspect.Parameter.KEYWORD_ONLY}
    assert {parameters[option].default for option in shared - {"title"}} == {None}
