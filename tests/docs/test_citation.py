"""CITATION.cff: the keys that version 1.2.0 of the format demands, and the version that is released."""

from __future__ import annotations

import yaml

import brightspots as bs
from tests.conftest import ROOT

REQUIRED = {"cff-version", "message", "title", "authors"}
# Keys of the format's schema 1.2.0 at the top level.
ALLOWED = REQUIRED | {
    "abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license", "license-url",
    "preferred-citation", "references", "repository", "repository-artifact", "repository-code", "type", "url",
    "version",
}  # fmt: skip


def test_the_citation_is_complete_and_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert REQUIRED <= set(citation) <= ALLOWED
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == bs.__version__
    assert citation["type"] == "software"
    assert citation["authors"] == [{"name": "The brightspots developers"}]
    assert len(set(citation["keywords"])) == len(citation["keywords"])
