import subprocess
import sys
from pathlib import Path

import iplkit.metrics

MODULES = sorted(path.stem for path in Path(iplkit.metrics.__path__[0]).glob("*.py") if path.stem != "__init__")
BLOCKED = """
import importlib, sys
sys.modules["torchvision"] = None  # whoever imports it gets an ImportError
for name in sys.argv[1:]:
    importlib.import_module("iplkit.metrics." + name)
assert not [name for name in sys.modules if name.startswith("torchvision.")]
"""


def test_the_mathematics_needs_no_torchvision():
    assert len(MODULES) > 10
    done = subprocess.run([sys.executable, "-c", BLOCKED, *MODULES], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_mathematics_touches_no_files_and_no_devices():
    for name in MODULES:
        text = (Path(iplkit.metrics.__path__[0]) / f"{name}.py").read_text(encoding="utf-8")
        for word in ("open(", "Path(", ".cuda", "manual_seed_all", "torch.manual_seed", "np.random.seed"):
            assert word not in text, f"{name} holds {word}"
