"""Every model by its name: which file, whose, how large, what for. Nothing is downloaded here, and every file is checked.

Two profiles say which models are meant. "world" is shipped inside the package. "paper" is the published networks,
whose files a reader has and puts into the folder that the environment variable IPLKIT_PAPER_WEIGHTS names.
"""

import difflib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

from torch import nn

from iplkit.errors import NotHere, UserError
from iplkit.weights import atomic_path, file_kind, sha256
from iplkit.zoo_files import check_same
from iplkit.zoo_paper import MORE

SHIPPED = Path(__file__).parent / "shipped"
PAPER_FOLDER = "IPLKIT_PAPER_WEIGHTS"
HASHES = "hashes.json"
CARDS = "cards.json"  # the hashes of the cards, which change more often than weights
ADAPTED = "adapted"


@dataclass(frozen=True)
class Entry:
    """One model of a profile."""

    name: str
    file: str  # inside the profile's folder
    loader: str  # "module:function" of path -> what the book uses; empty for a part of something, see `READ_BY`
    license: str
    purpose: str
    url: str = ""  # where `iplkit zoo get` finds it; empty where there is no lasting address
    sha256: str = ""  # of the file, or the first digits of it where no more is published


_GENERATOR = "iplkit.stylegan2.checkpoints:load_generator"
_ENCODER = "iplkit.invert.encoders:load_encoder"
WORLD = (
    Entry("generator", "generator.safetensors", _GENERATOR, "MIT", "draws portraits of the domain photo"),
    Entry("clip", "clip.safetensors", "iplkit.clip.model:load_clip", "MIT", "compares portraits with captions; steers adaptation"),
    Entry("critic", "critic.safetensors", "iplkit.nets.critic:load_critic", "MIT", "serves losses: discriminator, perceptual term"),
    Entry("judge", "judge.safetensors", "iplkit.nets.judge:load_judge", "MIT", "stands in for Inception: printed numbers, never a loss"),
    Entry("identity", "identity.safetensors", "iplkit.nets.identity:load_identity", "MIT", "tells whether two portraits show one person"),
    Entry("encoder", "encoder.safetensors", "iplkit.nets.encoder:load_encoder", "MIT", "gives the code of a portrait, and says it better when asked again"),
    Entry("bridge", "bridge.safetensors", "iplkit.edit.bridge:load_bridge", "MIT", "gives codes of CLIP's features, of portraits and of texts"),
    Entry("styleclip", "styleclip.safetensors", "iplkit.edit.mapper:load_mappers", "MIT", "moves the code of a person for one of three texts"),
)
PAPER = (
    Entry("generator", "stylegan2-ffhq-config-f.pt", _GENERATOR, "NVIDIA, non-commercial", "FFHQ at 1024 px, rosinality layout"),
    Entry("clip", "ViT-B-32.pt", "iplkit.zoo:load_paper_clip", "MIT", "OpenAI's CLIP ViT-B/32"),
    Entry("identity", "model_ir_se50.pth", "iplkit.extractors.paper_nets:PaperIdentity.of", "research only", "ArcFace IR-SE50: ID of FFHQ faces"),
    Entry(
        "judge",
        "pt_inception-2015-12-05-6726825d.pth",
        "iplkit.extractors.paper_nets:PaperJudge.of",
        "Apache-2.0",
        "Inception of FID, KID and the reference IS",
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
        "6726825d",
    ),
    Entry(
        "inception-torchvision",
        "inception_v3_google-0cc3c7bd.pth",
        "iplkit.extractors.inception:TorchvisionInception.net_of",
        "BSD-3-Clause",
        "Inception of SIFID and of the adaptation papers' IS",
        "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",
        "0cc3c7bd",
    ),
    Entry(
        "vgg16",
        "vgg16-397923af.pth",
        "iplkit.invert.vgg:load_vgg",
        "BSD-3-Clause",
        "trunk of LPIPS, and the eye of Image2StyleGAN",
        "https://download.pytorch.org/models/vgg16-397923af.pth",
        "397923af",
    ),
    Entry(
        "lpips-heads",
        "lpips-vgg-v0.1.pth",
        "",
        "BSD-2-Clause",
        "what LPIPS learned beside its trunk",
        "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/vgg.pth",
    ),
    Entry(
        "hed",
        "network-bsds500.pytorch",
        "iplkit.extractors.hed:Hed.net_of",
        "research only",
        "edges of SCS",
        "http://content.sniklaus.com/github/pytorch-hed/network-bsds500.pytorch",
    ),
    Entry(
        "clip-judge",
        "CLIP-ViT-L-14-DataComp.XL-s13B-b90K.bin",
        "iplkit.zoo:load_paper_judge_clip",
        "MIT",
        "CLIP that took no part in training, for directions and margins",
        "https://huggingface.co/laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K/resolve/main/open_clip_pytorch_model.bin",
    ),
    Entry(
        "dinov2",
        "dinov2_vitl14_pretrain.pth",
        "iplkit.extractors.dinov2:DinoV2.net_of",
        "Apache-2.0",
        "features that follow what a person calls alike",
        "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth",
    ),
    Entry("psp", "psp_ffhq_encode.pt", _ENCODER, "MIT; trained on FFHQ", "pSp: the code of a face in one pass, close to the picture"),
    Entry("e4e", "e4e_ffhq_encode.pt", _ENCODER, "MIT; trained on FFHQ", "e4e: the code of a face in one pass, easy to edit"),
    Entry("restyle-psp", "restyle_psp_ffhq_encode.pt", _ENCODER, "MIT; trained on FFHQ", "ReStyle over pSp: some passes that look again"),
    Entry("restyle-e4e", "restyle_e4e_ffhq_encode.pt", _ENCODER, "MIT; trained on FFHQ", "ReStyle over e4e: some passes that look again"),
)
PAPER += tuple(Entry(*row) for row in MORE)
PROFILES = {"world": WORLD, "paper": PAPER}
READ_BY = {
    "lpips-heads": "iplkit.extractors.catalog.load_extractor('lpips', 'paper'), together with vgg16",
    "dlib-landmarks": "dlib.shape_predictor; iplkit invert has a copy of its own and needs no file",
}


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a refusal: what is close to `word` among the known ones, or all of them."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    if close:
        return f"the nearest known are {', '.join(close)}"
    return f"known are {', '.join(known)}" if known else "none is known yet"


def entries(profile: str = "world") -> tuple[Entry, ...]:
    """All models of a profile.

    Raises:
        UserError: if there is no such profile.
    """
    if profile not in PROFILES:
        raise UserError(f"profile must be one of {', '.join(PROFILES)}; got {profile!r}")
    return PROFILES[profile]


def entry(name: str, profile: str = "world") -> Entry:
    """The model called `name`.

    Raises:
        UserError: if the profile has no such model; the nearest names are given.
        NotHere: if only the world has it.
    """
    found = {e.name: e for e in entries(profile)}
    if name not in found:
        if profile == "paper" and name in {e.name for e in WORLD}:
            raise NotHere(f"only the world has the model {name}")
        raise UserError(f"profile {profile} has no model {name!r}; {nearest(name, found)}")
    return found[name]


def path_of(name: str, profile: str = "world", folder: Path | None = None) -> Path:
    """Where a model's file stands, or would stand.

    Args:
        name: see `entry`.
        profile: "world" or "paper".
        folder: look here; None takes the package's folder, or the one that IPLKIT_PAPER_WEIGHTS names.

    Raises:
        UserError: profile "paper" without a folder.
    """
    file = entry(name, profile).file
    if folder is not None:
        return Path(folder) / file
    if profile == "world":
        return SHIPPED / file
    if not os.environ.get(PAPER_FOLDER):
        raise NotHere(f"the paper's {name} needs the file {file} in the folder that {PAPER_FOLDER} names; {PAPER_FOLDER} is not set")
    return Path(os.environ[PAPER_FOLDER]) / file


def hashes(folder: Path | None = None) -> dict[str, str]:
    """File (relative to the shipped folder, with /) -> SHA-256, as committed; empty before anything is shipped."""
    path = Path(folder or SHIPPED) / HASHES
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def record_hashes(folder: Path | None = None) -> dict[str, str]:
    """Hash every shipped weight and every card anew and write the two lists; the last step of `make models`.

    Returns:
        The hashes of the weights.
    """
    folder = Path(folder or SHIPPED)
    found = {p.relative_to(folder).as_posix(): sha256(p) for p in sorted(folder.rglob("*.safetensors")) if p.name[0] != "."}
    cards = {p.name: sha256(p) for p in sorted((folder / "cards").glob("*.json"))}
    for name, listed in ((HASHES, found), (CARDS, cards)):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(json.dumps(listed, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return found


def check_file(file: str, folder: Path | None = None) -> Path:
    """Path of a shipped file whose bytes are the committed ones.

    Raises:
        UserError: missing, without a committed hash, or with another one.
    """
    path = Path(folder or SHIPPED) / file
    kind = file_kind(path)  # refuses a missing file
    wanted = hashes(folder).get(file)
    if wanted is None:
        raise UserError(f"{file} needs a line in {HASHES}; there is none, so its origin is unknown")
    if (found := sha256(path)) != wanted:
        raise UserError(f"{file} needs SHA-256 {wanted}; the file there ({kind}) has {found}")
    return path


def load_paper_clip(path: Path) -> nn.Module:
    """OpenAI's ViT-B/32 from a reader's file."""
    from iplkit.clip.model import load_open_clip

    return load_open_clip("ViT-B-32-quickgelu", path)


def load_paper_judge_clip(path: Path) -> nn.Module:
    """The held-out ViT-L/14 from a reader's file."""
    from iplkit.clip.model import load_open_clip

    return load_open_clip("ViT-L-14", path)


def load_paper_clip_b16(path: Path) -> nn.Module:
    """OpenAI's ViT-B/16 from a reader's file."""
    from iplkit.clip.model import load_open_clip

    return load_open_clip("ViT-B-16-quickgelu", path)


def load_paper_clip_l14(path: Path) -> nn.Module:
    """OpenAI's ViT-L/14 from a reader's file."""
    from iplkit.clip.model import load_open_clip

    return load_open_clip("ViT-L-14-quickgelu", path)


def load_paper_clip_rn50(path: Path) -> nn.Module:
    """OpenAI's ResNet-50 CLIP from a reader's file."""
    from iplkit.clip.model import load_open_clip

    return load_open_clip("RN50-quickgelu", path)


def load(name: str, profile: str = "world", folder: Path | None = None) -> Any:
    """The model called `name`, ready to use: evaluation mode, no gradients for its weights. StyleCLIP's tables come as tables.

    Args:
        name: see `entries`.
        profile: "world" or "paper".
        folder: where to look; None is the profile's own place.

    Raises:
        UserError: unknown name or profile; a file that is missing, damaged, of another kind, or has another hash; a part
            that is no model, whose reader the sentence names.
    """
    found = entry(name, profile)
    path = path_of(name, profile, folder)
    if profile == "paper" and not path.is_file():
        raise NotHere(f"the paper's {name} needs the file {found.file}; there is none in {path.parent}")
    if not found.loader:
        raise UserError(f"the paper's {name} is no model by itself; its file is read by {READ_BY[name]}")
    if profile == "world":
        check_file(found.file, folder)
    else:
        check_same(path)
    module, function = found.loader.split(":")
    model = attrgetter(function)(import_module(module))(path)
    return model.eval().requires_grad_(False) if isinstance(model, nn.Module) else model


def adapted_names(folder: Path | None = None) -> list[str]:
    """Names of the shipped adapted generators, such as "nada-sketch"."""
    return sorted(p.stem for p in (Path(folder or SHIPPED) / ADAPTED).glob("*.safetensors") if p.name[0] != ".")


def adapted(name: str, folder: Path | None = None) -> nn.Module:
    """An adapted generator: the shipped generator plus its stored difference.

    Args:
        name: see `adapted_names`.
        folder: the shipped folder; None is the package's own.

    Raises:
        UserError: unknown name, damaged file, or a difference that belongs to another generator.
    """
    from iplkit.differences import apply_difference

    if name not in (known := adapted_names(folder)):
        raise UserError(f"there is no adapted generator {name!r}; {nearest(name, known)}")
    path = check_file(f"{ADAPTED}/{name}.safetensors", folder)
    generator = load("generator", folder=folder)
    return apply_difference(path, generator, base=hashes(folder)[entry("generator").file]).eval().requires_grad_(False)


def table(profile: str = "world", folder: Path | None = None) -> list[dict]:
    """One row a model: name, file, bytes (None if absent), sha256 (None if unknown), license, purpose."""
    known, rows = hashes(folder) if profile == "world" else {}, []
    for found in entries(profile):
        base = folder or (SHIPPED if profile == "world" else os.environ.get(PAPER_FOLDER))
        path = Path(base) / found.file if base else None
        size = path.stat().st_size if path and path.is_file() else None
        rows.append({"name": found.name, "file": found.file, "bytes": size, "sha256": known.get(found.file)}
                    | {"license": found.license, "purpose": found.purpose})
    return rows


def shipped_bytes(folder: Path | None = None) -> dict[str, int]:
    """Bytes of the shipped base models together, and of the adapted differences together."""
    folder = Path(folder or SHIPPED)
    places = {"base": folder, "adapted": folder / ADAPTED}
    return {name: sum(p.stat().st_size for p in place.glob("*.safetensors")) for name, place in places.items()}
