"""A small exported generator, and the shipped one."""

import pytest
import torch
from small_models import small_generator

from iplkit import zoo
from iplkit.web.controls import Controls, Range


@pytest.fixture(scope="session")
def shipped():
    return zoo.load("generator")


@pytest.fixture(scope="session")
def controls(shipped):
    return Controls(shipped.num_ws, ("one", "two"), {name: name for name in zoo.adapted_names()}, seed=Range(0, 20, 1, 3), second=Range(0, 20, 1, 4))


@pytest.fixture(scope="session")
def directions():
    return torch.randn(2, 512, generator=torch.Generator().manual_seed(5)) * 0.1


@pytest.fixture(scope="session")
def exported(tmp_path_factory, shipped, controls, directions):
    pytest.importorskip("onnx", reason="the graphs are written with the package onnx")
    from iplkit.web.export import export

    folder = tmp_path_factory.mktemp("live")
    export(folder, shipped, controls, directions)
    return folder


@pytest.fixture(scope="session")
def small():
    return small_generator()
