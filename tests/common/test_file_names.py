"""Labels as names of files that every system takes and tells apart."""

from __future__ import annotations

import unicodedata

import pytest

from brightspots.common.file_names import file_names

# learn.microsoft.com/windows/win32/fileio/naming-a-file
DEVICES = ["CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in "0123456789¹²³")]


@pytest.mark.parametrize("label", ["R1F", "007", "Ysbyty-Gwynedd", "日本", "a.b", "CONWY", "COM10"])
def test_a_label_that_is_a_name_keeps_it(label):
    assert file_names([label]) == [label]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("form", ["{}", "{}.", "{}.txt", "{}.tar.gz", " {} "])
def test_names_of_devices_are_no_names_of_files(device, form):
    for label in (form.format(device), form.format(device.lower())):
        (name,) = file_names([label])
        assert name.split(".")[0].strip().upper() not in DEVICES
        assert name != label


@pytest.mark.parametrize(
    "label",
    ["a ", "a.", "a. .", ".hidden", "..", ".", "", "a/b", "a\\b", 'a<>:"|?*b', "a\x00b", "a\nb", "\ud800"],
)
def test_names_hold_nothing_that_a_system_refuses(label):
    (name,) = file_names([label])
    assert name.encode("utf-8")
    assert not set(name) & set('<>:"/\\|?* ')
    assert name.isprintable()
    assert not name.startswith(".")
    assert not name.endswith(".")


@pytest.mark.parametrize(
    "labels",
    [
        ["A", "a"],
        ["Straße", "STRASSE", "strasse"],
        [unicodedata.normalize("NFC", "Gŵyr"), unicodedata.normalize("NFD", "Gŵyr")],
        ["a b", "a_b", "a/b", "A_B"],
        ["x" * 200 + "1", "x" * 200 + "2"],
        ["A", "a", "A-559aead0", "a-ca978112"],  # one that is called as another would be
    ],
)
def test_labels_have_names_that_no_file_system_takes_for_one(labels):
    names = file_names(labels)
    assert len({unicodedata.normalize("NFC", name).casefold() for name in names}) == len(labels)
    assert max(len(name.encode()) for name in names) < 200


def test_a_name_depends_on_its_label_alone():
    assert (
        file_names(["St Mary's", "R1F"])[0] == file_names(["A", "a", "St Mary's"])[2] == "St_Mary_s-1c000e65"
    )
