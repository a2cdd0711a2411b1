import json

import pytest

from iplkit.bars.sets import renders
from iplkit.bars.steering import m7, steer_file, steering_row, steering_strip
from iplkit.errors import UserError
from iplkit.features import judge_features
from iplkit.world.render import DOMAINS


def test_an_unadapted_generator_is_measured_at_equal_numbers(scale, models):
    targets, photos = (judge_features(models["judge"], renders(scale, d, d, n)) for d, n in (("sketch", 8), ("photo", 12)))
    row = steering_row("sketch", models["generator"], models["judge"], targets, photos, scale)
    assert row["n"] == 8 and row["ratio"] == pytest.approx(row["fid"] / row["fid_photo"])
    assert row["interval"][0] <= row["share"] <= row["interval"][1]


def test_a_strip_shows_the_same_people_each_time(scale, models):
    strip = steering_strip(models["generator"], scale, columns=3)
    assert strip.shape == (1, 3, 32, 3 * 32 + 2 * 2)
    assert (strip == steering_strip(models["generator"], scale, columns=3)).all()


def test_the_table_counts_domains_that_clear_both_bars(tmp_path):
    for i, domain in enumerate(DOMAINS[1:]):
        record = {"share": 0.9, "fid": 1.0, "fid_photo": 4.0, "ratio": 0.25, "n": 100, "met": i < 8}
        path = steer_file(tmp_path, domain)
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record))
    rows = m7(tmp_path)
    assert (rows[0].value, rows[0].met, len(rows)) == (8, False, 1 + 2 * 13)


def test_an_unknown_domain_is_refused(scale, models):
    with pytest.raises(UserError, match="domain must be one of"):
        steering_row("watercolor", models["generator"], models["judge"], {}, {}, scale)
