"""Settings of an adaptation: how much, how fast, and which known quirks to repeat."""

import json
from dataclasses import asdict, dataclass, fields, replace

from iplkit.adapt.prompt_lists import check_prompts
from iplkit.errors import UserError

QUIRKS = {
    "base_without_class": "stage 2 adds the bare manual prompt, so source and target get the same sentence",
    "base_full_stop": "the added sentence ends with a full stop, the learned one does not",
    "selection_bare_word": "layers are scored against the class word alone, without a prompt around it",
    "selection_off_by_one": "a chosen row frees the layer before the one it drives",
    "mapper_last_activation": "the mapper's output passes a leaky ReLU, so prompts lean to positive values",
    "no_guard": "the image direction is scaled to length 1 however short it is",
    "ema_ipl_only": "IPL saves averaged weights, NADA the last ones",
    "adam_ages_unchosen": "Adam counts a step, with gradient 0, for layers that were not chosen",
    "reencode_equal": "images that moved by a sum of exactly 0 are shown again plus 1e-6, as NADA does; needs no_guard to show",
    "mixing_unpaired": "style mixing changes latents at another row for the source image than for the adapted one",
}
NOISES = ("paired", "independent", "none")
SELECTORS = ("adaptive", "all", "manual", "oracle")
BASES = ("sentence", "none")
MAPPERS = {"perceptron": None, "transformer": "alone", "transformer as written": "batch"}  # name -> layout of `TransformerMapper`

LATER = {
    "beta1", "rows_k", "rows", "schedule", "mixing", "clip_weights", "lambda_direction", "lambda_global", "lambda_patch",
    "lambda_manifold", "patch_share", "patches", "second", "share", "anchor_start", "anchor_every", "anchor_weight",
    "anchor_prompt_steps", "variations", "variation_angle", "moment_weight",
    "prompts", "align_weight", "base", "templates", "mapper",
}  # fmt: skip


@dataclass(frozen=True)
class AdaptSettings:
    """Everything that decides an adaptation, save for models, words and seed.

    The defaults are IPL's published numbers (Guo et al. 2023) with the method as its text describes it.
    What the published code does differently is a name in `quirks`.
    """

    steps: int = 300  # updates of the generator
    batch: int = 2  # images per update
    lr: float = 0.0016  # 0.002 * 4/5, as StyleGAN2's lazy regularization scales it
    beta2: float = 0.99  # Adam; beta1 is 0
    ema: float = 0.99  # share of the old average kept per step; 0 keeps the last weights
    noise: str = "paired"  # pixel noise of the two generators: "paired", "independent", "none"
    floor: float = 0.1  # image differences shorter than this (unit sphere) are not stretched to length 1
    clamp: bool = False  # show CLIP what a screen would show: values outside [-1, 1] are cut, and pull no further
    views: int = 0  # random crops per image that CLIP sees; 0 shows the plain image
    view_scale: float = 0.25  # a view shows between 1 - this and 1 + this of the picture's side
    view_shift: float = 0.1  # largest shift of a view, share of the picture's side
    view_noise: float = 0.02  # standard deviation of the noise on a view, in units of [-1, 1]
    selector: str = "adaptive"  # which layers move: "adaptive" or "all"
    rows_share: float = 2 / 3  # share of the W+ rows that an adaptive choice frees
    select_every: int = 10  # steps from one choice to the next; 1 is the paper's
    select_batch: int = 8  # images that vote
    select_micro: int = 4  # of these, how many at a time
    prompt: str = "a photo of a"  # the manual prompt; its number of tokens is the number learned
    mapper_steps: int = 300
    mapper_batch: int = 32
    mapper_lr: float = 0.05
    mapper_pool: int = 1024  # latents whose image features are computed once
    lambda_domain: float = 1.0
    lambda_source: float = 0.0  # multiplied by lambda_domain, as in the published code
    precision: str = "float32"  # or "bfloat16": autocast around generators and CLIP
    save_every: int = 50  # steps between checkpoints, where a folder for them is given
    quirks: frozenset = frozenset()
    # What follows is left out of a record where it has its default, so that older records stay equal.
    beta1: float = 0.0  # Adam
    rows_k: int = 0  # rows that an adaptive choice frees; 0 goes by `rows_share`
    rows: tuple[int, ...] = ()  # "oracle": these rows of W+ and no others
    schedule: tuple[tuple[int, tuple[int, ...]], ...] = ()  # "manual": (first step, rows), one entry a phase
    mixing: float = 0.0  # chance that a step mixes two latents an image, at a random row
    clip_weights: tuple[float, ...] = (1.0,)  # one for each CLIP
    lambda_direction: float = 1.0
    lambda_global: float = 0.0  # see `terms.global_term`
    lambda_patch: float = 0.0  # see `terms.patch_term`
    lambda_manifold: float = 0.0  # see `terms.manifold_term`
    patch_share: float = 510 / 1024  # side of a patch, share of the picture's; the published code cuts 510 px at any size
    patches: int = 1  # for each image
    second: str = ""  # "mix": the second target's word
    share: float = 0.5  # "mix": of the second target
    anchor_start: int = 100  # "air": first step with an anchor of its own making
    anchor_every: int = 20  # "air": steps from one anchor to the next
    anchor_weight: float = 1.0  # "air"
    anchor_prompt_steps: int = 50  # "air": updates of the anchor's prompt
    variations: int = 16  # "moments": how many variations of the target's text
    variation_angle: float = 0.25  # "moments": largest angle to the target's text, radians
    moment_weight: float = 1.0  # "moments": of the covariance term
    prompts: tuple[str, ...] = ()  # "ipl_star": sentences about the target; empty takes `prompt_lists.prompt_list`
    align_weight: float = 0.2  # "ipl_star": of the alignment with them; the thesis' last value, it began with 0.3
    base: str = "sentence"  # what is added to a learned prompt's feature: that of the manual sentence, or "none"
    templates: tuple[str, ...] = ()  # sentences with a {} for the class; empty takes all that this CLIP knows
    mapper: str = "perceptron"  # the published one, or the thesis' third Transformer: mended ("transformer"), or "transformer as written"

    def __post_init__(self):
        object.__setattr__(self, "quirks", frozenset(self.quirks))
        object.__setattr__(self, "prompts", check_prompts(self.prompts) if self.prompts else ())
        for name in ("rows", "clip_weights", "templates"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "schedule", tuple((int(first), tuple(rows)) for first, rows in self.schedule))
        if unknown := sorted(self.quirks - set(QUIRKS)):
            raise UserError(f"quirks must be among {sorted(QUIRKS)}; got {unknown}")
        named = {"noise": NOISES, "selector": SELECTORS, "precision": ("float32", "bfloat16"), "base": BASES, "mapper": MAPPERS}
        for name, choices in named.items():
            if getattr(self, name) not in choices:
                raise UserError(f"{name} must be one of {list(choices)}; got {getattr(self, name)!r}")
        for name in ("steps", "batch", "select_every", "select_batch", "select_micro", "mapper_batch", "mapper_pool", "save_every"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.views < 0 or self.mapper_steps < 0:
            raise UserError(f"views and mapper_steps must not be negative; got {self.views} and {self.mapper_steps}")
        if not (0 <= self.ema < 1 and 0 < self.rows_share <= 1 and self.floor > 0):
            raise UserError(
                f"ema must lie in [0, 1), rows_share in (0, 1], floor above 0; got {self.ema}, {self.rows_share}, {self.floor}"
            )

        if self.align_weight < 0:
            raise UserError(f"align_weight must not be negative; got {self.align_weight}")
        self._check_rows()
        self._check_sentences()
        if not (0 <= self.mixing <= 1 and 0 <= self.share <= 1 and 0 < self.patch_share <= 1 and 0 <= self.beta1 < 1):
            raise UserError(
                f"mixing and share must lie in [0, 1], patch_share in (0, 1], beta1 in [0, 1); "
                f"got {self.mixing}, {self.share}, {self.patch_share}, {self.beta1}"
            )
        for name in ("patches", "anchor_every", "anchor_prompt_steps", "variations"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1; got {getattr(self, name)}")

    def _check_rows(self) -> None:
        if self.rows_k < 0 or min((*self.rows, 0)) < 0:
            raise UserError(f"rows_k and rows must not be negative; got {self.rows_k} and {list(self.rows)}")
        if (self.selector == "oracle") != bool(self.rows) or len(set(self.rows)) < len(self.rows):
            raise UserError(f"rows must name different rows of W+ for the selector 'oracle', and be empty for others; got {list(self.rows)}")
        firsts = [first for first, _ in self.schedule]
        if (self.selector == "manual") != bool(firsts) or (firsts and (firsts[0] != 0 or firsts != sorted(set(firsts)))):
            raise UserError(f"schedule must begin at step 0 and rise for the selector 'manual', and be empty for others; got {firsts}")
        if not all(rows for _, rows in self.schedule):
            raise UserError("schedule must give each phase at least one row; one has none")

    def _check_sentences(self) -> None:
        for template in self.templates:
            if not isinstance(template, str) or "{}" not in template:
                raise UserError(f"templates need texts with a {{}} for the class word; got {template!r}")
        if len(set(self.templates)) < len(self.templates):
            raise UserError(f"templates need to be distinct; got {list(self.templates)}")
        if self.base == "none" and (lost := sorted(self.quirks & {"base_without_class", "base_full_stop"})):
            raise UserError(f"base 'none' leaves no sentence that {' and '.join(lost)} could change; choose one of them")

    @classmethod
    def at(cls, profile: str = "world", tier: str = "laptop") -> "AdaptSettings":
        """Settings for a set of models and a budget.

        Args:
            profile: "world" (the shipped models) or "paper" (a reader's 1024 px checkpoint and ViT-B/32).
            tier: "smoke" proves that the code runs, "laptop" is minutes, "full" is the printed number.
        """
        profiles = {
            "world": cls(batch=4, lr=0.0008, views=2, floor=1.0, clamp=True, ema=0.98, selector="all"),
            "paper": cls(select_every=1, mapper_pool=9600),
        }
        tiers = {
            "smoke": {"steps": 5, "mapper_steps": 5, "mapper_pool": 32, "mapper_batch": 8, "save_every": 2},
            "laptop": {},
            "full": {"mapper_pool": 9600} if profile == "paper" else {},  # the world's laptop runs are cells of its full table
        }
        for name, value, known in (("profile", profile, profiles), ("tier", tier, tiers)):
            if value not in known:
                raise UserError(f"{name} must be one of {list(known)}; got {value!r}")
        return replace(profiles[profile], **tiers[tier])

    def has(self, quirk: str) -> bool:
        """Whether a named quirk is switched on."""
        assert quirk in QUIRKS, quirk
        return quirk in self.quirks

    def record(self) -> dict:
        """The settings as JSON can hold them; `from_record` is the way back."""
        record = json.loads(json.dumps(asdict(self) | {"quirks": sorted(self.quirks)}))
        defaults = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in record.items() if name not in LATER or getattr(self, name) != defaults[name]}

    @staticmethod
    def later() -> dict:
        """The defaults that `record` leaves out."""
        return {field.name: field.default for field in fields(AdaptSettings) if field.name in LATER}

    @classmethod
    def from_record(cls, record: dict) -> "AdaptSettings":
        """Settings from what `record` gave.

        Raises:
            UserError: if a name is not one of the settings.
        """
        names = {field.name for field in fields(cls)}
        if unknown := sorted(set(record) - names):
            raise UserError(f"settings must be among {sorted(names)}; got {unknown}")
        return cls(**record)
