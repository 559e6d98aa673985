"""Named preference models: what each is on the four axes, where it comes from, and what data it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from llull.encoders import Encoder
from llull.errors import InputError
from llull.models.criteria import CriteriaAs
from llull.models.crowd import CrowdModel
from llull.models.fitting.learning import Learning
from llull.models.heads import (
    MLP,
    Attention,
    Bilinear,
    Distances,
    Experts,
    Gated,
    Head,
    Linear,
    Masked,
    Orchestrated,
    PrincipalDirections,
    SkewEmbedding,
)
from llull.models.links import (
    DavidsonTies,
    Hinge,
    Link,
    Logistic,
    Probit,
    RaoKupperTies,
    ScaledLogistic,
    ShiftedLogistic,
)
from llull.models.lists import ListLoss
from llull.models.model import PreferenceModel
from llull.models.ordinal import Ordinal, Regression
from llull.models.populations import (
    Anchored,
    Balanced,
    Collaborative,
    Hierarchical,
    LowRank,
    Mixture,
    PerAnnotator,
    PerCriterion,
    PerGroup,
    Personas,
    Population,
    PreferenceTokens,
    Prototypes,
    Shared,
    VariationalUsers,
)
from llull.models.ranked import RankedModel
from llull.models.rated import RatedModel
from llull.models.saving import load_model
from llull.models.utility_model import UtilityModel, load_utility_model


@dataclass(frozen=True)
class NamedModel:
    """A row of the catalog."""

    name: str
    """As ``llull compare --models`` takes it."""
    what: str
    """In one line, for someone who does not know the method."""
    source: str
    """Authors and year."""
    needs: str
    """What the data must say beyond who won; empty for nothing."""
    proof: str
    """The file under ``tests/models`` that compares it with what it claims to beat."""
    head: Callable[[], Head] = Linear
    link: Callable[[], Link] = Logistic
    population: Callable[[str | None], Population] = lambda key: Shared()
    criteria: CriteriaAs | None = None
    """How judgments' criteria enter."""
    other: Callable[[Encoder, int], UtilityModel] | None = None
    """For a model that learns from more than pairs: from features and a seed; the axes then are not asked."""
    parts: str = ""
    """Of such a model: what stands for head, link and population."""

    def make(self, features: Encoder, key: str | None = None, seed: int = 0) -> PreferenceModel | UtilityModel:
        """The model on some features.

        Args:
            features: any encoder; one that encodes contexts where the model reads them.
            key: the group, column or tag that groups are told apart by, for models of groups.
            seed: of every random choice.
        """
        if self.other is not None:
            return self.other(features, seed)
        return PreferenceModel(
            features, self.head(), self.link(), self.population(key), criteria=self.criteria, seed=seed
        )

    def load(self, folder: str | Path) -> PreferenceModel | UtilityModel:
        """A saved model of this name."""
        return load_model(folder) if self.other is None else load_utility_model(folder)

    @property
    def axes(self) -> str:
        """Head, link and population."""
        if self.other is not None:
            return self.parts
        population = self.population("group")
        return " x ".join(type(part).__name__ for part in (self.head(), self.link(), population))


def _small_network() -> Head:
    return MLP((32,), Learning(learning_rate=1e-2, patience=20, restarts=3))


def _by_group(key: str | None) -> Population:
    if key is None:
        raise InputError("per-group needs to know what tells groups apart; name it with --groups")
    return PerGroup(key, unseen="shared")


def _balanced(key: str | None) -> Population:
    if key is None:
        raise InputError("balanced needs to know what tells sources apart; name it with --groups")
    return Balanced(key)


def _hierarchical(key: str | None) -> Population:
    if key is None:
        raise InputError("hierarchical needs to know what tells groups apart; name it with --groups")
    return Hierarchical(key)


CATALOG: dict[str, NamedModel] = {
    model.name: model
    for model in (
        NamedModel("shared", "one taste for everyone", "Bradley and Terry 1952", "", "test_populations_proof.py"),
        NamedModel(
            "ties",
            "one taste for everyone; ties are answers of their own",
            "Davidson 1970",
            "ties",
            "links/test_links.py",
            link=DavidsonTies,
        ),
        NamedModel(
            "thresholds",
            "one taste for everyone; what is nearer than a threshold is a tie",
            "Rao and Kupper 1967",
            "ties",
            "links/test_more_links.py",
            link=RaoKupperTies,
        ),
        NamedModel(
            "thurstone",
            "one taste for everyone, with normal noise",
            "Thurstone 1927",
            "",
            "links/test_more_links.py",
            link=Probit,
        ),
        NamedModel(
            "strengths",
            "one taste for everyone; judgments count by how strong they are",
            "scaled Bradley-Terry (HelpSteer2-Preference, Wang et al. 2024)",
            "strengths",
            "links/test_more_links.py",
            link=ScaledLogistic,
        ),
        NamedModel(
            "margins",
            "one taste for everyone; a winner must lead by how strong the judgment is",
            "margin Bradley-Terry (HelpSteer2-Preference 2024); BeyondBinary 2024; Legend 2024",
            "strengths",
            "links/test_leads_proof.py",
            link=ShiftedLogistic,
        ),
        NamedModel(
            "triplet",
            "one taste for everyone; a winner must lead by a fixed margin, and more counts for nothing",
            "triplet loss (Social Reward 2024)",
            "",
            "links/test_leads_proof.py",
            link=Hinge,
        ),
        NamedModel(
            "deep",
            "one taste, not linear in the features",
            "Rumelhart et al. 1986, as a reward head",
            "thousands of judgments",
            "test_preference_model.py",
            head=MLP,
        ),
        NamedModel(
            "bilinear",
            "what counts in an answer depends on the question",
            "low-rank context x option",
            "contexts",
            "test_heads_proof.py",
            head=Bilinear,
        ),
        NamedModel(
            "experts",
            "several tastes side by side, and the question says how much each counts",
            "DMoERM (Quan) 2024, outer experts",
            "contexts",
            "test_heads_proof.py",
            head=Experts,
        ),
        NamedModel(
            "gated",
            "the question weighs named scores, such as ratings of aspects",
            "ArmoRM (Wang et al.) 2024",
            "contexts; features that are scores",
            "test_heads_proof.py",
            head=Gated,
        ),
        NamedModel(
            "attention",
            "the question and the answer say which of some named scores counts",
            "PrefPalette (Li et al.) 2025",
            "contexts; features that are scores",
            "test_gated_attributes.py",
            head=Attention,
        ),
        NamedModel(
            "orchestrator",
            "the question weighs several rewards by how high each is for what was preferred",
            "preference orchestrator (PRO) 2025",
            "contexts; features that are rewards",
            "test_compositional.py",
            head=Orchestrated,
        ),
        NamedModel(
            "compositional",
            "one taste for everyone, as weights of named scores",
            "CPM (Go et al.) 2024",
            "features that are scores",
            "test_compositional.py",
        ),
        NamedModel(
            "domain",
            "a small network of scores that an expert names",
            "domain features (Nath et al.) 2024",
            "features that are scores",
            "test_compositional.py",
            head=_small_network,
        ),
        NamedModel(
            "cyclic",
            "preferences that may go round in circles",
            "GPM (Zhang et al.) 2024",
            "",
            "test_heads_proof.py",
            head=SkewEmbedding,
        ),
        NamedModel(
            "per-group",
            "a taste for each group that the data names",
            "Bradley and Terry 1952, by group",
            "groups",
            "test_populations_proof.py",
            population=_by_group,
        ),
        NamedModel(
            "per-criterion",
            "a taste under each criterion, drawn to what all criteria have in common",
            "hierarchical shrinkage (Efron and Morris 1973), by criterion",
            "criteria",
            "test_criteria.py",
            population=lambda key: PerCriterion(),
        ),
        NamedModel(
            "conditioned",
            "the criterion, as a text beside the question, says what counts",
            "context-aware preference models (Pitis et al. 2024)",
            "criteria; contexts",
            "test_criteria.py",
            head=Bilinear,
            criteria="texts",
        ),
        NamedModel(
            "masked",
            "the criterion says which part of the question counts",
            "MPS (Zhang et al.) 2024, its condition mask",
            "criteria; contexts",
            "test_criteria.py",
            head=Masked,
            criteria="names",
        ),
        NamedModel(
            "balanced",
            "one taste for everyone, which no source of judgments pulls its way alone",
            "MORE (Zeng et al.) 2023",
            "groups",
            "test_multi_task.py",
            population=_balanced,
        ),
        NamedModel(
            "per-annotator",
            "a taste for each annotator, drawn to that of all",
            "hierarchical shrinkage (Efron and Morris 1973)",
            "annotators",
            "test_populations_proof.py",
            population=lambda key: PerAnnotator(choose="likelihood"),
        ),
        NamedModel(
            "hierarchical",
            "a taste for each annotator, drawn to that of its group, and that to the one of all",
            "multilevel models (Gelman and Hill 2007)",
            "groups and annotators",
            "test_hierarchical.py",
            population=_hierarchical,
        ),
        NamedModel(
            "directions",
            "a taste for each annotator along the few directions in which answers differ most",
            "DRM 2025",
            "annotators",
            "test_heads_proof.py",
            head=PrincipalDirections,
            population=lambda key: PerAnnotator(choose="likelihood"),
        ),
        NamedModel(
            "low-rank",
            "annotators differ along a few directions that are found out",
            "collaborative low-rank users (matrix factorization of weights)",
            "annotators with several judgments each",
            "test_low_rank.py",
            population=lambda key: LowRank(),
        ),
        NamedModel(
            "ideal-point",
            "everyone prefers what is near to a point of their own",
            "Coombs 1950; PAL, variant A (Chen et al. 2024)",
            "annotators with several judgments each",
            "test_low_rank.py",
            head=Distances,
            population=lambda key: LowRank(),
        ),
        NamedModel(
            "prototypes",
            "everyone is a blend of a few prototypes",
            "PAL, variant B (Chen et al. 2024)",
            "annotators with several judgments each",
            "test_users_proof.py",
            population=lambda key: Prototypes(),
        ),
        NamedModel(
            "variational",
            "a new person is read from a few judgments, without a fit",
            "VPL (Poddar et al. 2024)",
            "hundreds of annotators with several judgments each",
            "test_users_proof.py",
            population=lambda key: VariationalUsers(),
        ),
        NamedModel(
            "tokens",
            "a new person is read from a few judgments, by which tokens of a shared bank these are near to",
            "UserPrefMLLM 2024 (preference tokens, contrastive loss)",
            "hundreds of annotators with several judgments each",
            "test_preference_tokens.py",
            population=lambda key: PreferenceTokens(),
        ),
        NamedModel(
            "few-shot",
            "the few judgments that are told of a person are features of who is asked",
            "FSPO 2025, its framing",
            "hundreds of annotators with several judgments each",
            "test_few_shot_users.py",
            population=lambda key: PreferenceTokens(pull=0.0, learned_from="pairs"),
        ),
        NamedModel(
            "collaborative",
            "people are known by who else chose and rejected the same options",
            "CoPL 2025",
            "annotators who judge the same options",
            "test_graph_users.py",
            population=lambda key: Collaborative(),
        ),
        NamedModel(
            "anchored",
            "a score that is given, such as a similarity, and what a person adds to it",
            "fast adaptation with Bradley-Terry models (Gallego 2023)",
            "a first feature that is a score; annotators",
            "test_similarity.py",
            population=lambda key: Anchored(),
        ),
        NamedModel(
            "personas",
            "a taste for each annotator or group, near to it and far from others who answer the same questions",
            "Fair-PP 2025",
            "annotators or groups who answer the same questions",
            "test_personas.py",
            population=lambda key: Personas(key),
        ),
        NamedModel(
            "mixture",
            "two tastes; who has which is found out",
            "MaxMin-RLHF (Chakraborty et al.) 2024, by EM",
            "annotators",
            "test_mixture.py",
            population=lambda key: Mixture(2),
        ),
        NamedModel(
            "tastes",
            "as many tastes as the data show",
            "mixtures by EM, their number by held-out likelihood",
            "annotators",
            "test_mixture.py",
            population=lambda key: Mixture(None),
        ),
        NamedModel(
            "routed-mixture",
            "two tastes, and the question says how likely each is",
            "MiCRo 2025",
            "contexts",
            "test_mixture.py",
            population=lambda key: Mixture(2, routed=True),
        ),
        NamedModel(
            "ordinal",
            "one utility told by ratings, which each annotator gives higher or lower",
            "cumulative logit (McCullagh 1980), with annotators' offsets",
            "ratings",
            "test_ordinal.py",
            other=lambda features, seed: RatedModel(features, Ordinal(), seed=seed),
            parts="Linear x Ordinal x Shared",
        ),
        NamedModel(
            "regression",
            "one utility told by ratings as numbers",
            "HelpSteer2 (Wang et al.) 2024, its regression",
            "ratings",
            "test_ordinal.py",
            other=lambda features, seed: RatedModel(features, Regression(), seed=seed),
            parts="Linear x Regression x Shared",
        ),
        NamedModel(
            "ratings-and-pairs",
            "one utility told by ratings and by pairs, in one fit",
            "HelpSteer2-Preference (Wang et al.) 2024, regression and Bradley-Terry",
            "ratings; pairs that were not made from them",
            "test_ordinal.py",
            other=lambda features, seed: RatedModel(features, Ordinal(), Logistic(), seed=seed),
            parts="Linear x RatedModel x Shared",
        ),
        NamedModel(
            "crowd",
            "what shares of people would give each rating",
            "DPRM 2024",
            "several ratings of options",
            "test_distributions.py",
            other=lambda features, seed: CrowdModel(features, seed=seed),
            parts="Linear x CategoryModel x Shared",
        ),
        NamedModel(
            "lists",
            "one utility told by whole rankings: the best first, then the best of the rest",
            "Luce 1959; Plackett 1975",
            "rankings",
            "test_list_losses.py",
            other=lambda features, seed: RankedModel(features, seed=seed),
            parts="Linear x ListLoss x Shared",
        ),
        NamedModel(
            "near-lists",
            "one utility told by rankings, each option against those a few places below",
            "RankList 2025",
            "rankings",
            "test_list_losses.py",
            other=lambda features, seed: RankedModel(features, ListLoss(gaps=(1, 2, 3)), seed=seed),
            parts="Linear x ListLoss x Shared",
        ),
    )
}
"""Every named model, by name."""


def named(name: str) -> NamedModel:
    """A model of the catalog.

    Raises:
        InputError: if there is none of this name.
    """
    if name not in CATALOG:
        raise InputError(f"there is no model {name!r}; there is {', '.join(CATALOG)}")
    return CATALOG[name]
