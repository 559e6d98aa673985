"""MCM-DPO (172): contrasts of images and contexts make texts depend on both, which DPO does not; accuracy pays.

Texts name one thing seen in the image and one read in the context, and have a style; the policy is log-linear in
features of the three, with no feature shared between them. Measured on new posts: the mean gap in the implicit reward
of a true text between its own image (or context) and another post's, and how often a true text beats its copy.

Where copies differ in style alone, DPO's gaps stay near 0 and those of all seven contrasts are above 1.5. Measured,
negative: accuracy on texts is not equal within a point but lower by about 3 in the mean of five seeds. Where one copy
in ten names a wrong thing, those few pairs teach DPO most of it: the gap to another image does not double. The
contrast of images alone makes texts less dependent on contexts than they were.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from llull.objectives import Batch, ListUnits, Scores
from llull.objectives.presets.joint import MCMDPO

THINGS, STYLES, TASTES, PAIRS, NEW = 4, 8, 4, 200, 1000
WEIGHTS = (1.0, 0.5, 0.5, 0.2, 0.2, 0.2, 0.2)
REPLACED = ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 0), (1, 1, 1))
"""Context, image and text of each option: 1 where it is replaced."""
TEXT_ONLY, TEXT_AND_IMAGE, ALL = 1, 2, 7
SEEDS = range(5)


class Writer(nn.Module):
    """Logits of texts are features @ (seen @ image + read @ context + always); the reference knows what to name.

    Args:
        styles: [STYLES, TASTES] features of styles.
    """

    def __init__(self, styles: Tensor) -> None:
        super().__init__()
        things = torch.eye(THINGS, dtype=torch.float64)
        seen, read, style = torch.cartesian_prod(*map(torch.arange, (THINGS, THINGS, STYLES))).unbind(1)
        self.features = torch.cat([things[seen], things[read], styles[style]], dim=1)
        none = torch.zeros(TASTES + THINGS, THINGS, dtype=torch.float64)
        self.seen = nn.Parameter(torch.cat([things, none]))
        self.read = nn.Parameter(torch.cat([none[:THINGS], things, none[THINGS:]]))
        self.always = nn.Parameter(torch.zeros(2 * THINGS + TASTES, dtype=torch.float64))

    def forward(self, context: Tensor, image: Tensor, text: Tensor) -> Tensor:
        """Log-probabilities [n] of texts [n] given contexts and images [n, THINGS]."""
        logits = (image @ self.seen.T + context @ self.read.T + self.always) @ self.features.T
        return logits.log_softmax(-1).gather(-1, text[:, None])[:, 0]


class Posts:
    """Noisy contexts and images that show one thing each, their true texts, and a copy of each.

    Args:
        good: [STYLES], how good a style is.
        count: of posts.
        misnamed: share of copies that name a wrong thing as seen; the others have a worse style.
        random: where chance comes from.
    """

    def __init__(self, good: Tensor, count: int, misnamed: float, random: torch.Generator) -> None:
        seen, read = torch.randint(THINGS, (2, count), generator=random)
        noise = torch.randn(2, count, THINGS, generator=random, dtype=torch.float64)
        self.image = nn.functional.one_hot(seen, THINGS) + 0.5 * noise[0]
        self.context = nn.functional.one_hot(read, THINGS) + 0.5 * noise[1]
        one = torch.randint(STYLES, (count,), generator=random)
        two = (one + torch.randint(1, STYLES, (count,), generator=random)) % STYLES
        better, worse = torch.where(good[one] > good[two], one, two), torch.where(good[one] > good[two], two, one)
        wrong = (seen + torch.randint(1, THINGS, (count,), generator=random)) % THINGS
        renamed = torch.rand(count, generator=random) < misnamed
        self.true = (seen * THINGS + read) * STYLES + better
        self.copy = (torch.where(renamed, wrong, seen) * THINGS + read) * STYLES + torch.where(renamed, better, worse)
        self.other = (torch.arange(count) + torch.randint(1, count, (count,), generator=random)) % count
        # Late in a forward diffusion little of the image is left.
        self.diffused = 0.3 * self.image + 0.95 * torch.randn(count, THINGS, generator=random, dtype=torch.float64)

    def combined(self, policy: Writer, contrasts: int) -> Tensor:
        """Log-probabilities [count, 1 + contrasts] of the true combination and of those with parts replaced."""
        contexts, images = (self.context, self.context[self.other]), (self.image, self.diffused)
        texts = (self.true, self.copy)
        return torch.stack([policy(contexts[c], images[m], texts[y]) for c, m, y in REPLACED[: contrasts + 1]], dim=1)


@functools.cache
def outcome(seed: int, contrasts: int, misnamed: float) -> tuple[float, float, float]:
    """On new posts: accuracy on texts, the gap to another post's image, and the gap to another post's context."""
    random = torch.Generator().manual_seed(seed)
    styles = torch.randn(STYLES, TASTES, generator=random, dtype=torch.float64)
    good = styles @ torch.randn(TASTES, generator=random, dtype=torch.float64)
    known, new = Posts(good, PAIRS, misnamed, random), Posts(good, NEW, misnamed, random)
    policy, reference, objective = Writer(styles), Writer(styles), MCMDPO(0.1, WEIGHTS[:contrasts]).double()
    before = known.combined(reference, contrasts).detach().reshape(-1)
    units = {"main": ListUnits.of(torch.arange((contrasts + 1) * PAIRS).reshape(PAIRS, -1))}
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.03)
    for _ in range(60):
        loss = objective(Batch(Scores(known.combined(policy, contrasts).reshape(-1), before), units)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    @torch.no_grad()
    def reward(context: Tensor, image: Tensor, text: Tensor) -> Tensor:
        return policy(context, image, text) - reference(context, image, text)

    true = reward(new.context, new.image, new.true)
    accuracy = (true > reward(new.context, new.image, new.copy)).double().mean().item()
    image = (true - reward(new.context, new.image[new.other], new.true)).mean().item()
    context = (true - reward(new.context[new.other], new.image, new.true)).mean().item()
    return accuracy, image, context


def test_all_contrasts_make_texts_depend_on_image_and_context() -> None:
    for seed in SEEDS:
        plain, full = outcome(seed, TEXT_ONLY, 0.0), outcome(seed, ALL, 0.0)
        for gap in (1, 2):
            assert full[gap] > 1.5
            assert abs(plain[gap]) < 0.5 * full[gap]


def test_accuracy_on_texts_pays_for_it() -> None:
    falls = [outcome(seed, TEXT_ONLY, 0.0)[0] - outcome(seed, ALL, 0.0)[0] for seed in SEEDS]
    assert 0.01 < sum(falls) / len(falls) < 0.06


def test_a_few_copies_that_name_wrong_things_teach_most_of_it_without_contrasts() -> None:
    for seed in SEEDS:
        plain, full = outcome(seed, TEXT_ONLY, 0.1), outcome(seed, ALL, 0.1)
        assert plain[1] > 1
        assert full[1] < 2 * plain[1]


def test_the_contrast_of_images_alone_makes_texts_depend_less_on_contexts() -> None:
    for seed in SEEDS:
        _, image, context = outcome(seed, TEXT_AND_IMAGE, 0.0)
        assert image > 1.5
        assert context < min(0.0, outcome(seed, TEXT_ONLY, 0.0)[2])
