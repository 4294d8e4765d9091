"""Draw the pictures of docs/gallery.md and docs/funnels.md from the published files and print the page's numbers.

Run from the checkout: ``python docs/funnel_gallery.py`` (BRIGHTSPOTS_REAL_DATA names the folder of published files).
"""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from scipy import stats

import brightspots as bs
from brightspots.limits.funnel import FunnelMethod

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("BRIGHTSPOTS_REAL_DATA", ROOT.parent / "shared" / "data"))
IMAGES = ROOT / "docs" / "images"


def save(ax: object, name: str) -> None:
    """Write one image and print its alternative text."""
    ax.figure.savefig(IMAGES / f"{name}.png", dpi=110)
    print(f"\n{name}: {bs.describe(ax)}")


def shmi() -> None:
    """Official SHMI limits beside ours, and the funnel of one publication."""
    official = pd.read_csv(DATA / "nhs_shmi_quarterly_2011_2012.csv")
    print("SHMI: date, trusts, largest difference of a limit, bands that differ, tau2")
    for date, trusts in official.groupby("DATE"):
        limits = bs.funnel_limits(trusts["OBSERVED"], trusts["EXPECTED"], method="shmi")
        table = limits.table
        gap = max(
            (table["lower_95"] - trusts["OD_LL"]).abs().max(),
            (table["upper_95"] - trusts["OD_UL"]).abs().max(),
        )
        band = table["zone"].map(lambda zone: 1 if "above" in zone else 3 if "below" in zone else 2)
        print(
            date, len(trusts), f"{gap:.6f}", int((band != trusts["OD_BANDING"]).sum()), f"{limits.tau2:.5f}"
        )
    last = official[official["DATE"] == "2012-01-01"].set_index("PROVIDER NAME")
    ax = bs.plot_funnel(
        bs.funnel_limits(last["OBSERVED"], last["EXPECTED"], method="shmi"),
        title="Summary Hospital-level Mortality Indicator, trusts in England",
        period="publication of January 2012",
        source="NHS England, Open Government Licence",
    )
    save(ax, "funnel_shmi")


def new_york() -> None:
    """New York's official flags beside those of funnels and of the exact test."""
    cells = pd.read_csv(DATA / "ny_cardiac_2008_2019.csv", dtype={"Facility ID": str})
    cells = cells[cells["Comparison Results"] != "Statewide Rate"].reset_index(drop=True)
    observed = cells["Number of Deaths"]
    expected = cells["Number of Cases"] * cells["Expected Mortality Rate"] / 100.0
    official = cells["Comparison Results"].str.extract("(higher|lower|not different)")[0]
    groups = cells.groupby(["Procedure", "Year of Hospital Discharge"]).groups

    def funnel(method: FunnelMethod) -> pd.Series:
        zones = [
            bs.funnel_limits(observed[rows], expected[rows], method=method, levels=(0.95,)).table["zone"]
            for rows in groups.values()
        ]
        words = {"above 95%": "higher", "below 95%": "lower", "within limits": "not different"}
        return pd.concat(zones).reindex(cells.index).map(words)

    high, low = stats.poisson.sf(observed - 1, expected), stats.poisson.cdf(observed, expected)
    ours = {method: funnel(method) for method in ("spiegelhalter", "poisson")}
    ours["exact test"] = pd.Series(
        np.select([high < 0.025, low < 0.025], ["higher", "lower"], "not different")
    )
    for method, flags in ours.items():
        print(f"\nNew York cardiac, {method}: {int((flags != official).sum())} of {len(cells):,} differ")
        print(pd.crosstab(official.rename("official"), flags.rename("ours")))
    at_limit = (ours["spiegelhalter"] != official) & (high >= 0.025)
    print(
        "interpolated, differing with exact tail >= .025:",
        int(at_limit.sum()),
        "largest tail",
        high[at_limit].max(),
    )
    missed = (ours["poisson"] != official) & (official == "higher")
    extra = (ours["poisson"] != official) & (ours["poisson"] == "lower")
    print("chi-squared: not reached, exact tails", high[missed].min(), high[missed].max())
    print("chi-squared: too many, exact tails", low[extra].min(), low[extra].max())

    one = (cells["Procedure"] == "CABG") & (cells["Year of Hospital Discharge"] == "2018")
    limits = bs.funnel_limits(
        observed[one], denominator=cells["Number of Cases"][one], method="spiegelhalter"
    )
    ax = bs.plot_funnel(
        limits,
        labels=cells["Hospital Name"][one].tolist(),
        multiplier=100,
        title="Deaths after coronary bypass surgery",
        period="2018",
        source="New York State Department of Health, not adjusted for case mix",
    )
    save(ax, "funnel_new_york")


def hierarchy() -> None:
    """Two stages, partition, mosaic and caterpillar of New York's quality indicators."""
    cells = bs.read_ny_iqi(DATA / "ny_iqi_2009_2014.csv")
    fit = bs.fit_hierarchy(cells, period=False, seed=1)
    spots = fit.find_spots()
    dark = spots.table.loc[spots.table["status"] == "dark spot", "trust"].value_counts().index[0]
    save(fit.plot_two_stage(dark)[1], "two_stage")
    save(fit.plot_partition(), "partition")
    save(fit.plot_mosaic(spots=spots), "mosaic")
    save(fit.plot_caterpillar(dark, spots=spots), "caterpillar")


def trend() -> None:
    """One department by year."""
    cells = bs.read_ny_iqi(DATA / "ny_iqi_2009_2014.csv")
    biggest = cells.groupby(["trust", "department"])["expected"].sum().idxmax()
    own = cells[(cells["trust"] == biggest[0]) & (cells["department"] == biggest[1])]
    from brightspots.figures.trend import draw_trend

    frame = pd.DataFrame({"period": own["period"], "ratio": own["observed"] / own["expected"]})
    frame["ratio_lower"] = stats.chi2.ppf(0.025, 2 * own["observed"]) / 2 / own["expected"]
    frame["ratio_upper"] = stats.chi2.ppf(0.975, 2 * (own["observed"] + 1)) / 2 / own["expected"]
    save(draw_trend(frame, title=f"{biggest[1]}, hospital {biggest[0]}, raw ratios"), "trend")


def ratings() -> None:
    """Departments of the bundled nation against their trusts' ratings."""
    fit = bs.fit_hierarchy(bs.load_sample("nation"), period=False, seed=1)
    save(fit.plot_rating(), "rating")


if __name__ == "__main__":
    mpl.use("Agg")
    IMAGES.mkdir(exist_ok=True)
    shmi()
    new_york()
    hierarchy()
    trend()
    ratings()
