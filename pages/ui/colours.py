"""One colour for each model, the same on every page.

The palette is Okabe and Ito's (2008) without yellow, black and white, which vanish on one of the
two backgrounds: under simulated protan, deutan and tritan vision (Machado et al. 2009) no two come
closer than a CIE76 distance of 16.
"""

from collections.abc import Sequence
from hashlib import blake2b

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
NEUTRAL = "#8A929C"
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x")


def model_colours(model_ids: Sequence[str]) -> dict[str, str]:
    """Give each model a colour that it keeps when other models come and go.

    The name picks the colour; a model whose colour is taken gets the next free one, in order of
    the names. Past six models colours repeat, and labels tell them apart.
    """
    colours: dict[str, str] = {}
    for place, model_id in enumerate(sorted(set(model_ids))):
        taken = set(list(colours.values())[place // len(PALETTE) * len(PALETTE) :])
        start = int.from_bytes(blake2b(model_id.encode(), digest_size=4).digest(), "big")
        wheel = [PALETTE[(start + step) % len(PALETTE)] for step in range(len(PALETTE))]
        colours[model_id] = next(colour for colour in wheel if colour not in taken)
    return colours
