"""Facts about the published files: whose they are, where copies stand, how large, which hash, and what their licence allows.

An address with a hash is one known copy. Copies of one model may differ in their bytes (StyleGAN2's FFHQ generator went
through several converters), so hash and size belong to the address and not to the model. Hashes were read on the page that
holds the copy; none was made up. Where nobody published one, the first use is written down, see `iplkit.zoo_files`.
"""

from dataclasses import dataclass

NVIDIA = "NVIDIA, non-commercial"
OPENAI = "https://openaipublic.azureedge.net/clip/models"
HUB = "https://huggingface.co"
NVLABS = "https://nvlabs-fi-cdn.nvidia.com"
STYLECLIP = "https://github.com/orpatashnik/StyleCLIP"
IPL = "https://github.com/Picsart-AI-Research/IPL-Zero-Shot-Generative-Model-Adaptation"
NADA = "https://github.com/rinongal/StyleGAN-nada"
GENERATOR = "iplkit.stylegan2.checkpoints:load_generator"
ENCODER = "iplkit.invert.encoders:load_encoder"
STYLES = "iplkit.edit.published_sizes"


@dataclass(frozen=True)
class Copy:
    """One address of a file.

    Args:
        url: https, or ``hf:OWNER/REPOSITORY/FILE`` on the Hugging Face Hub.
        sha256: of the bytes there, or its first digits; empty where none is published.
        size: bytes there; 0 where unknown.
        packed: "bz2" if the file must be unpacked; hash and size are then of the packed bytes.
    """

    url: str
    sha256: str = ""
    size: int = 0
    packed: str = ""


@dataclass(frozen=True)
class Facts:
    """What a reader should know before getting a file.

    Args:
        page: of its authors.
        limits: what the licence allows, in plain words.
        copies: where it can be had, best first, after the entry's own address.
        megabytes: about; 0 where unknown.
    """

    page: str
    limits: str
    copies: tuple[Copy, ...] = ()
    megabytes: int = 0


def drive(identity: str, sha256: str = "", size: int = 0) -> Copy:
    """A file on Google Drive, behind the page that asks whether a large file may be sent unscanned."""
    return Copy(f"https://drive.usercontent.google.com/download?id={identity}&export=download&confirm=t", sha256, size)


_NC = "Research and teaching only, never for money; pass it on only with NVIDIA's licence. What it draws is under no claim of NVIDIA."
_FACES = "The code is MIT. Trained on FFHQ, whose photos are CC BY, CC BY-NC or public domain, so keep to research and teaching."
_FREE = "Use it for anything; keep the licence text with copies."
_RESEARCH = "No licence was stated for the weights; their training data are for research, so keep to that and do not pass them on."
_ADAPTED = "The code is MIT, but the weights descend from NVIDIA's FFHQ or AFHQ generator: research and teaching only."

FACTS = {
    "generator": Facts("https://github.com/rosinality/stylegan2-pytorch", _NC, (
        drive("1EM87UquaoQmk17Q8d5kYIAHqu0dkYqdT"),
        Copy("hf:aaronb/StyleGAN2/stylegan2-ffhq-config-f.pt", "646c7e7c5e3fc4cf8e83dcfe5dce505cc74b61d8982c09563932aa15c4baf18c", 132717355),
    ), 381),
    "clip": Facts("https://github.com/openai/CLIP", _FREE, (
        Copy(f"{OPENAI}/40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/ViT-B-32.pt",
             "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af", 353976522),
    ), 354),
    "identity": Facts("https://github.com/TreB1eN/InsightFace_Pytorch", _RESEARCH, (
        drive("1KW7bjndL3QG3sxBbZxreGHigcCCpsDgn", "a035c768259b98ab1ce0e646312f48b9e1e218197a0f80ac6765e88f8b6ddf28", 175367323),
        Copy("hf:lithiumice/ArcFace_PyTorch/InsightFace_Pytorch+model_ir_se50.pth",
             "a035c768259b98ab1ce0e646312f48b9e1e218197a0f80ac6765e88f8b6ddf28", 175367323),
    ), 175),
    "judge": Facts("https://github.com/mseitzer/pytorch-fid", _FREE, (), 95),
    "inception-torchvision": Facts("https://pytorch.org/vision", _FREE, (), 109),
    "vgg16": Facts("https://pytorch.org/vision", _FREE, (), 553),
    "lpips-heads": Facts("https://github.com/richzhang/PerceptualSimilarity", _FREE),
    "hed": Facts("https://github.com/sniklaus/pytorch-hed", _RESEARCH, (
        Copy("hf:weifeng-chen/controlavideo-hed/hed-network.pth", "58a858782f5fa3e0ca3dc92e7a1a609add93987d77be3dfa54f8f8419d881a94"),
    ), 59),
    "clip-judge": Facts(f"{HUB}/laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K", _FREE, (
        Copy("hf:laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K/open_clip_pytorch_model.bin"),
    ), 1710),
    "dinov2": Facts("https://github.com/facebookresearch/dinov2", _FREE, (), 1218),
    "psp": Facts("https://github.com/eladrich/pixel2style2pixel", _FACES, (
        drive("1bMTNWkh5LArlaWSc_wa8VKyq2V42T2z0"),
        Copy("hf:trysem/pixel2style2pixel/psp_ffhq_encode.pt", "f786ac5cf18fcdbc5c57c9f3f12cbedca69381fbdf5694dd132294e3133749d7"),
    ), 1200),
    "e4e": Facts("https://github.com/omertov/encoder4editing", _FACES, (
        drive("1cUv_reLE6k3604or78EranS7XzuVMWeO"),
        Copy("hf:wmpscc/StyleGene/e4e_ffhq_encode.pt", "2ace1d9a8c05c10a399bcd500b8dda118f759ff1aac89dbdab7435f2136a0999", 1201649680),
    ), 1202),
    "restyle-psp": Facts("https://github.com/yuval-alaluf/restyle-encoder", _FACES, (drive("1sw6I2lRIB0MpuJkpc8F5BJiSZrc0hjfE"),)),
    "restyle-e4e": Facts("https://github.com/yuval-alaluf/restyle-encoder", _FACES, (
        drive("1e2oXVeBPXMQoUoC_4TNwAWpOPpSEhE_e"),
        Copy("hf:trysem/restyle-e4e-ffhq/restyle_e4e_ffhq.pt", "89afa8b3255be61425714397be11f07b34312d76ea22382ecf80001da617da5b"),
    ), 809),
}  # fmt: skip

# name, file, loader, licence, purpose: more files, which no chapter needs
MORE: list[tuple[str, str, str, str, str]] = []


def _add(name: str, file: str, loader: str, license: str, purpose: str, facts: Facts) -> None:
    MORE.append((name, file, loader, license, purpose))
    FACTS[name] = facts


_TF = "https://github.com/NVlabs/stylegan2"
_ADA = "https://github.com/NVlabs/stylegan2-ada-pytorch"
for _name, _size, _hash, _bytes in (
    ("ffhq", 1024, "adf127ea7bb8a7788c8bdeda3c9937f7310b669b09ecf799ca53a631ff46948d", 381673535),
    ("church", 256, "4090c5f83b44b83475c84864188aa39a0fb72694492302b7e6af36aad0d18104", 357418027),
    ("car", 512, "e1618eee2b3ce87c4a3849442f7850ef12a478556bff035c8e09ee7e23b3794c", 364027523),
    ("horse", 256, "cbc73372c7d82d095913ca8b4b9f170560777175bd7c3b8a75dd55d70807f32b", 357418027),
):
    _file = f"stylegan2-{_name}-config-f.pkl"
    _copies = (Copy(f"{NVLABS}/stylegan2/networks/{_file}", _hash, _bytes), Copy(f"hf:aaronb/StyleGAN2-pkl/stylegan2/{_file}", _hash, _bytes))
    _what = f"{_name.upper() if _name == 'ffhq' else 'LSUN ' + _name} at {_size} px, NVIDIA's pickle of TensorFlow"
    _add(f"{_name}-pkl", _file, GENERATOR, NVIDIA, _what, Facts(_TF, _NC, _copies, round(_bytes / 1e6)))
for _name, _hash in (("dog", "f124ff3f23206052473a7212cbc1f4e095a73c231500411e9c3b81a11eac3662"), ("cat", "")):
    _file = f"afhq{_name}.pkl"
    _copies = (Copy(f"{NVLABS}/stylegan2-ada-pytorch/pretrained/{_file}", _hash), Copy(f"hf:aaronb/StyleGAN2-pkl/ada/{_file}", _hash))
    _add(f"{_name}-pkl", _file, GENERATOR, NVIDIA, f"AFHQ {_name} at 512 px, NVIDIA's pickle of torch", Facts(_ADA, _NC, _copies, 364))
for _name, _file, _hash in (
    ("clip-b16", "ViT-B-16.pt", "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"),
    ("clip-l14", "ViT-L-14.pt", "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836"),
    ("clip-rn50", "RN50.pt", "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762"),
):
    _facts = Facts("https://github.com/openai/CLIP", _FREE, (Copy(f"{OPENAI}/{_hash}/{_file}", _hash),))
    _add(_name, _file, f"iplkit.zoo:load_paper_{_name.replace('-', '_')}", "MIT", f"OpenAI's CLIP {_file.removesuffix('.pt')}", _facts)
_add("dlib-landmarks", "shape_predictor_68_face_landmarks.dat", "", "trained on iBUG 300-W", "68 landmarks of a face; comes with iplkit already", Facts(
    "https://github.com/davisking/dlib-models", "Research and teaching: its training photos, iBUG 300-W, exclude commercial use.", (
        Copy("http://dlib.net/files/shape_predictor_68_face_landmarks.dat.bz2", "7d6637b8f34ddb0c1363e09a4628acb34314019ec3566fd66b80c04dda6980f5", 64040097, "bz2"),
    ), 100))  # fmt: skip
for _name in ("disney", "anime_painting", "wall_painting", "ukiyo-e", "pixar_character", "tolkien_elf", "werewolf", "dog-cartoon", "dog-pointillism", "dog-cubism"):
    _add(f"ipl-{_name}", f"ipl-{_name}.pt", GENERATOR, "MIT; weights of NVIDIA's kind", f"IPL's generator adapted to {_name.replace('_', ' ')}", Facts(IPL, _ADAPTED, (), 360))
for _name in ("disney_princess", "pixar", "sketch"):
    _add(f"nada-{_name}", f"nada-{_name}.pt", GENERATOR, "MIT; weights of NVIDIA's kind", f"NADA's generator adapted to {_name.replace('_', ' ')}", Facts(NADA, _ADAPTED, (), 360))
for _name in ("ffhq", "afhqdog", "afhqcat"):
    _raw = f"https://raw.githubusercontent.com/orpatashnik/StyleCLIP/main/global_directions/npy/{_name}/fs3.npy"
    _add(f"styleclip-fs3-{_name}", f"styleclip-{_name}-fs3.npy", f"{STYLES}:load_matrix", "MIT", f"StyleCLIP's relevance of every channel, {_name}", Facts(STYLECLIP, _FREE, (Copy(_raw),), 11))
_add("styleclip-mean-std", "styleclip-ffhq-S_mean_std", f"{STYLES}:load_statistics", "MIT", "mean and spread of every channel, FFHQ", Facts(STYLECLIP, _FREE))
for _name, _id in {
    "afro": "1i5vAqo4z0I-Yon3FNft_YZOq7ClWayQJ", "angry": "1g82HEH0jFDrcbCtn3M22gesWKfzWV_ma",
    "bobcut": "1IvyqjZzKS-vNdq_OhwapAcwrxgLAY8UF", "bowlcut": "1xwdxI2YCewSt05dEHgkpmmzoauPjEnnZ",
    "curly_hair": "1xZ7fFB12Ci6rUbUfaHPpo44xUFzpWQ6M", "mohawk": "1oMMPc8iQZ7dhyWavZ7VNWLwzf9aX4C09",
    "purple_hair": "14H0CGXWxePrrKIYmZnDD2Ccs65EEww75", "surprised": "1F-mPrhO-UeWrV1QYMZck63R43aLtPChI",
}.items():  # fmt: skip
    _add(f"mapper-{_name}", f"mapper-{_name}.pt", "iplkit.edit.mapper:load_published_mapper", "MIT; trained on FFHQ", f"StyleCLIP's latent mapper: {_name.replace('_', ' ')}", Facts(STYLECLIP, _FACES, (drive(_id),), 141))
