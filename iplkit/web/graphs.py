"""The synthesis network as ONNX graphs, one a resolution, whose weights are inputs.

A slider that moves late rows of W+ runs only the late graphs, on activations that are kept. And because no weight is
inside a graph, the page can blend two generators without making anything anew. The tensors have the names and the
stored form of `iplkit.stylegan2.generator`, so a difference file adds to them as it stands.

A graph of S pixels reads ``x`` and ``image`` of half the size (the first one reads the constant instead) and ``ws``,
the rows of W+ that its layers listen to; it returns ``x_out`` and ``image_out``.

Axis letters: I and O input and output channels, D width of w, H side, K rows of W+ of one graph.
"""

import math

import numpy as np

from iplkit.errors import UserError
from iplkit.stylegan2.fir import TAPS
from iplkit.stylegan2.generator import GAIN, SLOPE, GeneratorConfig
from iplkit.stylegan2.styles import layer_names, row_table

OPSET = 17
EPS = 1e-8  # as in iplkit.stylegan2.modconv.demodulation


def sizes(config: GeneratorConfig) -> list[int]:
    """Resolutions, one a graph: 4, 8, ... pixels."""
    return [4 * 2**level for level in range(len(config.channels))]


def layers_of(config: GeneratorConfig, size: int) -> list[str]:
    """Names of the layers of one graph, in the order the data flows."""
    if size not in sizes(config):
        raise UserError(f"a graph's size is one of {', '.join(map(str, sizes(config)))}; got {size}")
    return [name for name in layer_names(config.num_ws) if name.lstrip("abcdefghijklmnopqrstuvwxyz") == str(size)]


def rows_of_size(config: GeneratorConfig, size: int) -> list[int]:
    """The rows of W+ that drive the layers of one graph, in order; two or three neighbors."""
    wanted = set(layers_of(config, size))
    return [row for row, names in enumerate(row_table(config.num_ws)) if wanted & set(names)]


def block(config: GeneratorConfig, size: int):
    """The graph of one resolution.

    Args:
        config: sizes of the generator.
        size: 4, 8, ... up to ``config.size``.

    Returns:
        An ``onnx.ModelProto``. Beside ``x``, ``image`` and ``ws`` its inputs are tensors of ``synthesis.state_dict()``.

    Raises:
        UserError: if the generator has no layers of that size.
    """
    names, first = layers_of(config, size), rows_of_size(config, size)[0]
    drives = {name: row - first for row, layers in enumerate(row_table(config.num_ws)) for name in layers}
    return _Block(config, size).build(names, drives)


class _Block:
    """Collects nodes, inputs and constants of one graph."""

    def __init__(self, config: GeneratorConfig, size: int):
        self.config, self.size, self.first = config, size, size == 4
        self.nodes, self.inputs, self.constants = [], [], {}
        level = sizes(config).index(size)
        self.before, self.width = config.channels[max(level - 1, 0)], config.channels[level]

    def build(self, names: list[str], drives: dict[str, int]):
        """Chain the layers and close the graph."""
        from onnx import TensorProto, checker, helper

        rows = len({drives[name] for name in names})
        if self.first:
            x, image = self.input("const", [1, self.width, 4, 4]), None
        else:
            half = self.size // 2
            x, image = self.input("x", [1, self.before, half, half]), self.input("image", [1, 3, half, half])
        self.input("ws", [1, rows, self.config.w_dim])
        for name in names:
            style = self.style(name, drives[name], self.before if name.startswith("up") else self.width)
            if name.startswith("rgb"):
                image = self.to_rgb(name, x, style, image)
            else:
                x = self.convolution(name, x, style, up=name.startswith("up"))
        self.node("Identity", [x], "x_out")
        self.node("Identity", [image], "image_out")
        shapes = {"x_out": [1, self.width, self.size, self.size], "image_out": [1, 3, self.size, self.size]}
        outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
        values = [helper.make_tensor(n, TensorProto.INT64 if a.dtype == np.int64 else TensorProto.FLOAT, a.shape, a.tobytes(), raw=True) for n, a in self.constants.items()]
        graph = helper.make_graph(self.nodes, f"block{self.size}", self.inputs, outputs, values)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8, producer_name="iplkit")
        checker.check_model(model, full_check=True)
        return model

    def style(self, name: str, row: int, width: int) -> str:
        """What an affine layer makes of its row, ``[1, I]``."""
        w = self.node("Gather", ["ws", self.constant(np.int64(row))], axis=1)  # [1, D]
        weight = self.input(f"layers.{name}.affine.weight", [width, self.config.w_dim])
        bias = self.input(f"layers.{name}.affine.bias", [width])
        return self.node("Gemm", [w, weight, bias], transB=1, alpha=1 / math.sqrt(self.config.w_dim))

    def convolution(self, name: str, x: str, style: str, *, up: bool) -> str:
        """Modulate, convolve, filter if the size doubles, demodulate, add noise and bias, leaky ReLU."""
        i = self.before if up else self.width
        weight = self.input(f"layers.{name}.weight", [self.width, i, 3, 3])
        style = self.node("Mul", [style, self.constant(np.float32(1 / math.sqrt(9 * i)))])
        energy = self.node("ReduceSumSquare", [weight], axes=[2, 3], keepdims=0)  # [O, I]
        energy = self.node("Gemm", [self.node("Mul", [style, style]), energy], transB=1)  # [1, O]
        length = self.node("Sqrt", [self.node("Add", [energy, self.constant(np.float32(EPS))])])
        gain = self.node("Div", [self.constant(np.float32(GAIN)), length])
        x = self.node("Mul", [x, self.column(style, i)])
        if up:
            kernel = self.node("Transpose", [weight], perm=[1, 0, 2, 3])
            y = self.filter(self.node("ConvTranspose", [x, kernel], strides=[2, 2]), self.width)
        else:
            y = self.node("Conv", [x, weight], pads=[1, 1, 1, 1])
        y = self.node("Mul", [y, self.column(gain, self.width)])
        return self.node("LeakyRelu", [self.node("Add", [y, self.shift(name)])], alpha=SLOPE)

    def shift(self, name: str) -> str:
        """Stored noise and bias, with the gain of the leaky ReLU."""
        noise = self.input(f"layers.{name}.noise_const", [self.size, self.size])
        strength = self.input(f"layers.{name}.noise_strength", [])
        bias = self.column(self.input(f"layers.{name}.bias", [self.width]), self.width)
        total = self.node("Add", [self.node("Mul", [noise, strength]), bias])
        return self.node("Mul", [total, self.constant(np.float32(GAIN))])

    def filter(self, y: str, channels: int) -> str:
        """[1, 3, 3, 1] along both axes with gain 4 in all, ``[1, O, H + 1, H + 1]`` -> ``[1, O, H, H]``.

        Two products with a band matrix: a runtime without fast grouped convolutions is several times faster this way.
        """
        band = np.zeros((self.size + 1, self.size), np.float32)  # column j holds the taps around pixel j
        for j in range(self.size):
            for k, tap in enumerate(TAPS):
                if 0 <= j + k - 1 <= self.size:
                    band[j + k - 1, j] = 2 * tap / sum(TAPS)
        y = self.node("MatMul", [y, self.constant(band)])
        return self.node("MatMul", [self.constant(np.ascontiguousarray(band.T)), y])

    def to_rgb(self, name: str, x: str, style: str, image: str | None) -> str:
        """What this size adds to the picture, over the doubled picture so far."""
        weight = self.input(f"layers.{name}.weight", [3, self.width, 1, 1])
        style = self.node("Mul", [style, self.constant(np.float32(1 / math.sqrt(self.width)))])
        kernel = self.node("Mul", [weight, self.column(style, self.width)])
        rgb = self.node("Conv", [x, kernel, self.input(f"layers.{name}.bias", [3])])
        return rgb if image is None else self.node("Add", [rgb, self.doubled(image)])

    def doubled(self, image: str) -> str:
        """The picture at twice the size: zeros between the pixels, then the filter; again two products."""
        half = self.size // 2
        spread = np.zeros((half, self.size), np.float32)
        for i in range(half):
            for k, tap in enumerate(TAPS):
                if 0 <= 2 * i + k - 1 < self.size:
                    spread[i, 2 * i + k - 1] = 2 * tap / sum(TAPS)
        image = self.node("MatMul", [image, self.constant(spread)])
        return self.node("MatMul", [self.constant(np.ascontiguousarray(spread.T)), image])

    def column(self, value: str, width: int) -> str:
        """One number a channel, ready to multiply feature maps, ``[1, C, 1, 1]``."""
        return self.node("Reshape", [value, self.constant(np.array([1, width, 1, 1], np.int64))])

    def node(self, kind: str, inputs: list[str], output: str = "", **attributes) -> str:
        """Add one operation and name its result."""
        from onnx import helper

        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def input(self, name: str, shape: list[int]) -> str:
        """Add one input."""
        from onnx import TensorProto, helper

        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def constant(self, value: np.ndarray | np.generic) -> str:
        """Add one constant; equal ones are shared."""
        value = np.asarray(value)
        for name, known in self.constants.items():
            if known.dtype == value.dtype and known.shape == value.shape and np.array_equal(known, value):
                return name
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name
