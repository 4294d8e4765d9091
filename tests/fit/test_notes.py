"""What readers, `tidy` and `suppress` noted of a table stays with every result of it."""

from __future__ import annotations

import brightspots as bs
from brightspots.report.manifest import make_manifest

NOTE = "Dropped 3 rows of closed sites."


def noted(nation):
    cells = nation.copy()
    cells.attrs["notes"] = (NOTE,)
    return cells


def test_a_fit_says_what_was_noted_of_its_data_and_remembers_it_when_saved(tmp_path):
    fit = bs.fit_hierarchy(noted(bs.simulate_nation(12, 4, seed=1).cells), seed=1)
    assert [caution.text for caution in fit.cautions if caution.code == "way in"] == [NOTE]
    assert "1 note on where they come from" in repr(fit)
    fit.save(tmp_path / "fit.nc")
    assert bs.load_fit(tmp_path / "fit.nc").cautions == fit.cautions


def test_a_pack_and_its_manifest_say_a_note_once_though_its_author_passes_it_on(tmp_path):
    fit = bs.fit_hierarchy(noted(bs.simulate_nation(12, 4, seed=1).cells), seed=1)
    for name, notes in (("silent", ()), ("told", (NOTE,))):
        path = tmp_path / f"{name}.html"
        bs.write_board_pack(fit, fit.find_spots(), path, notes=notes)
        assert path.read_text(encoding="utf-8").count(f"<li>{NOTE}</li>") == 1
    assert NOTE in [caution.text for caution in make_manifest(fit).cautions]
