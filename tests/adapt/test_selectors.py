import torch
import torch.nn.functional as F
from torch.testing import assert_close

from iplkit.adapt import AdaptSettings
from iplkit.adapt.selectors import adaptive_layers, all_layers, frozen, num_rows, row_scores
from iplkit.stylegan2.styles import parameters_of_rows


def voters(generator_source, generator, count=3):
    return generator_source.mapping(torch.randn(count, 32, generator=generator))


def test_scores_rank_rows_as_one_step_of_sgd_does(tiny_generator, tiny_clip, generator):
    ws = voters(tiny_generator, generator)
    text = tiny_clip.encode_text(tiny_clip.tokenize(["sketch"]))
    leaf = ws.clone().requires_grad_(True)
    optimizer = torch.optim.SGD([leaf], lr=0.01)
    features = tiny_clip.encode_image(tiny_generator.synthesis(leaf, noise_mode="const"))
    (1 - F.cosine_similarity(features, text)).mean().backward()
    optimizer.step()
    moved = (leaf.detach() - ws).abs().mean(dim=(0, 2))
    scores = row_scores(tiny_generator, tiny_clip, text, ws, micro_batch=8)
    assert_close(scores * 0.01, moved, atol=1e-6, rtol=1e-2)  # w' - w loses digits, the gradient does not
    assert scores.argsort().tolist() == moved.argsort().tolist()


def test_scores_do_not_depend_on_the_micro_batch(tiny_generator, tiny_clip, generator):
    ws = voters(tiny_generator, generator, 5)
    text = tiny_clip.encode_text(tiny_clip.tokenize(["sketch"]))
    one, all_at_once = (row_scores(tiny_generator, tiny_clip, text, ws, size) for size in (1, 5))
    assert_close(one, all_at_once, atol=1e-7, rtol=1e-4)


def test_the_vote_leaves_no_gradient_and_the_switches_as_they_were(tiny_generator, tiny_clip, generator):
    tiny_generator.synthesis.const.requires_grad_(True)
    text = tiny_clip.encode_text(tiny_clip.tokenize(["sketch"]))
    row_scores(tiny_generator, tiny_clip, text, voters(tiny_generator, generator), 2)
    assert all(p.grad is None for p in tiny_generator.parameters())
    assert [n for n, p in tiny_generator.named_parameters() if p.requires_grad] == ["synthesis.const"]


def test_frozen_gives_back_training_mode_and_gradients():
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2).eval().requires_grad_(False))
    with frozen(module):
        assert not any(p.requires_grad for p in module.parameters())
    assert module.training and module[0].training and not module[1].training
    assert [p.requires_grad for p in module.parameters()] == [True, True, False, False]


def test_a_share_of_all_rows_needs_no_vote(tiny_generator, tiny_clip, monkeypatch):
    monkeypatch.setattr("iplkit.adapt.selectors.row_scores", lambda *args: 1 / 0)
    selector = adaptive_layers(tiny_clip, "sketch", AdaptSettings(rows_share=1.0), seed=0)
    assert selector.choose(tiny_generator, 0) == tuple(range(6))


def test_two_thirds_are_the_papers_numbers():
    assert [num_rows(n, 2 / 3) for n in (18, 16, 14, 10)] == [12, 10, 9, 6]


def test_the_quirk_trains_the_layers_of_the_published_table(tiny_generator, tiny_clip):
    rows = (2, 4)
    for quirks, table in (((), "true"), (("selection_off_by_one",), "upstream")):
        selector = adaptive_layers(tiny_clip, "sketch", AdaptSettings(quirks=quirks), seed=0)
        wanted = parameters_of_rows(tiny_generator, rows, table=table)
        assert list(map(id, selector.parameters(tiny_generator, rows))) == list(map(id, wanted))


def test_all_layers_never_means_the_mapping_network(tiny_generator):
    selector = all_layers()
    chosen = selector.parameters(tiny_generator, selector.choose(tiny_generator, 0))
    assert {id(p) for p in chosen} == {id(p) for p in tiny_generator.synthesis.parameters()}
