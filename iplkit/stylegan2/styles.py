"""Which layer listens to which row of W+: the true table, and the one that published code uses.

Layers are named by what they do and the size at which they do it: ``conv4``, ``rgb4``, ``up8``, ``conv8``, ``rgb8``, ...
A generator of S pixels has ``2 log2(S) - 2`` rows.
"""

from collections.abc import Iterable

from torch import nn

from iplkit.errors import UserError


def layer_names(num_ws: int) -> tuple[str, ...]:
    """All layers of a generator with that many rows, in the order the data flows."""
    if num_ws < 4 or num_ws % 2:
        raise UserError(f"num_ws needs to be an even number of at least 4; got {num_ws}")
    names = ["conv4", "rgb4"]
    for level in range(3, num_ws // 2 + 2):
        names += [f"up{2**level}", f"conv{2**level}", f"rgb{2**level}"]
    return tuple(names)


def row_table(num_ws: int) -> tuple[tuple[str, ...], ...]:
    """For each row of W+ the layers it drives; every layer appears exactly once.

    Row i drives convolution i. The odd rows from 1 on drive a ToRGB too, and the last row drives nothing else.
    """
    names = layer_names(num_ws)
    convs = [name for name in names if not name.startswith("rgb")]
    rgbs = [name for name in names if name.startswith("rgb")]
    rows = [[name] for name in convs] + [[]]
    for index, name in enumerate(rgbs):
        rows[2 * index + 1].append(name)
    return tuple(tuple(row) for row in rows)


def upstream_row_table(num_ws: int) -> tuple[tuple[str, ...], ...]:
    """For each row the layer that the code of StyleGAN-NADA and of IPL trains when the row is chosen.

    The code indexes the list [first convolution, first ToRGB, other convolutions]. So from row 2 on it trains the
    convolution *before* the one that the row drives, and of the ToRGB layers only the first can be chosen.
    """
    names = layer_names(num_ws)
    convs = [name for name in names if not name.startswith("rgb")]
    return tuple((name,) for name in (convs[0], "rgb4", *convs[1:]))


TABLES = {"true": row_table, "upstream": upstream_row_table}


def layers_of_rows(num_ws: int, rows: Iterable[int], table: str = "true", include_to_rgb: bool = True) -> tuple[str, ...]:
    """Names of the layers that belong to some rows, each once, in the order of the rows.

    Raises:
        UserError: if a row or the table does not exist.
    """
    if table not in TABLES:
        raise UserError(f"table must be one of {sorted(TABLES)}; got {table!r}")
    rows = list(rows)
    if any(not 0 <= row < num_ws for row in rows):
        raise UserError(f"rows must lie in 0 to {num_ws - 1}; got {rows}")
    whole = TABLES[table](num_ws)
    names = dict.fromkeys(name for row in rows for name in whole[row])
    return tuple(name for name in names if include_to_rgb or not name.startswith("rgb"))


def parameters_of_rows(
    generator: nn.Module, rows: Iterable[int], table: str = "true", include_to_rgb: bool = True
) -> list[nn.Parameter]:
    """The parameters to train when some rows of W+ are chosen: kernel, affine, bias and noise strength of their layers.

    The constant input and the mapping network belong to no row.

    Args:
        generator: a `Generator`.
        rows: indices in [0, num_ws).
        table: "true" for the layers the rows drive, "upstream" for the published code's choice.
        include_to_rgb: whether ToRGB layers count.

    Raises:
        UserError: if a row or the table does not exist.
    """
    names = layers_of_rows(generator.num_ws, rows, table, include_to_rgb)
    return [parameter for name in names for parameter in generator.synthesis.layers[name].parameters()]
