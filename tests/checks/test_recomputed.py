"""A recomputation confirms a record, contradicts it, or is too old to say."""

import json

import small_book
from PIL import Image

from iplkit.checks.recomputed import check_age, check_recomputed, differences, flatten
from iplkit.checks.report import Report
from iplkit.checks.stored import read_records
from iplkit.files import sha256

OLD = {"code": {"iplkit/errors.py": "0" * 16}}


def recompute(book, value=12.34, run=None, tier="laptop"):
    """A run that made the table again."""
    path = small_book.write_record(book / f"_build/run/world-{tier}/figures", "tab-a", {"IPL": {"FID": value}}, tier=tier)
    small_book.seal(path, path.read_text(), **(run or {}))
    return path


def check(book):
    report = Report()
    records = read_records(book / "figures", report)
    confirmed = check_recomputed(records, report)
    check_age(records, confirmed, report)
    return report


def printed_by_old_code(book):
    path = book / "figures" / "tab-a.json"
    small_book.seal(path, path.read_text(), **OLD)


def test_a_recomputation_beyond_its_tolerance_is_wrong(book):
    recompute(book, 12.4)
    assert check(book).wrong == [], "within one percent"
    recompute(book, 13.0)
    assert check(book).wrong == ["figures/tab-a.json: IPL.FID was printed as 12.34 and came out as 13.0; find out why, then run iplkit regenerate 00_one --keep"]


def test_a_recomputation_of_another_tier_is_not_compared(book):
    recompute(book, 99.0, tier="smoke")
    assert check(book).wrong == []


def test_a_recomputation_by_older_code_makes_a_record_aged_and_not_wrong(book):
    recompute(book, 13.0, run=OLD)
    report = check(book)
    assert report.wrong == [] and report.aged == ["figures/tab-a.json: an older recomputation differs (IPL.FID was printed as 12.34 and came out as 13.0); run iplkit regenerate 00_one"]


def test_changed_code_makes_a_record_aged_until_it_is_computed_again(book):
    printed_by_old_code(book)
    assert check(book).aged == ["figures/tab-a.json: iplkit/errors.py changed since; run iplkit regenerate 00_one --keep"]
    recompute(book, run=OLD)
    assert len(check(book).aged) == 1, "computed again, by the old code"
    recompute(book)
    assert check(book).aged == [], "computed again, by this code"


def test_aged_records_of_one_chapter_take_one_line(book):
    printed_by_old_code(book)
    small_book.seal(small_book.write_record(book / "figures", "tab-b", {}), (book / "figures/tab-b.json").read_text(), **OLD)
    assert check(book).aged == ["figures/tab-a.json and 1 more: iplkit/errors.py changed since; run iplkit regenerate 00_one --keep"]


def test_other_bytes_on_the_same_kind_of_machine_are_listed(book):
    here = {"versions": {"torch": "2"}, "device": {"cpu": "this"}, "code": {}}
    path = book / "figures" / "tab-a.json"
    small_book.seal(path, path.read_text(), **here)
    fresh = recompute(book)
    fresh.with_suffix(".csv").write_text("a,b\n1,3\n")
    text = json.dumps(json.loads(fresh.read_text()) | {"files": {"tab-a.csv": sha256(fresh.with_suffix(".csv"))}})
    small_book.seal(fresh, text, **here)
    report = check(book)
    assert report.wrong == [] and report.aged == [
        "figures/tab-a.json: the same code on the same kind of machine made other bytes of tab-a.csv; run iplkit regenerate 00_one --keep"
    ]
    small_book.seal(fresh, text, **here | {"device": {"cpu": "another"}})
    assert check(book).aged == [], "elsewhere the numbers count, which agree"


def test_another_picture_is_wrong_on_every_machine(book):
    for folder, pixels in ((book / "figures", 0), (book / "_build/run/world-laptop/figures", 200)):
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (pixels,) * 3).save(folder / "fig-a.png")
        small_book.write_record(folder, "fig-a", {}, files={"fig-a.png": sha256(folder / "fig-a.png")})
        (folder / "fig-a.csv").unlink()
    assert check(book).wrong == ["figures/fig-a.json: the recomputed fig-a.png is another picture: 200 levels apart on average; find out why, then run iplkit regenerate 00_one --keep"]


def test_other_settings_seeds_inputs_or_names_are_wrong():
    one = {"config": {"n": 1}, "seeds": [0], "inputs": {"clip": "a"}, "notebook": "a", "tolerance": 0.1, "numbers": {"x": 1.0, "y": None}}
    assert differences(one, one) == []
    assert differences(one, one | {"config": {"n": 2}, "seeds": [1], "inputs": {"clip": "b", "judge": "c"}}) == [
        "was printed with other config than there are now (n)",
        "was printed with other seeds than there are now",
        "was printed with other inputs than there are now (clip and 1 more)",
    ]
    assert "holds other numbers than its recomputation: z" in differences(one, one | {"numbers": {"x": 1.0, "y": None, "z": 1}})[0]
    assert differences(one, one | {"numbers": {"x": 1.0, "y": 2.0}}) == ["y was printed as None and came out as 2.0"]


def test_nested_numbers_have_dotted_names():
    assert flatten({"a": {"b": 1, "c": [2, 3]}}) == {"a.b": 1, "a.c.0": 2, "a.c.1": 3}
