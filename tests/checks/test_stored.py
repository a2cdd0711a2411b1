"""Stored files against their records: bytes, seals, inputs, origins."""

import json

import pytest
import small_book

from iplkit.checks.report import Report
from iplkit.checks.stored import changed_since, check_inputs, check_products, read_records
from iplkit.files import sha256

AGAIN = "; restore it, or run iplkit regenerate 00_one --keep"


def wrong(book):
    report = Report()
    read_records(book / "figures", report)
    return report.wrong


def test_other_bytes_than_the_recorded_ones_are_wrong(book):
    (book / "figures" / "tab-a.csv").write_text("a,b\n1,3\n")
    assert wrong(book) == ["figures/tab-a.json: describes other bytes than those of tab-a.csv" + AGAIN]


def test_a_missing_file_and_a_file_without_a_record_are_wrong(book):
    (book / "figures" / "tab-a.csv").unlink()
    (book / "figures" / "fig-b.png").write_bytes(b"1")
    found = wrong(book)
    assert "figures/tab-a.json: describes tab-a.csv, which is missing" + AGAIN in found
    assert "figures/fig-b.png: no record says what made it; restore the record, or delete the file" in found and len(found) == 2


def test_a_record_that_was_changed_afterwards_is_wrong(book):
    path = book / "figures" / "tab-a.json"
    path.write_text(path.read_text().replace("12.34", "12.35"))
    assert wrong(book) == ["figures/tab-a.json: is not what its notebook or command wrote, so it was changed afterwards" + AGAIN]


@pytest.mark.parametrize("seal", ["{}", "[]", "{"])
def test_a_seal_that_was_taken_away_is_wrong(book, seal):
    (book / "figures" / "tab-a.run.json").write_text(seal)
    assert "changed afterwards" in wrong(book)[0]


def test_a_run_record_alone_or_missing_is_wrong(book):
    (book / "figures" / "tab-a.run.json").rename(book / "figures" / "tab-b.run.json")
    assert [line.split(";")[0] for line in wrong(book)] == ["figures/tab-a.json: has no tab-a.run.json beside it", "figures/tab-b.run.json: the record beside it is gone"]


def test_a_record_under_another_name_is_wrong(book):
    for ending in (".json", ".run.json"):
        (book / "figures" / f"tab-a{ending}").rename(book / "figures" / f"tab-z{ending}")
    assert wrong(book) == ["figures/tab-z.json: is the record of tab-a; give it its name back"]


@pytest.mark.parametrize("text, sentence", [("{", "is not a record; restore it"), ("{}", "lacks alt, caption"), ("[]", "lacks alt, caption")])
def test_something_else_than_a_record_is_wrong(book, text, sentence):
    (book / "figures" / "tab-a.json").write_text(text)
    assert any(sentence in line for line in wrong(book))


@pytest.fixture
def data(book):
    (book / "data").mkdir()
    for name in ("one", "two"):
        (book / "data" / f"{name}.json").write_text("1")
    return book


def test_files_that_a_result_was_made_from_may_not_change(data):
    path = small_book.write_record(data / "figures", "tab-a", {}, inputs={"data/one.json": sha256(data / "data/one.json"), "generator": "?", "_build/x/y": "?"})
    records, report = {path: json.loads(path.read_text())}, Report()
    check_inputs(records, report)
    assert report.wrong == report.aged == []
    (data / "data/one.json").write_text("2")
    check_inputs(records, report)
    (data / "data/one.json").unlink()
    check_inputs(records, report)
    assert report.wrong == [
        "figures/tab-a.json: was made from another data/one.json than there is now; restore that, or run iplkit regenerate 00_one --keep",
        "figures/tab-a.json: was made from data/one.json, which is gone; restore that, or run iplkit regenerate 00_one --keep",
    ]


def test_a_file_that_came_to_a_folder_makes_a_result_aged(data):
    given = {"data/": "every file in it", "data/one.json": sha256(data / "data/one.json")}
    path, report = small_book.write_record(data / "figures", "tab-a", {}, inputs=given), Report()
    check_inputs({path: json.loads(path.read_text())}, report)
    assert report.wrong == [] and report.aged == ["figures/tab-a.json: data/two.json came since; run iplkit regenerate 00_one --keep"]


def test_products_stand_beside_a_record_in_the_words_of_their_command(book):
    folder, report = book / "figures" / "full", Report()
    folder.mkdir()
    (folder / "steer-x.png").write_bytes(b"1")
    (folder / "steer-y.json").write_text("{")
    check_products(book / "figures", report)
    assert [line.split(":")[0] for line in report.wrong] == ["figures/full/steer-y.json", "figures/full/steer-x.png"]


def test_changed_code_and_weights_are_named(book):
    run = book / "figures" / "tab-a.run.json"
    run.write_text(json.dumps({"code": {"iplkit/errors.py": "0" * 16, "iplkit/paths.py": sha256(book / "iplkit/paths.py")[:16]}}))
    assert changed_since({"inputs": {"generator": "0", "not shipped": "0"}}, run) == ["iplkit/errors.py", "generator"]
