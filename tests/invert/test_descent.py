import pytest
import torch

from iplkit.errors import UserError
from iplkit.invert.descent import CHECKPOINT, Run, Schedule, descend

FREE = {"a": torch.zeros(2, 3), "b": torch.zeros(2, 1, 2)}


def loss_of(now, step):
    return (now["a"] - 1).square().sum(1) + (now["b"] + 2).square().sum((1, 2))


def test_the_rate_rises_in_a_line_and_falls_as_a_cosine():
    rate = Schedule(100, 0.1).rate
    assert rate(0) == pytest.approx(0.02) and rate(4) == pytest.approx(0.1) == rate(50) == rate(75)
    assert rate(87.5) == pytest.approx(0.05) and rate(99) < 0.001
    flat = Schedule(100, 0.1, rise=0, fall=0).rate
    assert flat(0) == flat(99) == 0.1


@pytest.mark.parametrize("walker", ["adam", "lbfgs"])
def test_a_descent_finds_the_lowest_point_and_leaves_its_start_alone(walker):
    found, losses, seconds = descend(FREE, loss_of, Schedule(150, 0.1, walker=walker))
    assert torch.allclose(found["a"], torch.tensor(1.0), atol=0.02) and torch.allclose(found["b"], torch.tensor(-2.0), atol=0.02)
    assert losses.shape == (150, 2) and losses[0].tolist() == [11, 11] and seconds > 0
    assert float(FREE["a"].abs().max()) == 0


def test_one_tensor_can_move_faster_and_be_put_right_after_each_step():
    found, _, _ = descend(FREE, loss_of, Schedule(1, 0.1, rise=0), rates={"b": 3.0}, after=lambda now: now["a"].clamp_(max=0.05))
    assert torch.allclose(found["a"], torch.tensor(0.05)) and torch.allclose(found["b"], torch.tensor(-0.3))


@pytest.mark.parametrize("walker", ["adam", "lbfgs"])
def test_a_killed_descent_goes_on_and_ends_with_the_same_bytes(walker, tmp_path):
    schedule = Schedule(20, 0.1, walker=walker, save_every=6)
    whole, losses, _ = descend(FREE, loss_of, schedule)

    def killed(now, step):
        if step == 15:
            raise KeyboardInterrupt
        return loss_of(now, step)

    with pytest.raises(KeyboardInterrupt):
        descend(FREE, killed, schedule, Run(tmp_path, "this"))
    seen = []
    found, curve, _ = descend(FREE, lambda now, step: seen.append(step) or loss_of(now, step), schedule, Run(tmp_path, "this"))
    assert seen == list(range(12, 20)), "two checkpoints were written"
    assert torch.equal(found["a"], whole["a"]) and torch.equal(found["b"], whole["b"]) and torch.equal(curve, losses)


def test_a_folder_of_another_descent_is_refused(tmp_path):
    descend(FREE, loss_of, Schedule(2, 0.1, save_every=2), Run(tmp_path, "this"))
    assert (tmp_path / CHECKPOINT).is_file()
    with pytest.raises(UserError, match="a checkpoint of this inversion"):
        descend(FREE, loss_of, Schedule(2, 0.1, save_every=2), Run(tmp_path, "that"))


def test_a_loss_that_is_no_number_stops_the_descent_and_names_the_picture():
    with pytest.raises(UserError, match="picture 1 has none at step 0"):
        descend(FREE, lambda now, step: loss_of(now, step) * torch.tensor([1.0, float("nan")]), Schedule(2, 0.1))


@pytest.mark.parametrize("wrong", [{"lr": 0}, {"steps": -1}, {"rise": 2}, {"walker": "sgd"}])
def test_a_schedule_that_cannot_be_is_refused(wrong):
    with pytest.raises(UserError, match="needs steps|walker is one of"):
        Schedule(**{"steps": 5, "lr": 0.1} | wrong)
