"""The native operations: equal to torch with all derivatives, and never in the way of somebody without a compiler."""

import shutil
import stat
import time

import pytest
import torch
import torch.nn.functional as F
from small_models import small_generator

from iplkit import native
from iplkit.native import build as building
from iplkit.native.build import BuildFailed, build

from torch.autograd import gradcheck, gradgradcheck

needs_compiler = pytest.mark.skipif(not shutil.which("g++") or not shutil.which("ninja"), reason="needs g++ and ninja")


@pytest.fixture(scope="module")
def operations():
    found, why = native.available()
    assert found is not None, why
    return found


def draws(*shapes):
    rng = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=rng, dtype=torch.float64).requires_grad_(True) for shape in shapes]


@needs_compiler
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_finish_has_right_first_and_second_derivatives(operations, layout):
    y, factor, shift, noise = draws((2, 3, 2, 3), (2, 3), (3,), (2, 1, 2, 3))

    def finished(y, factor, shift, noise):
        return operations.finish(y.contiguous(memory_format=layout), factor, shift, noise, 0.2)

    pure = F.leaky_relu(y * factor[:, :, None, None] + shift[:, None, None] + noise, 0.2)
    torch.testing.assert_close(finished(y, factor, shift, noise), pure, atol=1e-12, rtol=1e-12)
    assert gradcheck(finished, (y, factor, shift, noise))
    assert gradgradcheck(finished, (y, factor, shift, noise))


@needs_compiler
@pytest.mark.parametrize("up, down, pad", [(1, 1, (1, 1, 1, 1)), (2, 1, (2, 1, 2, 1)), (1, 2, (1, 1, 1, 1)), (1, 1, (-1, 0, 2, 1))])
def test_resampling_has_right_values_and_first_and_second_derivatives(operations, up, down, pad):
    (x,), (kernel,) = draws((2, 2, 5, 6)), draws((3, 4))
    kernel = kernel.detach()

    def resampled(x):
        return operations.resample(x, kernel, up, down, pad)

    spaced = x.new_zeros(2, 2, 5 * up, 6 * up)
    spaced[:, :, ::up, ::up] = x
    pure = F.conv2d(F.pad(spaced, pad), kernel.expand(2, 1, 3, 4), groups=2)[:, :, ::down, ::down]
    torch.testing.assert_close(resampled(x), pure, atol=1e-12, rtol=1e-12)
    assert gradcheck(resampled, (x,))
    assert gradgradcheck(resampled, (x,))


@needs_compiler
def test_a_wide_generator_draws_the_same_with_and_without_them(operations):
    generator = small_generator()
    generator.synthesis.wide = True
    for layer in generator.synthesis.layers.values():
        layer.wide = True
    ws = generator.mapping(torch.randn(2, 32, generator=torch.Generator().manual_seed(0)))
    plain = generator.synthesis(ws, noise_mode="const")
    assert native.enable()
    try:
        torch.testing.assert_close(generator.synthesis(ws, noise_mode="const"), plain, atol=1e-5, rtol=1e-5)
    finally:
        native.disable()


def compiler(folder, script):
    """A folder with a program that stands for the compiler."""
    program = folder / "g++"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    return str(program)


@needs_compiler
def test_a_compiler_that_fails_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", compiler(tmp_path, "echo 'fatal error: no such header' >&2; exit 1"))
    with pytest.raises(BuildFailed, match="the compiler failed"):
        build(60, tmp_path / "here")
    assert not list((tmp_path / "here").glob("*.so"))


@needs_compiler
def test_a_compiler_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", compiler(tmp_path, "sleep 600"))
    began = time.monotonic()
    with pytest.raises(BuildFailed, match="not done after 1 seconds"):
        build(1, tmp_path / "here")
    assert time.monotonic() - began < 300


def test_without_ninja_torch_goes_on_and_says_so(monkeypatch):
    monkeypatch.setattr("torch.utils.cpp_extension.is_ninja_available", lambda: False)
    building.available.cache_clear()
    with pytest.warns(UserWarning, match="Native operations are off.*ninja is missing"):
        assert not native.enable()
    building.available.cache_clear()
