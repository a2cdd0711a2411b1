"""The bridge's studies on small models; their judges stand in."""

import json

import pytest
import torch
import torch.nn.functional as F
from small_bridge import small_config, small_parts
from torch import Tensor, nn

from iplkit.edit import bridge_run as run
from iplkit.edit.bridge_refine import RefineSettings
from iplkit.edit.bridge_texts import TEXTS, told, towards
from iplkit.edit.bridge_tiers import Bench, bridge_draws, bridge_tiers
from iplkit.errors import UserError
from iplkit.findings import Finding, read_finding, write_finding
from iplkit.invert.studies.lab import Lab, interval
from iplkit.train import bridge as recipe
from iplkit.world.factors import NUM_FACTORS
from iplkit.world.predicates import PREDICATE_NAMES


class SmallBench(Bench):
    """Judges that need no network: colors stand for factors and for the person."""

    def factor_error(self, images: Tensor, reader) -> Tensor:
        return (images - self.truth[: len(images)]).abs().mean((1, 2, 3))

    head = property(lambda self: Reads())
    fit = property(lambda self: Reads())


class Reads:
    """Says that factor k is the picture's mean brightness, for all k."""

    def known(self, *domains):
        return ["yaw"]

    def __call__(self, images, domain):
        bright = ((images.mean((1, 2, 3)) + 1) / 2).clamp(0, 1)
        return type("Reading", (), {"factors": bright[:, None].expand(-1, NUM_FACTORS)})


class SmallLab(Lab):
    """See `SmallBench`."""

    def likeness(self, images, other):
        return F.cosine_similarity(images.flatten(1), other.flatten(1))

    def lpips(self, images, other):
        return (images - other).square().mean((1, 2, 3))

    def read(self, images):
        return images.mean((1, 2, 3))[:, None].expand(-1, NUM_FACTORS)


@pytest.fixture(scope="module")
def bench():
    parts = small_parts()
    net: nn.Module = recipe.build(parts, small_config()).eval()
    lab = SmallLab(6, seed=8, given={"generator": parts.generator, "clip": parts.clip, "bridge": net})
    return SmallBench(lab, parts.train[:300], parts.held.e, RefineSettings(steps=6), fitted=3)


def test_the_true_code_is_found_first_and_has_no_error(bench):
    found = bench.judge(bench.pairs.w)
    assert found["found first"].tolist() == [1.0] * 6 and float(found["similarity"].min()) > 0.999
    assert float(found["factor error"].max()) == 0 and len(found["fitted factor error"]) == 3


def test_the_truth_is_read_once_and_the_error_is_in_known_factors(bench):
    reads, seen = Reads(), []
    counted = type("Counted", (), {"known": reads.known, "__call__": lambda self, x, domain: seen.append(len(x)) or reads(x, domain)})()
    darker = bench.truth[:2] - 0.2
    errors = [Bench.factor_error(bench, darker, counted) for _ in range(2)]
    assert seen == [2, 2, 2]  # truth, picture, picture
    assert torch.allclose(errors[0], torch.full((2,), 0.1), atol=0.02) and torch.equal(*errors)


def test_a_picture_comes_after_all_whose_features_are_nearer(bench):
    right = bench.pairs.e
    assert bench.place(right).tolist() == [1] * 6
    far = -right
    assert (bench.place(far) > len(bench.crowd) - 3).all()


def test_tiers_are_judged_on_the_same_pairs_and_gains_are_differences(bench):
    finding = bridge_tiers(bench, shown=2)
    names = [row["tier"] for row in finding.rows if not row["against"]]
    assert names == list(bench.tiers) and finding.pictures["retrieval"].shape == (2, 3, 16, 16)
    gain = finding.row(tier="network", against="ridge")["similarity"]
    assert gain.value == 0  # untrained, the network says what the ridge says
    best, one = (finding.row(tier=t, against="")["similarity"].value for t in ("prior, best of 16", "prior, one draw"))
    assert best > one
    assert finding.row(tier="descent from the network", against="ridge")["similarity"].value > 0


def test_any_samples_are_as_diverse_as_draws_of_an_untrained_prior(bench):
    finding = bridge_draws(bench, count=4, people=5)
    values = [row["factor spread"].value for row in finding.rows]
    assert len(values) == 5 and values[1] > 0.3 * values[0] > 0


def test_a_claim_is_told_by_the_factors(bench):
    white = torch.ones(2, 3, 16, 16)
    assert told(white, bench, ["old", "young"]).tolist() == [1, 0]
    assert set(TEXTS.values()) <= set(PREDICATE_NAMES)


def test_a_text_moves_the_middle_of_the_pictures_and_stays_a_unit_feature(generator):
    text, plain, middle = (F.normalize(torch.randn(k, 9, generator=generator), dim=-1) for k in (3, 1, 1))
    moved = towards(text, plain, middle[0])
    assert torch.allclose(moved.norm(dim=1), torch.ones(3))
    assert torch.allclose(towards(plain, plain, middle[0]), middle)


def test_the_reports_study_compares_trainings(bench, monkeypatch):
    monkeypatch.setattr(run, "ReportSettings", lambda steps=2, rate=1e-5: run_settings(min(steps, 2), rate))
    finding = run.bridge_report(bench, people=2)
    assert finding.row(training="untrained")["moved"].value == 0
    assert 0 < finding.row(training="as it was")["moved"].value < 1e-4


def run_settings(steps, rate):
    from iplkit.edit.bridge_report import ReportSettings

    return ReportSettings(steps, rate)


def test_numbers_are_kept_and_read_again(tmp_path):
    finding = Finding("draws", [{"draws": "any", "similarity": interval(torch.tensor([0.5, 0.7]))}], {"n": 2, "steps": 0, "seconds": 3.0})
    path = write_finding("bridge", finding, tmp_path)
    again = read_finding("bridge", "draws", tmp_path)
    assert again.row(draws="any")["similarity"].value == pytest.approx(0.6)
    assert "seconds" not in json.loads(path.read_text())["about"]


@pytest.mark.parametrize(("name", "words"), [("tier", "one of tiers"), ("texts", "python -m iplkit.edit.bridge_run texts")])
def test_numbers_that_are_not_there_are_named_with_what_makes_them(name, words, tmp_path):
    with pytest.raises(UserError, match=words):
        read_finding("bridge", name, tmp_path)
