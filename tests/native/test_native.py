"""The native operations: equal to torch with all derivatives, and never in the way of somebody without a compiler."""

import os
import shutil
import stat
import subprocess
import sys
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


LAYOUTS = pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
FILTER = torch.tensor([1.0, 3.0, 2.0, 0.5], dtype=torch.float64)[:, None] * torch.tensor([2.0, 1.0, -1.0, 1.0], dtype=torch.float64)


def finish_in_torch(y, factor, shift, noise):
    y = y * factor[:, :, None, None] + shift[:, None, None]
    return F.leaky_relu(y if noise is None else y + noise, 0.2)


def blur_in_torch(x, padding):
    return F.conv2d(x, FILTER.to(x).expand(x.shape[1], 1, 4, 4), padding=padding, groups=x.shape[1])


@needs_compiler
@LAYOUTS
@pytest.mark.parametrize("grain", ["noise for each image", "noise for all", "no noise"])
def test_finish_has_right_first_and_second_derivatives(operations, layout, grain):
    y, factor, shift, noise = draws((2, 3, 3, 5), (2, 3), (3,), (2, 1, 3, 5) if grain == "noise for each image" else (3, 5))
    inputs = (y, factor, shift) if grain == "no noise" else (y, factor, shift, noise)

    def finished(y, factor, shift, noise=None):
        return operations.finish(y.contiguous(memory_format=layout), factor, shift, noise, 0.2)

    torch.testing.assert_close(finished(*inputs), finish_in_torch(*inputs, *[None] * (4 - len(inputs))), atol=1e-12, rtol=1e-12)
    assert gradcheck(finished, inputs)
    assert gradgradcheck(finished, inputs)


@needs_compiler
@LAYOUTS
@pytest.mark.parametrize("padding", [0, 1, 2, 3])
def test_blurring_with_a_lopsided_filter_has_right_first_and_second_derivatives(operations, layout, padding):
    (x,) = draws((2, 3, 4, 5))

    def blurred(x):
        return operations.blur(x.contiguous(memory_format=layout), FILTER, padding)

    torch.testing.assert_close(blurred(x), blur_in_torch(x, padding), atol=1e-12, rtol=1e-12)
    assert gradcheck(blurred, (x,))
    assert gradgradcheck(blurred, (x,))


@needs_compiler
@LAYOUTS
@pytest.mark.parametrize("size", [(1, 1), (7, 65), (67, 63)])
@pytest.mark.parametrize("channels", [1, 5, 48])
def test_maps_of_odd_sizes_have_the_gradients_of_torch_in_float32(operations, layout, size, channels):
    """67 x 63 pixels are more than one block of either layout."""
    maps = [t.detach().float().requires_grad_(True) for t in draws((2, channels, *size), (2, channels), (channels,), (2, 1, *size))]
    laid = maps[0].detach().contiguous(memory_format=layout).requires_grad_(True)
    rng = torch.Generator().manual_seed(1)
    for mine, pure, inputs in (
        (lambda y, f, s, n: operations.finish(y, f, s, n, 0.2), finish_in_torch, maps),
        (lambda x: operations.blur(x, FILTER.float(), 2), lambda x: blur_in_torch(x, 2), maps[:1]),
    ):
        ours, theirs = mine(laid, *inputs[1:]), pure(*inputs)
        weights = torch.randn(theirs.shape, generator=rng)
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
        found = torch.autograd.grad((ours * weights).sum(), [laid, *inputs[1:]])
        for a, b in zip(found, torch.autograd.grad((theirs * weights).sum(), inputs)):
            torch.testing.assert_close(a, b, atol=1e-5 * float(b.abs().max().clamp(min=1)), rtol=1e-5)


@needs_compiler
@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (3,), (1, 2, 3), (0, 2, 3), (0, 1, 3)])
def test_what_is_frozen_gets_no_gradient_and_changes_no_other(operations, frozen):
    inputs = [t.detach().requires_grad_(k not in frozen) for k, t in enumerate(draws((2, 3, 6, 7), (2, 3), (3,), (2, 1, 6, 7)))]
    free = [t for t in inputs if t.requires_grad]
    mine = torch.autograd.grad(operations.finish(*inputs, 0.2).pow(3).sum(), free)
    for a, b in zip(mine, torch.autograd.grad(finish_in_torch(*inputs).pow(3).sum(), free)):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-12)


@needs_compiler
def test_the_bend_of_the_leaky_relu_has_the_slope_that_torch_gives_it(operations):
    y = torch.zeros(1, 1, 2, 2, requires_grad=True)
    (mine,) = torch.autograd.grad(operations.finish(y, torch.ones(1, 1), torch.zeros(1), None, 0.2).sum(), y)
    assert mine.unique().tolist() == pytest.approx([0.2])


@needs_compiler
def test_a_gradient_is_the_same_to_the_last_bit_on_one_thread_and_on_two(operations):
    inputs = [t.detach().float().requires_grad_(True) for t in draws((2, 9, 80, 80), (2, 9), (9,), (2, 1, 80, 80))]
    before, found = torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(torch.autograd.grad(operations.finish(*inputs, 0.2).pow(3).sum(), inputs))
    torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*found))


@needs_compiler
def test_half_precision_fake_tensors_and_filters_that_are_no_product_are_left_to_torch(operations):
    from torch._subclasses.fake_tensor import FakeTensorMode

    assert operations.takes(torch.zeros(1)) and operations.takes(torch.zeros(1, dtype=torch.float64))
    assert not operations.takes(torch.zeros(1, dtype=torch.bfloat16))
    with FakeTensorMode():
        assert not operations.takes(torch.zeros(1))
    assert operations.filters(FILTER)
    assert not operations.filters(torch.eye(4)) and not operations.filters(torch.zeros(4, 4)) and not operations.filters(torch.ones(3, 4))


@needs_compiler
def test_a_wide_generator_draws_the_same_with_and_without_them(operations):
    generator = small_generator().requires_grad_(True)
    generator.synthesis.wide = True
    for layer in generator.synthesis.layers.values():
        layer.wide = True
    ws = generator.mapping(torch.randn(2, 32, generator=torch.Generator().manual_seed(0))).detach().requires_grad_(True)

    def drawn():
        image = generator.synthesis(ws, noise_mode="const")
        (slope,) = torch.autograd.grad(image.square().sum(), ws, create_graph=True)
        return image, slope, *torch.autograd.grad(slope.square().sum(), [ws, *generator.synthesis.parameters()], allow_unused=True)

    plain = drawn()
    assert native.enable()
    try:
        mine = drawn()
    finally:
        native.disable()
    for a, b in zip(mine, plain, strict=True):
        if b is not None:
            torch.testing.assert_close(a, b, atol=1e-5 * float(b.detach().abs().max().clamp(min=1)), rtol=1e-4)
    assert all((a is None) == (b is None) for a, b in zip(mine, plain, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(drawn(), plain, strict=True) if b is not None), "off is off"


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


@pytest.mark.skipif(
    not shutil.which("nvcc") or not os.environ.get("IPLKIT_COMPILE_CUDA"), reason="needs nvcc, and minutes: set IPLKIT_COMPILE_CUDA=1"
)
def test_the_cuda_half_compiles_without_a_gpu(tmp_path, monkeypatch):
    if not torch.cuda.is_available():
        monkeypatch.setenv("TORCH_CUDA_ARCH_LIST", os.environ.get("TORCH_CUDA_ARCH_LIST", "9.0"))
    subprocess.run([sys.executable, "-m", "iplkit.native.compile", str(tmp_path), "cuda"], check=True, timeout=900)
    assert b"finish_backward_kernel" in (tmp_path / "iplkit_native.so").read_bytes()
