"""Two targets at once: a direction between two directions."""

import torch.nn.functional as F

from iplkit.adapt.anchor_memory import source_anchor
from iplkit.adapt.directions import averaged_direction
from iplkit.adapt.loop import Plugs
from iplkit.adapt.selectors import make_selector
from iplkit.adapt.task import Recipe, Task
from iplkit.errors import UserError


def mix(task: Task) -> Recipe:
    """Mix two targets' text directions linearly (Li et al. 2024, "UniHDA"; arXiv 2401.12596).

    `settings.second` is the other target's word, `settings.share` its share: 0 is NADA's first target,
    1 the second. UniHDA's spatial structure loss, which needs another network, is left out.

    Raises:
        UserError: if there is no second target.
    """
    s = task.settings
    if not s.second or s.second == task.target:
        raise UserError(f"mix needs another target in the setting 'second'; got {s.second!r}")
    first, second = (averaged_direction(task.clip, task.source, word, task.templates) for word in (task.target, s.second))
    main = task.target if s.share <= 0.5 else s.second
    return Recipe(
        Plugs(
            direction=lambda w: F.normalize((1 - s.share) * first(w) + s.share * second(w), dim=-1),
            anchor=source_anchor(task),
            selector=make_selector(task.clip, main, s, task.seed, task.more),
        )
    )
