"""The board pack as a page: complete, self-contained, accessible, harmless, bounded."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import sys
from collections import Counter
from functools import cache

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from brightspots import MissingExtraError, SettingsError, SpotRule
from brightspots.engine.integration import conditional
from brightspots.fit import decided
from brightspots.fit.hierarchy_fit import HierarchyFit
from brightspots.report.pack import write_board_pack
from tests.conftest import simulate_frame
from tests.report import office
from tests.report.conftest import FAILS, make_fit
from tests.report.page import Page

NASTY = (
    "<script>alert(1)</script>",
    "Bwrdd Iechyd Prifysgol Betsi Cadwaladr – Ŵyr a’r Gŵr",
    "=HYPERLINK(1)",
    "x" * 200,
)


def write(fit, path, *, rule=None, **arguments) -> Page:
    spots = fit.find_spots(rule)
    return Page(write_board_pack(fit, spots, path, **arguments).read_text(encoding="utf-8"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "board.html"


@pytest.fixture
def nation(fit, path) -> Page:
    return write(fit, path)


@pytest.fixture
def one_trust(fit, path) -> Page:
    return write(fit, path, trust="T003")


# ---- what it says ----------------------------------------------------------------------------------------------


def test_a_nation_has_every_section_in_order(nation):
    headings = [element.words for element in nation.all("h2")]
    assert headings == [
        "In brief",
        "Where the variation lies",
        "Funnels: trusts, then departments",
        "Every department at a glance",
        "Bright and dark spots",
        "Against the overall rating",
        "What cannot be told",
        "Whom to learn from",
        "How this was done, and what the words mean",
        "Certificate and provenance",
    ]


def test_ratings_of_departments_are_not_said_to_be_those_of_trusts(fit, path):
    grade = fit.table.extras["rating"].astype(object).to_numpy().copy()
    grade[::2] = "Inadequate"
    cells = fit.table.cells
    frame = pd.DataFrame(
        {"trust": cells.trusts[cells.cell_trust], "department": cells.departments[cells.cell_department]}
    )
    spots = fit.find_spots(rating=frame.assign(rating=grade).iloc[6:])
    nation = Page(write_board_pack(fit, spots, path).read_text(encoding="utf-8"))
    one = Page(write_board_pack(fit, spots, path, trust="T003").read_text(encoding="utf-8"))
    for page in (nation, one):
        assert "Against the departments' ratings" in page.text
        assert "6 of 72 departments have no rating" in page.text
        assert "overall rating of their trust" not in page.text
        assert "Overall rating" not in page.text
    unrated = Page(write_board_pack(fit, spots, path, trust="T000").read_text(encoding="utf-8"))
    assert "T000 has no overall rating in these data" not in unrated.text
    assert "T000 has no rating in these data" in unrated.text


def test_a_trust_leads_with_its_own_spots(one_trust, fit):
    headings = [element.words for element in one_trust.all("h2")]
    assert headings[:3] == ["In brief", "Dark spots and bright spots", "Every department"]
    own = fit.find_spots().table.query("trust == 'T003'")
    for department, status, reading in zip(own["department"], own["status"], own["reading"], strict=True):
        if status in ("bright spot", "dark spot"):
            assert f"{department} is a {status} ({reading}): its level is" in one_trust.one("spots").words


def test_the_table_holds_every_flag_with_its_numbers(nation, fit):
    spots = fit.find_spots()
    words = nation.one("spots-table").words
    flagged = pd.concat([spots.dark, spots.bright])
    assert len(flagged) > 5
    for row in flagged.itertuples():
        ratio = f"{row.own_ratio:.2f} ({row.own_ratio_lower:.2f} to {row.own_ratio_upper:.2f})"
        assert re.search(f"{row.trust} ?{row.department} ?{row.status} ?{re.escape(ratio)}", words), row


def test_the_mosaic_agrees_with_the_table(nation, fit):
    spots = fit.find_spots()
    cells = [
        element
        for element in nation.all("td")
        if element["class"] in ("bright", "dark") and "grid" in str(nation.source)
    ]
    counts = spots.table["status"].value_counts()
    assert sum(cell["class"] == "bright" for cell in cells) == counts["bright spot"]
    assert sum(cell["class"] == "dark" for cell in cells) == counts["dark spot"]


def test_bright_and_dark_swap_with_the_direction(fit, fit_where_more_is_better):
    worse, better = fit.find_spots(), fit_where_more_is_better.find_spots()
    assert len(worse.dark) == len(better.bright) > 0


def test_where_more_is_better_the_page_says_so(fit_where_more_is_better, path):
    page = write(fit_where_more_is_better, path, events="survivors")
    assert "More survivors than elsewhere count as bright, fewer as dark." in page.text


def test_words_that_overclaim_do_not_occur(nation, one_trust):
    for page in (nation, one_trust):
        for word in (
            "significan",
            "league",
            "rank",
            "worst",
            r"best\b",
            "no concern",
            "satisfactory",
            r"prove[sdn]?\b",
        ):
            assert not re.search(rf"\b{word}", page.text.lower()), word


def test_without_a_rating_there_is_no_rating_section(path):
    page = write(make_fit(simulate_frame(12, 6).drop(columns="rating")), path)
    assert "Against the overall rating" not in page.text
    assert "Overall rating" not in page.text


def test_where_all_are_weak_no_flag_is_set_against_a_strong_rating(fit, path):
    words = {
        trust: ("Requires improvement", "Inadequate")[k % 5 > 2]
        for k, trust in enumerate(fit.table.cells.trusts)
    }
    spots = fit.find_spots(rating=words)
    write_board_pack(fit, spots, path)
    said = Page(path.read_text(encoding="utf-8")).one("rating").words
    dark, bright = (int((spots.table["status"] == kind).sum()) for kind in ("dark spot", "bright spot"))
    assert dark > 1 < bright
    assert f"None of the {dark} dark spots lies in trusts whose overall rating is strong" in said
    assert f"all {bright} bright spots lie in trusts whose overall rating is weak" in said
    assert "Strong is Good or better, on the Care Quality Commission's scale" in said
    own = path.with_name("own.html")
    write_board_pack(fit, spots, own, trust="T000")
    assert (
        "T000 is rated Requires improvement overall, which counts as weak (strong is Good or better, on the Care "
        "Quality Commission's scale)."
    ) in Page(own.read_text(encoding="utf-8")).text


@pytest.mark.parametrize("by_department", [False, True])
def test_of_a_rating_whose_strength_is_not_known_no_word_says_strong_or_weak(fit, path, by_department):
    cells = fit.table.cells
    keys = zip(cells.trusts[cells.cell_trust], cells.departments[cells.cell_department], strict=True)
    rating = {key: 6 + k % 3 for k, key in enumerate(keys if by_department else cells.trusts)}
    spots = fit.find_spots(rating=rating)
    unknown = "Which bands of this rating count as strong is not known (6, 7, 8): no flag is set against it."
    for trust in (None, "T000"):
        write_board_pack(fit, spots, path, trust=trust)
        page = Page(path.read_text(encoding="utf-8"))
        assert unknown in page.one("rating").words
        said = page.one("rating").words.replace(unknown, "")
        assert not re.search(r"strong|weak|concordant|Against the rating|Counts as", said), said
    assert (f"T000 is rated 6 overall. {unknown}" in page.text) is not by_department
    assert set(spots.table["rating_status"]) == {"not rated"}
    assert spots.table.attrs["rating_status"] == unknown
    assert f"{unknown} Say it with strong_from=…" in repr(spots)
    assert "against rating" not in repr(spots)
    # It is still said what the rating explains, and how far from it each department is.
    assert spots.table["p_other_band"].notna().all()


def test_a_rating_that_rates_nobody_is_said_among_the_notes(path):
    page = write(make_fit(simulate_frame(12, 6).assign(rating=None)), path)
    assert "Against the overall rating" not in page.text
    assert "Nobody in the data has a rating" in page.one("method").words


def test_a_rating_built_from_the_outcome_is_called_an_echo(fit, path):
    spots = fit.find_spots(rating_uses_outcome=True)
    write_board_pack(fit, spots, path)
    assert "partly an echo" in Page(path.read_text(encoding="utf-8")).one("rating").words


def test_a_trust_with_one_department_is_explained(path):
    frame = simulate_frame(12, 6)
    frame = frame[(frame["trust"] != "T003") | (frame["department"] == "D02")]
    page = write(make_fit(frame), path, trust="T003")
    assert "D02 is the only department of T003" in page.text
    assert "no other department" in page.one("departments-table").words
    assert not re.search(r"\bnan\b", page.text.lower())


def test_an_unearned_certificate_is_said_before_anything_else(path):
    page = write(make_fit(simulate_frame(12, 6), certificate=FAILS), path)
    assert page.text.index("Do not rely on these numbers yet") < page.text.index("In brief")
    assert "R-hat 1.130 exceeds 1.01" in page.text


def test_a_list_without_flags_is_not_a_reassurance(path):
    page = write(make_fit(simulate_frame(12, 6), sd=0.001), path, rule=SpotRule(margin=3.0))
    assert "None of the 72 departments stands out" in page.text
    assert "There is no dark spot" in page.one("learning").words
    assert not [element for element in page.elements if element["id"] == "spots-table"]


def test_suppressed_counts_are_said(path):
    frame = simulate_frame(12, 6)
    small = frame["observed"] < 25
    frame = frame.assign(
        observed_lower=frame["observed"].where(~small, 0), observed_upper=frame["observed"].where(~small, 24)
    )
    frame["observed"] = frame["observed"].where(~small).astype(float)
    page = write(make_fit(frame), path)
    assert f"{small.sum()} of 72 counts are withheld" in page.one("funnel").words


def test_proportions_and_estimates_have_packs_too(path):
    frame = simulate_frame(12, 6)
    people = frame.assign(denominator=(frame["expected"] * 20).round() + 50).drop(columns="expected")
    page = write(make_fit(people, family="binomial", denominator="denominator"), path, trust="T003")
    assert ": its odds are " in page.one("spots").words
    assert "the odds of T003 are " in page.text
    assert "Odds" in [term.words for term in page.all("dt")]
    assert "its level is" not in page.text
    rng = np.random.default_rng(0)
    estimates = frame[["trust", "department"]].assign(
        estimate=rng.normal(0, 0.2, len(frame)), standard_error=0.1
    )
    page = write(
        make_fit(estimates, family="normal", estimate="estimate", standard_error="standard_error"), path
    )
    assert "Excess" not in page.text


def test_compared_with_peers_the_page_speaks_of_peers(fit, path):
    page = write(fit, path, rule=SpotRule(reference="peers"), trust="T003")
    assert "the same department in other trusts" in page.one("method").words


def test_notes_and_titles_are_carried(fit, path):
    page = write(fit, path, title="Annual report", notes=["Simulated: no real trust."])
    assert page.all("h1")[0].words == page.all("title")[0].words == "Annual report"
    assert "Simulated: no real trust." in page.one("method").words


# ---- what it is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["nation", "one_trust"])
def test_nothing_is_loaded_from_anywhere(kind, request):
    page = request.getfixturevalue(kind)
    for element in page.elements:
        for name in ("src", "href", "action", "data", "poster", "srcset", "xlink:href"):
            target = element[name]
            assert target is None or target.startswith("#") or target == "data:,", element
        assert element["style"] is None, "a style attribute would break the policy"
        assert not [name for name in element.attributes if name.startswith("on")]
    assert not re.search(r"url\(|@import|https?://|fetch\(|XMLHttp", page.source)


def test_the_policy_allows_exactly_what_the_page_holds(nation):
    metas = [e for e in nation.all("meta") if e["http-equiv"] == "Content-Security-Policy"]
    policy = metas[0]["content"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        inline = re.findall(rf"<{tag}>(.*?)</{tag}>", nation.source, re.S)
        assert len(inline) == 1
        digest = base64.b64encode(hashlib.sha256(inline[0].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy


@pytest.mark.parametrize("kind", ["nation", "one_trust"])
def test_structure_that_assistive_technology_needs(kind, request):
    page = request.getfixturevalue(kind)
    assert page.all("html")[0]["lang"] == "en-GB"
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("nav")) == 1
    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch("h[1-6]", e.tag)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    identifiers = [e["id"] for e in page.elements if e["id"]]
    assert len(identifiers) == len(set(identifiers))
    for link in page.all("a"):
        page.one(link["href"].removeprefix("#"))
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(e["scope"] in ("row", "col") for e in page.all("th"))
    for drawing in page.all("svg"):
        assert drawing["aria-hidden"] == "true" or drawing["aria-label"]
    for element in page.elements:
        for name in ("aria-labelledby", "aria-describedby"):
            if element[name]:
                page.one(element[name])
    scrolling = [e for e in page.elements if e["class"] == "scroll"]
    assert scrolling
    assert all(e["tabindex"] == "0" and e["role"] == "region" for e in scrolling)


def test_every_point_says_what_it_is_without_the_pointer(one_trust):
    points = [e for e in one_trust.all("g") if (e["class"] or "").startswith("pt ")]
    assert len(points) == 12 + 6
    assert all(re.search(r"observed, .* expected, ratio", e["aria-label"]) for e in points)
    assert len([e for e in points if e["aria-label"].startswith("D0")]) == 6


@pytest.mark.parametrize(
    ("ink", "paper", "least"),
    [
        ("#212b32", "#ffffff", 7.0), ("#4c6272", "#ffffff", 4.5), ("#4c6272", "#f0f4f5", 4.5),
        ("#005eb8", "#ffffff", 4.5), ("#ffffff", "#005eb8", 4.5), ("#000000", "#e46c0a", 4.5),
        ("#5d6d78", "#ffffff", 4.5), ("#212b32", "#c5ced3", 4.5), ("#e46c0a", "#ffffff", 3.0),
    ],
)  # fmt: skip
def test_contrast(nation, ink, paper, least):
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    short = {"#ffffff": "#fff", "#000000": "#000"}
    assert short.get(ink, ink) in nation.source
    assert short.get(paper, paper) in nation.source
    light, dim = sorted((luminance(ink), luminance(paper)), reverse=True)
    assert (light + 0.05) / (dim + 0.05) >= least


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("trust", [False, True])
def test_labels_from_data_are_text_and_nothing_else(named_frame, path, text, trust):
    page = write(make_fit(named_frame(text)), path, trust=text if trust else None)
    assert len(page.all("script")) == 2
    assert text in page.text
    rows = [e.words for e in page.all("th") if e["scope"] == "row"]
    assert trust or text in rows
    assert not trust or page.all("h1")[0].words == f"Bright and dark spots: {text}"


def test_names_stand_with_their_codes(path):
    frame = simulate_frame(12, 6)
    frame["trust_name"] = "Ysbyty " + frame["trust"]
    frame["department_name"] = "Adran " + frame["department"]
    page = write(make_fit(frame), path, trust="T003")
    assert page.all("h1")[0].words == "Bright and dark spots: Ysbyty T003 (T003)"
    assert "Adran D02 (D02)" in page.one("departments-table").words


def test_the_manifest_is_inside(nation, fit):
    manifest = json.loads(re.search(r'id="manifest">(.*?)</script>', nation.source, re.S)[1])
    assert manifest["versions"]["brightspots"] == bs.__version__
    assert manifest["seed"] == 1
    assert re.fullmatch("[0-9a-f]{64}", manifest["data_sha256"])
    assert manifest["data_sha256"] in nation.one("provenance").words


def test_the_same_fit_gives_the_same_bytes(fit, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1750000000")
    first, second = (
        write_board_pack(fit, fit.find_spots(), tmp_path / name) for name in ("a.html", "b.html")
    )
    assert first.read_bytes() == second.read_bytes()


def test_holding_the_draws_changes_no_byte(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1750000000")
    fit = bs.fit_hierarchy(simulate_frame(12, 6), method="integrate", draws=1_000, seed=1)
    spots = fit.find_spots()
    held = write_board_pack(fit, spots, tmp_path / "held.html").read_bytes()
    again = bs.fit_hierarchy(simulate_frame(12, 6), method="integrate", draws=1_000, seed=1)
    monkeypatch.setattr(conditional, "HELD_NUMBERS", 0)
    assert write_board_pack(again, again.find_spots(), tmp_path / "drawn.html").read_bytes() == held


def test_ten_packs_draw_the_effects_once_and_compare_with_the_rating_once(tmp_path, monkeypatch):
    """Of a table whose draws are not kept unless that is asked for."""
    monkeypatch.setattr(conditional, "HELD_NUMBERS", 0)
    calls: Counter[str] = Counter()

    def count(module, name, of=lambda *_: ""):
        work = getattr(module, name)

        def counting(*arguments, **options):
            calls[name + of(*arguments)] += 1
            return work(*arguments, **options)

        monkeypatch.setattr(module, name, counting)

    fit = bs.fit_hierarchy(simulate_frame(12, 6), method="integrate", draws=200, seed=1)
    spots = fit.find_spots()
    count(decided, "with_ratings")
    # Of the fit's own effects: the rating model has others, of another table.
    count(
        conditional,
        "effect_block",
        lambda expansions, group, _: f" {expansions[0].tree.cells is fit.table.cells}",
    )
    for trust in fit.table.cells.trusts[:10]:
        write_board_pack(fit, spots, tmp_path / f"{trust}.html", trust=trust)
    assert calls["with_ratings"] == 1
    assert calls["effect_block True"] == len(fit.effects._groups) > 0


# ---- what it refuses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".doc", ".pdf", ""])
def test_other_suffixes_are_refused_with_those_that_are_not(fit, tmp_path, suffix):
    with pytest.raises(SettingsError, match=r"\.html, \.docx or \.pptx"):
        write_board_pack(fit, fit.find_spots(), tmp_path / f"board{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("suffix", "module", "extra"), [(".docx", "docx", "word"), (".pptx", "pptx", "slides")]
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    fit, tmp_path, monkeypatch, suffix, module, extra
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"python-{module}, .*pip install 'brightspots\[{extra}\]'"):
        write_board_pack(fit, fit.find_spots(), tmp_path / f"board{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".html", ".docx", ".pptx"])
def test_a_pack_that_could_not_be_written_leaves_the_one_before(fit, tmp_path, monkeypatch, suffix):
    path = tmp_path / f"board{suffix}"
    path.write_bytes(b"the one before")
    monkeypatch.setattr(
        "brightspots.common.files.os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full"))
    )
    with pytest.raises(OSError, match="disk full"):
        write_board_pack(fit, fit.find_spots(), path, trust="T003")
    assert path.read_bytes() == b"the one before"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unknown_trust_is_refused_with_the_nearest(fit, path):
    with pytest.raises(SettingsError, match=r"'T03' in the data; there are T003"):
        write_board_pack(fit, fit.find_spots(), path, trust="T03")


@pytest.mark.parametrize("other", [{"higher_is": "better"}, {"sd": 0.3}, {"draws": 300}])
def test_spots_of_another_fit_are_refused(fit, path, other):
    with pytest.raises(SettingsError, match="another fit"):
        write_board_pack(fit, make_fit(simulate_frame(12, 6), **other).find_spots(), path)
    with pytest.raises(SettingsError, match="another fit"):
        write_board_pack(fit, make_fit(simulate_frame(12, 6, seed=2)).find_spots(), path)


def test_spots_of_a_copy_of_the_fit_are_its_own(fit, path):
    """As they come back from another process, or of the same fit that was made anew."""
    write_board_pack(fit, make_fit(simulate_frame(12, 6)).find_spots(), path)
    assert path.exists()


def test_a_missing_folder_is_said(fit, tmp_path):
    with pytest.raises(SettingsError, match="does not exist"):
        write_board_pack(fit, fit.find_spots(), tmp_path / "nowhere" / "board.html")


# ---- how large -------------------------------------------------------------------------------------------------


def test_a_nation_of_150_by_142_stays_small(path):
    fit = make_fit(simulate_frame(150, 142, mean_expected=20.0), draws=100)
    spots = fit.find_spots()
    write_board_pack(fit, spots, path)
    assert path.stat().st_size < 5_000_000


def test_beyond_a_bound_the_page_says_what_it_leaves_out(path):
    fit = make_fit(simulate_frame(230, 12), sd=0.8, draws=60)
    page = write(fit, path)
    flagged = int(fit.find_spots().summary()["departments"].iloc[:2].sum())
    assert flagged > 2000
    assert f"the 2,000 most certain of {flagged:,}" in page.one("spots-caption").words
    assert "Of 230 trusts, 200 with a flagged department are shown." in page.one("mosaic-caption").words
    hidden = [row for row in page.all("tr") if row["class"] == "np"]
    table = page.one("spots-table").words
    assert (
        "60 of 2,000 rows are shown here, in their order (the same number of each of “dark spot” and" in table
    )
    assert len([row for row in hidden if "spot" in row.words]) >= 2000 - 60


# ---- every format, whatever there is to write ------------------------------------------------------------------


@cache
def one_of_a_kind() -> HierarchyFit:
    frame = simulate_frame(12, 6)
    return make_fit(frame[(frame["trust"] != "T003") | (frame["department"] == "D02")])


@cache
def without_departments() -> HierarchyFit:
    priors = bs.Priors(department=None, department_type=None)
    return bs.fit_hierarchy(simulate_frame(12, 1), priors=priors, method="integrate", draws=200, seed=1)


@cache
def proportions() -> HierarchyFit:
    frame = simulate_frame(12, 6)
    frame["denominator"] = (frame["expected"] * 20).round() + 50
    return make_fit(frame.drop(columns="expected"), family="binomial", denominator="denominator")


@cache
def estimates() -> HierarchyFit:
    frame = simulate_frame(12, 6)[["trust", "department"]]
    frame["estimate"], frame["standard_error"] = np.linspace(-0.3, 0.3, len(frame)), 0.1
    return make_fit(frame, family="normal", estimate="estimate", standard_error="standard_error")


@cache
def many_trusts_and_no_flag() -> HierarchyFit:
    return make_fit(simulate_frame(230, 3), sd=0.001, draws=60)


@pytest.mark.parametrize("trust", [None, "T003"], ids=["nation", "trust"])
@pytest.mark.parametrize("suffix", [".html", ".docx", ".pptx"])
@pytest.mark.parametrize(
    "build", [one_of_a_kind, without_departments, proportions, estimates, many_trusts_and_no_flag]
)
def test_every_format_writes_whatever_there_is(build, suffix, trust, tmp_path):
    fit = build()
    rule = SpotRule(margin=3.0) if build is many_trusts_and_no_flag else None
    path = write_board_pack(fit, fit.find_spots(rule), tmp_path / f"board{suffix}", trust=trust)
    text = Page(path.read_text(encoding="utf-8")).text if suffix == ".html" else office.text_of(path)
    assert "Bright and dark spots" in text
    assert not re.search(r"\b(nan|None of the 1 |inf)\b", text)


def test_a_share_is_not_told_as_a_margin(path):
    """Nothing of a pack under a share says that a flag is about the margin, or what a margin would have flagged."""
    fit, rule = make_fit(simulate_frame(12, 6)), SpotRule(share=0.2, fdr=0.3)
    table = fit.find_spots(rule).table
    flagged = table[table["status"].isin(["bright spot", "dark spot"])]
    assert len(flagged)
    for trust in (None, flagged["trust"].iloc[0]):
        words = write(fit, path, rule=rule, trust=trust).one("main").words
        for wrong in (
            "exceeds the margin",
            "Would be flagged at",
            "near the margin",
            "have been flagged as dark",
        ):
            assert wrong not in words, (trust, wrong)
        assert "that differ most" in words
