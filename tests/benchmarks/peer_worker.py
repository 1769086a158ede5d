"""Estimate quality and cost with another project's router; runs in that project's environment.

    python peer_worker.py PEER INPUT.npz OUTPUT.npz

The input has vectors and outcomes of the training prompts and the vectors of unseen prompts; the
output has estimates of those. Every peer sees all outcomes and has its published settings:

* `saverouter`: group prior and ridge residual, every model labelled on every prompt, `routerbench`
  profile, on the vectors.
* `cre-router`: its k-means with k by silhouette, and the mean of every model in every cluster.
* `paretobandit`: its disjoint LinUCB after every outcome, on 25 whitened principal components, with
  no forgetting, for the prompts have no order. Its cost of a model is one number.
"""

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Estimated = tuple[NDArray, NDArray]
"""Quality and cost, each of shape (n_prompts, n_models)."""
Peer = Callable[[NDArray, NDArray, NDArray, NDArray], Estimated]
"""Takes training vectors, quality and cost, and the vectors to estimate."""


def saverouter(vectors: NDArray, quality: NDArray, cost: NDArray, unseen: NDArray) -> Estimated:
    from saverouter import FixedKSparseRouter, GroupAssigner, simulate_fixed_k_supervision
    from saverouter.profiles import get_profile

    profile = get_profile("routerbench")
    assigner = GroupAssigner(strategy="latent", seed=0)
    groups = assigner.fit_predict(vectors)
    supervision = simulate_fixed_k_supervision(
        quality, groups, costs=cost, k=quality.shape[1], seed=0
    )
    knobs = ("prior_strength", "prior_ridge_alpha", "residual_ridge_alpha", "residual_gamma")
    router = FixedKSparseRouter(**{knob: profile[knob] for knob in knobs})
    router.fit(vectors, supervision)
    near = assigner.predict(unseen)
    return (
        router.predict_scores(unseen, group_ids=near),
        router.predict_costs(unseen, group_ids=near),
    )


def cre_router(vectors: NDArray, quality: NDArray, cost: NDArray, unseen: NDArray) -> Estimated:
    from cre_router.clustering import assign_clusters, fit_clusters

    fitted = fit_clusters(vectors)
    near = assign_clusters(unseen, fitted.centroids)
    within = np.eye(fitted.k)[fitted.labels]
    counts = within.sum(axis=0)[:, None]
    return (within.T @ quality / counts)[near], (within.T @ cost / counts)[near]


def paretobandit(vectors: NDArray, quality: NDArray, cost: NDArray, unseen: NDArray) -> Estimated:
    from pareto_bandit.policy import DisjointLinUCBPolicy
    from sklearn.decomposition import PCA

    project = PCA(n_components=25, whiten=True, random_state=0).fit(vectors)
    seen, new = (
        np.column_stack([project.transform(part), np.ones(len(part))]) for part in (vectors, unseen)
    )
    names = [str(j) for j in range(quality.shape[1])]
    policy = DisjointLinUCBPolicy(names, dim=seen.shape[1], forgetting_factor=1.0, seed=0)
    for row, rewards in zip(seen, quality, strict=True):
        for name, reward in zip(names, rewards, strict=True):
            policy.update(name, row, float(reward), advance_time=False)
    scores = np.array([[policy.get_expected_reward(name, row) for name in names] for row in new])
    return scores, np.tile(cost.mean(axis=0), (len(unseen), 1))


PEERS: dict[str, Peer] = {
    "saverouter": saverouter,
    "cre-router": cre_router,
    "paretobandit": paretobandit,
}


def main(name: str, source: str, target: str) -> None:
    """Run one peer once."""
    data = np.load(source)
    vectors, unseen = data["vectors"].astype(float), data["unseen"].astype(float)
    quality, cost = PEERS[name](vectors, data["quality"], data["cost_usd"], unseen)
    np.savez(target, quality=quality, cost_usd=cost)


if __name__ == "__main__":
    main(*sys.argv[1:])
