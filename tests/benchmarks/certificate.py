"""Coverage and power of certificates by simulation: `python tests/benchmarks/certificate.py`.

A violation is a certified trade-off whose true mean loss exceeds delta. It must not happen in more
than a share alpha of the draws: with one trade-off that truly loses just over delta (the worst
case), and in a walk of seven from a gain to a loss of twice delta. The power is the share of draws
that certify one trade-off which truly gains, or loses nothing.
"""

import sys
import time

import numpy as np

from pipeline.certificate import n_passing

ALPHA = 0.05
DELTA = 0.02
N_DRAWS = 1_000
N_PROMPTS = 800

SHAPES = {
    "0/1, 20 % discordant": ("discordant", 0.2, 1.0),
    "0/1, 4 % discordant": ("discordant", 0.04, 1.0),
    "graded, wide": ("betting", 0.6, 0.5),
    "graded, narrow": ("betting", 0.9, 0.1),
    "graded, 95 % zeros": ("betting", 0.05, 0.75),
    "0/1, by betting": ("betting", 0.2, 1.0),
    "0/1, by Student's t": ("normal", 0.2, 1.0),
    "0/1 rare, by t": ("normal", 0.021, 1.0),
}


def draw(generator, mean, share, scale, size):
    """Draw losses: zero, or up to ± scale, with this true mean."""
    up = (1.0 + mean / (share * scale)) / 2.0
    discordant = generator.random(size) < share
    signs = np.where(generator.random(size) < up, 1.0, -1.0)
    return np.where(discordant, signs * scale, 0.0)


def n_certified(generator, method, share, scale, means):
    """Return how many trade-offs each draw certifies; the same prompts meet all of them."""
    counts = []
    for seed in generator.integers(1 << 32, size=N_DRAWS):
        losses = [
            draw(np.random.default_rng(seed), mean, share, scale, N_PROMPTS) for mean in means
        ]
        counts.append(n_passing(np.stack(losses), delta=DELTA, alpha=ALPHA, method=method))
    return np.array(counts)


def main():
    """Print the table; exit with 1 if a method valid in finite samples breaks its promise."""
    begun = time.perf_counter()
    generator = np.random.default_rng(0)
    limit = ALPHA + 2.33 * np.sqrt(ALPHA * (1.0 - ALPHA) / N_DRAWS)
    lines = [
        f"{'losses':<23}{'method':<11}{'violations':>10}{'in a walk':>10}{'power':>7}{'at 0':>7}"
    ]
    broken = False
    for name, (method, share, scale) in SHAPES.items():
        size = share * scale
        edge, gain = min(DELTA * 1.0001, size), min(DELTA, size / 2)
        alone = (n_certified(generator, method, share, scale, [edge]) == 1).mean()
        walk = np.linspace(-gain, 2.0 * edge - size * 1e-9, 7).clip(max=size)
        n_safe = int((walk <= DELTA).sum())
        walked = (n_certified(generator, method, share, scale, walk) > n_safe).mean()
        power = n_certified(generator, method, share, scale, [-gain]).mean()
        even = n_certified(generator, method, share, scale, [0.0]).mean()
        lines.append(
            f"{name:<23}{method:<11}{alone:>10.3f}{walked:>10.3f}{power:>7.3f}{even:>7.3f}"
        )
        broken |= method != "normal" and max(alone, walked) > limit
    lines.append(
        f"alpha {ALPHA}, delta {DELTA}, {N_PROMPTS} prompts, {N_DRAWS:,} draws; power at a true "
        f"gain of {DELTA} and at no loss; {time.perf_counter() - begun:.0f} s"
    )
    sys.stdout.write("\n".join(lines) + "\n")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
