import torch

from iplkit.world.palette import EYES, HAIR, SKIN, binned_ramp, even_ramp, ramp, skin_color


def test_a_ramp_passes_through_its_colors():
    colors = even_ramp(torch.linspace(0, 1, len(SKIN)), SKIN)[:, :, 0, 0]
    torch.testing.assert_close(colors, torch.tensor(SKIN))


def test_a_ramp_is_constant_outside_its_knots():
    out = ramp(torch.tensor([0.0, 0.2, 0.9]), [0.3, 0.6], ((0.0, 0.0, 0.0), (1.0, 0.5, 0.0)))[:, :, 0, 0]
    torch.testing.assert_close(out, torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.5, 0.0]]))


def test_a_hair_color_is_constant_in_its_bin():
    middle = (torch.arange(5) + 0.5) / 5
    for shift in (-0.06, 0.0, 0.06):
        torch.testing.assert_close(binned_ramp(middle + shift, HAIR)[:, :, 0, 0], torch.tensor(HAIR))


def test_hair_colors_differ_enough_to_be_told_apart():
    hair = torch.tensor(HAIR)
    apart = (hair[:, None] - hair[None]).norm(dim=-1) + torch.eye(5)
    assert apart.min() > 0.2


def test_skin_grows_darker_with_its_tone_and_greener_with_its_hue():
    tones = skin_color(torch.linspace(0, 1, 9), torch.full((9,), 0.5)).mean(1).flatten()
    assert (tones.diff() < 0).all()
    rosy, olive = skin_color(torch.tensor([0.4, 0.4]), torch.tensor([0.0, 1.0]))[:, :, 0, 0]
    assert olive[1] / olive[0] > rosy[1] / rosy[0]


def test_every_color_lies_between_0_and_1():
    t = torch.linspace(0, 1, 50)
    for colors in (even_ramp(t, EYES), binned_ramp(t, HAIR), skin_color(t, t.flip(0))):
        assert 0 <= colors.min() and colors.max() <= 1.05  # a rosy pale skin may pass white; the picture is clamped
