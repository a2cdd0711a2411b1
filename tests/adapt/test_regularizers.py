import copy

import torch
from torch.testing import assert_close

from iplkit.adapt.regularizers import Step, keep_differences, keep_weights


def test_differences_are_kept_by_any_rotation_and_lost_by_collapse(generator):
    source = torch.randn(4, 24, generator=generator)
    rotation, _ = torch.linalg.qr(torch.randn(24, 24, generator=generator))
    step = lambda target: Step(None, source, target, None, None)  # noqa: E731
    assert_close(keep_differences(1.0)(step(source @ rotation)), torch.tensor(0.0), atol=1e-6, rtol=0)
    assert keep_differences(1.0)(step(source[:1].expand(4, -1))) > 0.1


def test_kept_weights_cost_their_mean_square_distance(tiny_generator):
    target = copy.deepcopy(tiny_generator)
    with torch.no_grad():
        for p in target.synthesis.parameters():
            p.add_(0.5)
    step = Step(None, None, None, tiny_generator, target)
    assert_close(keep_weights(2.0)(step), torch.tensor(0.5), atol=1e-5, rtol=0)
