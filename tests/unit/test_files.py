"""Files: clean names, which of a document's files a record has already, and what a refused upload is about."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.decisions.files import (
    LONGEST_NAME,
    Shelf,
    clean_name,
    concern,
    content_type,
    fingerprint,
    print_of,
)
from connector.model.documents import Entity
from connector.model.files import Attached, File
from tests.unit.builders import invoice

PDF = File("pdfDocument", "d", "108000.pdf")


def note(id_: str = "1", name: str = "note.txt", size: int = 5, modified: str = "2026-01-01") -> File:
    """A file that a user attached."""
    return File("documentAttachments", id_, name, size, modified)


# -- names


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("Invoice 108000.pdf", "Invoice 108000.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        (r"C:\scans\a.pdf", "C__scans_a.pdf"),
        ("a\r\nX-Header: b.txt", "a X-Header_ b.txt"),
        ("a\x00b\u202efdp.exe", "a b fdp.exe"),
        ("  spaced \t out .txt ", "spaced out .txt"),
        ("", "file"),
        (" . ", "file"),
        ("a [2].pdf", "a (2).pdf"),
        ("a (2).pdf", "a (2).pdf"),
        ("a [1].pdf", "a [1].pdf"),
        ("SD_a.pdf", "BC_SD_a.pdf"),
        ("sd_a.pdf", "BC_sd_a.pdf"),
        (" SD_a.pdf", "BC_SD_a.pdf"),
        ("Ünïcödé 💶.pdf", "Ünïcödé 💶.pdf"),
    ],
)
def test_a_name_is_cleaned(given: str, clean: str) -> None:
    assert clean_name(given) == clean


def test_a_long_name_is_cut_and_keeps_its_ending() -> None:
    assert clean_name("x" * 250 + ".pdf") == "x" * 96 + ".pdf"
    assert clean_name("x" * 250) == "x" * 100
    assert clean_name("x." + "y" * 250) == "x." + "y" * 98


@given(st.text(max_size=300))
def test_whatever_a_file_is_called_its_name_is_safe(name: str) -> None:
    clean = clean_name(name)
    assert 1 <= len(clean) <= LONGEST_NAME
    assert not set(clean) & set("/\\\r\n\x00")
    assert not any(unicodedata.category(one) in ("Cc", "Cf", "Cs") for one in clean)
    assert not clean.upper().startswith("SD_")
    assert clean_name(clean) == clean or len(name) > LONGEST_NAME


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.PDF", "application/pdf"),
        ("a.b.png", "image/png"),
        ("page.html", "application/octet-stream"),
        ("picture.svg", "application/octet-stream"),
        ("pdf", "application/pdf"),
        ("a", "application/octet-stream"),
    ],
)
def test_the_type_goes_by_the_ending_and_is_never_one_that_a_browser_runs(name: str, kind: str) -> None:
    assert content_type(name) == kind


@pytest.mark.parametrize(
    ("entity", "status", "printed"),
    [
        (Entity.PURCHASE_ORDER, "Draft", True),
        (Entity.PURCHASE_ORDER, "Open", True),
        (Entity.PURCHASE_INVOICE, "Draft", False),
        (Entity.PURCHASE_INVOICE, "Open", True),
        (Entity.PURCHASE_INVOICE, "Paid", True),
        (Entity.CREDIT_MEMO, "Draft", False),
        (Entity.CREDIT_MEMO, "Paid", True),
    ],
)
def test_what_is_not_posted_yet_is_not_printed(entity: Entity, status: str, *, printed: bool) -> None:
    one = replace(invoice(), entity=entity, status=status)
    found = print_of(one)
    assert (found is not None) is printed
    assert found is None or found.name == f"{one.number}.pdf"


# -- which are there


def test_nothing_is_missing_when_everything_is_there() -> None:
    present = [Attached("108000.pdf", 77), Attached("note.txt", 5), Attached("of somebody else.txt", 5)]
    assert Shelf(present).missing([note(), PDF]) == []


def test_the_print_is_there_under_its_name_whatever_its_size_and_other_files_by_name_and_size() -> None:
    assert Shelf([Attached("108000.pdf", None)]).missing([PDF]) == []
    assert Shelf([Attached("note.txt", 6)]).missing([note()]) == [note()]
    assert Shelf([Attached("note.txt", None)]).missing([note()]) == [note()]
    assert Shelf([Attached("other.txt", 5)]).missing([note()]) == [note()]


def test_a_file_of_unknown_size_is_never_taken_to_be_there() -> None:
    unknown = replace(note(), size=None)
    shelf = Shelf([Attached("note.txt", 5)])
    assert shelf.missing([unknown]) == [unknown]
    assert shelf.holds(replace(unknown, size=5))
    assert not shelf.holds(replace(unknown, size=5)), "an attachment stands for one file only"


def test_files_of_one_name_get_numbers_in_the_order_in_which_they_came() -> None:
    first, second = note("9", modified="2026-01-01"), note("1", size=7, modified="2026-01-02")
    shelf = Shelf([])
    missing = shelf.missing([second, first, PDF])
    assert missing == [PDF, first, second]
    assert [shelf.place(one) for one in missing] == ["108000.pdf", "note.txt", "note [2].txt"]


def test_numbered_files_are_found_again() -> None:
    files = [note("1"), note("2"), note("3", size=7)]
    present = [Attached("note [3].txt", 7), Attached("note.txt", 5), Attached("note [2].txt", 5)]
    assert Shelf(present).missing(files) == []
    assert Shelf(present[:2]).missing(files) == [note("2")]


def test_a_name_with_a_number_of_its_own_is_no_copy_of_another() -> None:
    files = [note("1", "a.pdf"), note("2", "a (2).pdf")]
    shelf = Shelf([Attached("a (2).pdf", 5)])
    assert shelf.missing(files) == [note("1", "a.pdf")]


def test_a_new_version_of_a_file_does_not_take_the_name_of_the_old_one() -> None:
    shelf = Shelf([Attached("note.txt", 4)])
    assert [shelf.place(one) for one in shelf.missing([note()])] == ["note [2].txt"]


def test_long_names_keep_to_the_limit_with_their_numbers() -> None:
    long = note("1", "x" * 300 + ".pdf")
    shelf = Shelf([Attached(clean_name(long.name), 1)])
    (missing,) = shelf.missing([long])
    name = shelf.place(missing)
    assert len(name) == LONGEST_NAME
    assert name.endswith(" [2].pdf")
    assert Shelf([Attached(name, 5)]).missing([long]) == []


NAMES = st.sampled_from(["a.pdf", "a (2).pdf", "108000.pdf", "a [2].pdf", "SD_b", "x" * 120 + ".txt"])
FILES = st.lists(
    st.builds(note, st.uuids().map(str), NAMES, st.integers(1, 3), st.sampled_from(["2026-01-01", "2026-01-02"])),
    max_size=8,
    unique_by=lambda one: one.id,
)


@given(FILES, st.booleans(), st.lists(st.builds(Attached, NAMES, st.integers(0, 3) | st.none()), max_size=3), st.data())
def test_whenever_a_run_breaks_off_the_next_attaches_the_rest_and_nothing_twice(
    files: list[File], with_print: bool, before: list[Attached], data: st.DataObject
) -> None:
    every = [*files, PDF] if with_print else files
    present, sent = list(before), []
    for _ in range(20):
        shelf = Shelf(present)
        missing = shelf.missing(every)
        if not missing:
            break
        for one in missing[: data.draw(st.integers(1, len(missing)))]:
            name = shelf.place(one)
            assert name not in {other.name for other in present}
            sent.append(one)
            present.append(Attached(name, one.size))
    assert Shelf(present).missing(every) == []
    assert len(sent) == len({one.id for one in sent})


def test_the_fingerprint_tells_every_change_and_no_order() -> None:
    files = [note(), PDF]
    same = fingerprint(files)
    assert fingerprint(reversed(files)) == same
    assert fingerprint([]) != ""
    changed = [
        [note()],
        [note(size=6), PDF],
        [note(name="b"), PDF],
        [note(modified="2027"), PDF],
        [note(id_="2"), PDF],
        [note(), replace(PDF, name="108001.pdf")],
    ]
    assert len({same, fingerprint([]), *map(fingerprint, changed)}) == len(changed) + 2


# -- what a refusal is about


@pytest.mark.parametrize(
    ("status", "words", "about"),
    [
        (400, "Failed to save the attachment / Files like a.exe are not allowed", "file"),
        (400, "", "file"),
        (413, "", "file"),
        (415, "Unsupported Media Type", "file"),
        (400, "Requested URI does not represent any resource / null", "caller"),
        (404, "Requested URI does not represent any resource / null", "caller"),
        (403, "User Not Authorized / Failed API level ACL Validation", "caller"),
        (403, "User Not Authorized / Access to unscoped api is not allowed", "caller"),
        (401, "User Not Authenticated", "caller"),
        (405, "", "caller"),
        (403, "Operation Failed / ACL Exception Insert Failed due to security constraints", "record"),
        (404, "No Record found / Record doesn't exist or ACL restricts the record retrieval", "record"),
    ],
)
def test_a_refusal_is_about_the_file_the_record_or_the_caller(status: int, words: str, about: str) -> None:
    assert concern(status, words) == about
