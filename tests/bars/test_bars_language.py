from dataclasses import replace

import pytest
import torch

from iplkit.bars import language
from iplkit.errors import UserError
from iplkit.world.captions import ZERO_SHOT
from iplkit.world.factors import NUM_FACTORS, index


def test_a_portrait_without_a_sure_answer_is_left_out():
    factors = torch.full((3, NUM_FACTORS), 0.5)
    factors[:, index("glasses")] = torch.tensor([0.9, 0.2, 0.65])
    answer = language.label(factors, ["glasses", "no glasses"])
    assert answer.tolist() == [0, 1, -1]


def test_two_true_answers_are_refused():
    factors = torch.full((1, NUM_FACTORS), 0.9)
    with pytest.raises(UserError, match="several of glasses, happy"):
        language.label(factors, ["glasses", "happy"])


def test_the_nearest_text_wins():
    features = torch.eye(3)[[2, 0, 1]]
    assert language.zero_shot(features, torch.eye(3)).tolist() == [2, 0, 1]


def test_every_question_of_the_grammar_is_asked(scale, models):
    rows = language.m4(replace(scale, n=60), models["clip"])
    asked = [row.quantity for row in rows if row.asked]
    assert asked[0] == "zero-shot accuracy over 14 domains"
    assert asked[1:] == [f"{name}, balanced accuracy" for name in ZERO_SHOT if name != "domain"]
    assert all(0 <= row.value <= 1 for row in rows)


def test_a_similarity_that_rises_with_the_share_has_correlation_one(scale, models, monkeypatch):
    rising = torch.linspace(0, 1, scale.shares).repeat(scale.people)
    text = models["clip"].encode_text(models["clip"].tokenize(["a photo of a sketch"]))
    text = torch.nn.functional.normalize(text, dim=-1)
    monkeypatch.setattr(language, "clip_features", lambda clip, images: rising[:, None] * text)
    assert language.blend_correlation(scale, models["clip"], "sketch").tolist() == [1.0, 1.0]


def test_blends_keep_a_person_together_and_start_at_the_photo(scale):
    factors = language.people(scale, "x", 2)
    (batch,) = language._blends(scale, factors, "sketch", seed=3)
    photo, sketch = (language.blend(factors, "photo", "sketch", share, scale.size, 3) for share in (0.0, 1.0))
    assert torch.equal(batch[:: scale.shares], language.to_uint8(photo))
    assert torch.equal(batch[scale.shares - 1 :: scale.shares], language.to_uint8(sketch))
