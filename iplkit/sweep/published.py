"""Numbers that the thesis behind this book once printed, and what its programs really measured.

Source: the repository bonjour-npy/UndergraduateDissertation on GitHub, commits 6bbce00 (25 March 2024), 24527d3
(26 March) and 0a965a9 (26 April). Commit c4ff8f1 (7 May 2024) emptied its tables. FFHQ at 1024 px, not our world.
"""

from dataclasses import dataclass

STRETCHED = "IS of pictures each stretched to full range, standardized by their own mean and deviation"


@dataclass(frozen=True)
class Published:
    """One row of the thesis.

    Args:
        heading: what the thesis called it.
        target: domain, in the words of our world.
        nada, ipl, ipl_star: the numbers; None where there was none.
        measured: what its program computed.
        commit: where it stands.
        score: the score of ours that means what the heading says.
    """

    heading: str
    target: str
    nada: float
    ipl: float
    ipl_star: float | None
    measured: str
    commit: str
    score: str


PUBLISHED = (
    Published("IS", "disney", 2.296, 2.642, 2.701, STRETCHED, "6bbce00, 0a965a9", "IS"),
    Published("IS", "anime painting", 2.320, 2.464, 2.578, STRETCHED, "0a965a9", "IS"),
    Published("IS", "ukiyo-e", 2.489, 2.715, 2.851, STRETCHED, "0a965a9", "IS"),
    Published("IS", "werewolf", 2.173, 2.482, 2.517, STRETCHED, "0a965a9", "IS"),
    Published("FID", "disney", 422.79, 391.09, None, "FID in 2048 dimensions to a handful of pictures, three by all signs", "6bbce00", "FID"),
    Published("FID, later SFID", "disney", 84, 58, 54, "FID to the source's photos: not to leave them is rewarded", "24527d3, 0a965a9", "FID"),
)
