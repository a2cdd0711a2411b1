import pytest
import torch
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.features import batches, clip_features, identity_features, judge_features
from iplkit.images import from_uint8, to_uint8
from iplkit.nets.identity import Identity, IdentityConfig
from iplkit.nets.judge import Judge
from iplkit.nets.readout import ClassifierConfig

JUDGE = Judge(ClassifierConfig(size=32, width=8)).eval()


@pytest.fixture
def images(generator):
    return torch.rand(7, 3, 32, 32, generator=generator) * 2 - 1


def test_batch_size_changes_nothing(images):
    once, again = judge_features(JUDGE, images, batch_size=7), judge_features(JUDGE, images, batch_size=2)
    for name in once:
        assert_close(once[name], again[name], atol=1e-6, rtol=1e-5)  # float32 sums in another order


def test_bytes_floats_and_a_stream_of_batches_are_one_set(images):
    as_bytes = to_uint8(images)
    want = judge_features(JUDGE, as_bytes, batch_size=4)
    for other in (images, from_uint8(as_bytes), iter(as_bytes.split(4))):
        found = judge_features(JUDGE, other, batch_size=4)
        assert all(torch.equal(want[name], found[name]) for name in want)


def test_the_judge_answers_with_probabilities_and_a_pool(images):
    found = judge_features(JUDGE, images)
    assert found["pool"].shape == (7, 64) and found["factors"].shape == (7, 25)
    for name, classes in (("domain_probs", 15), ("kinds_probs", 40)):
        assert found[name].shape == (7, classes)
        assert_close(found[name].sum(1), torch.ones(7))


def test_embeddings_lie_on_the_unit_sphere(images):
    class Eye(torch.nn.Linear):
        def encode_image(self, x):
            return self(x.flatten(1)) * 3

    net = Identity(IdentityConfig(size=32, width=8)).eval()
    for found in (identity_features(net, images, 3), clip_features(Eye(3 * 32 * 32, 5), images, 3)):
        assert_close(found.norm(dim=1), torch.ones(7))


@pytest.mark.parametrize("images, words", [(torch.zeros(3, 32, 32), r"\[N, 3, H, W\]"), ([], "at least one image")])
def test_what_is_no_image_set_is_refused(images, words):
    with pytest.raises(UserError, match=words):
        judge_features(JUDGE, images)
    if isinstance(images, list):
        assert list(batches(images)) == []
