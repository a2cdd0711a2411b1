"""What the page's script does with the exported files, in Python: the same files, the same runtime, one thread."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
from safetensors.numpy import load_file


class PageModel:
    """Runs the graphs in order and keeps what each returned."""

    def __init__(self, folder: Path):
        self.folder, self.ran = folder, []
        self.definition = json.loads((folder / "live.json").read_text())
        stored = load_file(folder / self.definition["weights"])
        self.weights = {name: value.astype(np.float32) for name, value in stored.items()}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.blocks = {b["size"]: (b["rows"], onnxruntime.InferenceSession(folder / f"block{b['size']}.onnx", options)) for b in self.definition["blocks"]}
        self.kept = {}

    def whole(self, ws: np.ndarray) -> np.ndarray:
        """The picture with nothing kept, ``[1, R, D]`` -> ``[1, 3, H, W]``."""
        self.kept = {}
        return self.draw(ws)

    def draw(self, ws: np.ndarray) -> np.ndarray:
        """The picture; graphs whose rows did not change are not run."""
        x, image, stale = None, None, False
        self.ran = []
        for size, (rows, session) in self.blocks.items():
            mine = np.ascontiguousarray(ws[:, rows])
            stale = stale or size not in self.kept or not np.array_equal(self.kept[size][0], mine)
            if stale:
                given = {"x": x, "image": image, "ws": mine}
                feeds = {i.name: given[i.name] if i.name in given else self.weights[i.name] for i in session.get_inputs()}
                self.kept[size] = (mine, *session.run(["x_out", "image_out"], feeds))
                self.ran.append(size)
            _, x, image = self.kept[size]
        return image
