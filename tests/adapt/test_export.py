import torch
from torch.testing import assert_close

from iplkit.adapt import products
from iplkit.adapt.products import Product, export_product
from iplkit.stylegan2.checkpoints import from_rosinality
from iplkit.stylegan2.generator import Generator, GeneratorConfig


def test_an_exported_product_reads_back_as_the_same_generator(tmp_path, monkeypatch, generator):
    adapted = Generator(GeneratorConfig(8, (512, 512), n_mlp=2), seed=3).requires_grad_(False).eval()
    monkeypatch.setattr(products, "load_product", lambda path, profile, models: adapted)
    path = export_product(Product(tmp_path / "x.safetensors", {}, True), tmp_path / "adapted.pt")
    checkpoint = torch.load(path, weights_only=True)
    assert "g_ema" in checkpoint
    again = from_rosinality(checkpoint)
    z = torch.randn(2, 512, generator=generator)
    assert_close(again(z, noise_mode="const"), adapted(z, noise_mode="const"), atol=1e-5, rtol=1e-5)
