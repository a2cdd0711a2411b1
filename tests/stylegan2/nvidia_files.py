"""Pickles of the layouts that NVIDIA's two programs write, from stand-ins with the same names and none of their code."""

import pickle
import sys
from collections import OrderedDict
from contextlib import contextmanager
from types import ModuleType

import torch

from iplkit.stylegan2.generator import Generator, GeneratorConfig
from iplkit.stylegan2.nvidia import to_tensorflow_layout, to_torch_layout

SOURCE = "raise SystemExit('this text must never be run')"


def random_generator(size=32, channels=(7, 6, 5, 4), z_dim=12, w_dim=10, n_mlp=3, seed=0, lr_mul=0.01) -> Generator:
    """Every tensor random, so that no two can be exchanged unseen."""
    generator, rng = Generator(GeneratorConfig(size, channels, z_dim, w_dim, n_mlp, lr_mul), seed), torch.Generator().manual_seed(seed + 1)
    for tensor in generator.state_dict().values():
        tensor.add_(0.3 * torch.randn(tensor.shape, generator=rng))
    return generator.requires_grad_(False)


@contextmanager
def stand_ins():
    """Modules and classes under NVIDIA's names, for the time of a pickling."""
    names = ("dnnlib", "dnnlib.util", "dnnlib.tflib", "dnnlib.tflib.network", "torch_utils", "torch_utils.persistence")
    before = {name: sys.modules.get(name) for name in names}
    made = {name: ModuleType(name) for name in names}

    class EasyDict(dict):
        pass

    class Network:
        def __init__(self, state):
            self.state = state

        def __getstate__(self):
            return self.state

    def _reconstruct_persistent_obj(meta):
        raise AssertionError("only its name is used")

    for owner, thing in (("dnnlib.util", EasyDict), ("dnnlib.tflib.network", Network), ("torch_utils.persistence", _reconstruct_persistent_obj)):
        thing.__module__, thing.__qualname__ = owner, thing.__name__
        setattr(made[owner], thing.__name__, thing)
    sys.modules.update(made)
    try:
        yield EasyDict, Network, _reconstruct_persistent_obj
    finally:
        for name, module in before.items():
            sys.modules.pop(name) if module is None else sys.modules.update({name: module})


class Module:
    """A persistent module of NVIDIA's torch code: pickled as its state, class name and source."""

    def __init__(self, rebuild, name, state, modules, tensors, buffers):
        self.rebuild, self.name = rebuild, name
        self.state = {"training": False, "_parameters": OrderedDict(tensors), "_buffers": OrderedDict(buffers), "_non_persistent_buffers_set": set()}
        self.state |= {"_backward_hooks": OrderedDict(), "_is_full_backward_hook": None, "_modules": OrderedDict(modules), **state}

    def __reduce__(self):
        meta = dict(type="class", version=6, module_src=SOURCE, class_name=self.name, state=self.state)
        return self.rebuild, (meta,), None


BUFFERS = ("w_avg", "noise_const", "resample_filter")


def torch_tree(rebuild, generator: Generator, **options):
    """The module that NVIDIA's torch code calls ``G_ema``."""
    tensors, config = to_torch_layout(generator), generator.config

    def state_of(path):
        if not path:
            return {"z_dim": config.z_dim, "c_dim": 0, "w_dim": config.w_dim, "img_resolution": config.size, "img_channels": 3} | options
        if path.startswith("mapping.fc"):
            return {"activation": "lrelu", "weight_gain": 0.01, "bias_gain": config.lr_mul}
        if path.endswith("affine"):
            return {"activation": "linear", "weight_gain": 1.0, "bias_gain": 1}
        if path.rsplit(".", 1)[-1] in ("conv0", "conv1"):
            return {"activation": "lrelu", "use_noise": True, "conv_clamp": 256, "padding": 1}
        return {"architecture": "skip", "channels_last": False} if path.startswith("synthesis.b") else {}

    def module(path):
        prefix = f"{path}." if path else ""
        inside = {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
        own = {key: t for key, t in inside.items() if "." not in key}
        children = {key.split(".")[0]: None for key in inside if "." in key}
        parameters = {k: torch.nn.Parameter(t) for k, t in own.items() if k not in BUFFERS}
        name = {"": "Generator", "mapping": "MappingNetwork", "synthesis": "SynthesisNetwork"}.get(path, "SynthesisLayer")
        modules = {child: module(f"{prefix}{child}") for child in children}
        return Module(rebuild, name, state_of(path), modules, parameters, {k: t for k, t in own.items() if k in BUFFERS})

    return module("")


def torch_pickle(generator: Generator, protocol: int = 4, **options) -> bytes:
    """As the torch code's ``network-snapshot.pkl``: the same generator twice, and nothing for the discriminator."""
    with stand_ins() as (EasyDict, _, rebuild):
        tree = torch_tree(rebuild, generator, **options)
        kwargs = EasyDict(class_name="training.dataset.ImageFolderDataset", path="ffhq.zip", use_labels=False)
        content = dict(G=tree, D=None, G_ema=tree, augment_pipe=None, training_set_kwargs=kwargs)
        return pickle.dumps(content, protocol)


def tensorflow_pickle(generator: Generator, protocol: int = 4, **options) -> bytes:
    """As the TensorFlow code's ``stylegan2-ffhq-config-f.pkl``: G, D and the averaged Gs."""
    arrays, config = {k: t.numpy() for k, t in to_tensorflow_layout(generator).items()}, generator.config
    kwargs = dict(num_channels=3, resolution=config.size, label_size=0, mapping_lrmul=config.lr_mul, fmap_base=16384) | options
    with stand_ins() as (_, Network, _):

        def network(prefix, parts):
            own = [(key.removeprefix(prefix), a) for key, a in arrays.items() if key.startswith(prefix)]
            own = [(key, a) for key, a in own if not key.startswith(("mapping/", "synthesis/"))]
            state = dict(version=4, name=prefix or "Gs", static_kwargs=kwargs, components=parts, build_module_src=SOURCE)
            return Network(state | dict(build_func_name="G_main", variables=own))

        gs = network("", {"synthesis": network("synthesis/", {}), "mapping": network("mapping/", {})})
        return pickle.dumps((gs, Network(dict(version=4, static_kwargs={}, components={}, variables=[])), gs), protocol)


