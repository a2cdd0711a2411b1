import pytest
import torch
from small_models import small_generator
from torch.testing import assert_close

from iplkit import zoo
from iplkit.errors import UserError
from iplkit.findings import Finding, read_finding, write_finding
from iplkit.invert.studies import run
from iplkit.invert.studies.crossover import toward
from iplkit.invert.studies.defects import damaged, hole_mask, inside_db, kept_share
from iplkit.invert.studies.directions import taught_directions
from iplkit.invert.studies.features_back import relative
from iplkit.invert.studies.how_far_from_w import corner_color
from iplkit.invert.studies.lab import Lab, interval
from iplkit.invert.studies.morphing import straightness
from iplkit.invert.studies.moved_faces import moved
from iplkit.invert.studies.textures import textures
from iplkit.invert.studies.which_space import Edit, edited, spread_of_rows
from iplkit.nets import ClassifierConfig, Critic, Encoder, EncoderConfig, Identity, IdentityConfig, Judge
from iplkit.shelves import SHELVES
from iplkit.stylegan2.generator import Generator, GeneratorConfig
from iplkit.sweep.summary import Interval
from iplkit.train.people import uniform_of

SIZES = ClassifierConfig(size=32, width=8)


@pytest.fixture(scope="module")
def lab():
    generator = Generator(GeneratorConfig(32, (16, 12, 8, 8), z_dim=32, n_mlp=2), seed=0)
    encoder = Encoder(EncoderConfig(size=32, num_ws=8, width=8, hidden=16, basis=6))
    given = {"generator": generator, "critic": Critic(SIZES), "judge": Judge(SIZES), "identity": Identity(IdentityConfig(size=32, width=8)), "encoder": encoder}
    return Lab(2, 2, 7, {name: net.eval().requires_grad_(False) for name, net in given.items()})


@pytest.mark.parametrize("name", run.STUDIES)
def test_every_study_gives_a_table_that_survives_its_file(name, lab, tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "adapted", lambda name: lab.model("generator"))
    monkeypatch.setattr("iplkit.invert.studies.which_space.known_columns", lambda lab: [0, 10, 18, 23])
    monkeypatch.setattr("iplkit.invert.studies.expressions.read", Lab.read)  # the fit takes a minute
    for module in ("crossover", "morphing", "how_far_from_w"):
        monkeypatch.setattr(f"iplkit.invert.studies.{module}.known_columns", lambda lab: [0, 10, 18, 23])
    finding = run.run_study(name, lab)
    values = [v for row in finding.rows for v in row.values() if isinstance(v, Interval)]
    assert values and {v.n for v in values} <= {0, lab.n} and finding.about["seconds"] > 0  # 0: random weights moved nothing
    assert all(x.ndim == 4 and x.shape[1:] == (3, 32, 32) for x in finding.pictures.values())
    path = write_finding("inversion", finding, tmp_path)
    kept = read_finding("inversion", name, tmp_path)
    assert path.is_file() and [list(row) for row in kept.rows] == [list(dict(sorted(row.items()))) for row in finding.rows]
    assert kept.about["n"] == 2 and set(kept.about["weights"]) == set(SHELVES["inversion"].weights)


def test_an_unknown_study_or_one_without_numbers_is_refused(tmp_path):
    with pytest.raises(UserError, match="a study of inversion is one of which_space"):
        run.run_study("weather", None)
    with pytest.raises(UserError, match="studies.run defects"):
        read_finding("inversion", "defects", tmp_path)


def test_a_finding_gives_the_line_that_is_asked_for():
    finding = Finding("x", [{"a": "1", "v": 3}, {"a": "2", "v": 4}], {})
    assert finding.row(a="2")["v"] == 4
    with pytest.raises(ValueError):
        finding.row(a="3")


def test_an_interval_is_students():
    found = interval(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert found.value == 2.5 and found.half == pytest.approx(3.1824 * 1.29099 / 2, rel=1e-4)


def test_pictures_are_the_same_for_a_seed_and_grow_by_appending(lab):
    more = Lab(3, 2, 7, lab.given)
    assert torch.equal(more.portraits("a")[:2], lab.portraits("a")) and not torch.equal(lab.portraits("a"), lab.portraits("b"))
    assert torch.equal(textures(5, 32)[:3], textures(3, 32)) and len({t.numpy().tobytes() for t in textures(8, 32)}) == 8


def test_a_shift_a_zoom_and_a_turn_move_what_is_seen():
    dot = torch.full((1, 3, 32, 32), -1.0)
    dot[..., 14:18, 14:18] = 1.0

    def middle(x):
        weight = (x[0, 0] + 1) / 2
        place = torch.arange(32.0)
        return float((weight.sum(1) * place).sum() / weight.sum()), float((weight.sum(0) * place).sum() / weight.sum()), float(weight.sum())

    assert middle(moved(dot)) == (15.5, 15.5, 16.0)
    assert middle(moved(dot, shift=0.25))[:2] == pytest.approx((15.5, 23.5), abs=0.05)
    assert middle(moved(dot, zoom=2))[2] == pytest.approx(64, rel=0.1)
    assert middle(moved(dot, zoom=0.5))[2] == pytest.approx(4, rel=0.1)
    corner = torch.full((1, 3, 8, 8), -1.0)
    corner[..., 0, 0] = 1
    assert float(moved(corner, turn=90)[0, 0, 7, 0]) == 1 == float(moved(corner, turn=180)[0, 0, 7, 7])


def test_kept_is_1_for_the_broken_picture_and_0_for_the_clean_one():
    clean = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for defect in ("hole", "grain", "blur"):
        broken, mask = damaged(clean, defect, 0)
        half = (clean + broken) / 2
        for picture, wanted in ((clean, 0.0), (broken, 1.0), (half, 0.5)):
            assert_close(kept_share(picture, broken, clean, mask), torch.full((2,), wanted), atol=1e-5, rtol=0)
    assert 0.03 < float(hole_mask(64).mean()) < 0.12
    assert_close(inside_db(torch.zeros(1, 3, 32, 32), torch.full((1, 3, 32, 32), 0.2), hole_mask(32)), torch.tensor([20.0], dtype=torch.float64))


def test_a_straight_way_is_straight_and_a_share_is_a_share():
    a, b = torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(0))
    path = torch.stack([a + s * (b - a) for s in torch.linspace(0, 1, 5)])
    assert_close(straightness(path), torch.zeros(3), atol=1e-6, rtol=0)
    bent = path.clone()
    bent[1:-1] += (b - a).abs().mean(1)[:, None]
    assert_close(straightness(bent), torch.ones(3))
    assert_close(toward(a, a + 0.3 * (b - a), b), torch.full((3,), 0.3))


def test_a_taught_direction_moves_its_own_number_and_no_other():
    generator = small_generator()
    with torch.no_grad():
        (d,) = taught_directions(generator, ["yaw"], samples=3000)
        z = torch.randn(3000, 32, generator=torch.Generator().manual_seed(5))
        u, w = uniform_of(z), generator.mapping.w(z)
    slope = torch.linalg.lstsq(torch.cat([u, torch.ones(3000, 1)], 1), w).solution[10]
    assert float(torch.cosine_similarity(d, slope, dim=0)) > 0.95


def test_an_edit_in_s_is_the_edit_in_w_plus(lab):
    ws = lab.samples("edit")[0]
    move = torch.randn(512, generator=torch.Generator().manual_seed(0))
    found = lab.drawn(ws, lab.draw(ws).clamp(-1, 1))
    sign = torch.tensor([1.0, -1.0])
    assert_close(edited(lab, found, Edit("yaw", move, sign)), lab.draw(ws + (sign[:, None] * move)[:, None]), atol=1e-4, rtol=1e-4)
    assert_close(spread_of_rows(ws), torch.zeros(2), atol=1e-5, rtol=0)


def test_a_feature_is_missing_nothing_where_it_is_the_same():
    x = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert float(relative([x], [x]).max()) == 0
    assert_close(relative([0 * x], [x]), torch.ones(2))


def test_the_corners_belong_to_no_head():
    x = torch.zeros(1, 3, 32, 32)
    x[:, 0, :4, :4] = x[:, 0, :4, -4:] = 1
    assert corner_color(x).tolist() == [[1, 0, 0]]
