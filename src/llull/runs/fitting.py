"""The main job, ``llull fit``: read, describe, fit, measure, explain, report."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

import llull.judgments
from llull.encoders import Concat, Encoder, OneHot, SentenceEncoder, TextStatistics
from llull.errors import InputError
from llull.evaluate import Evaluation, compared, cross_validate, learning_curve
from llull.judgments import Preferences
from llull.models import Coefficient, PerGroup, PreferenceModel
from llull.models.criteria import CriteriaAs
from llull.models.heads import Head
from llull.models.links import Link
from llull.models.populations import Population
from llull.report import Report, write_report
from llull.runs import rewarding
from llull.runs.communities import adaptation_found, people_found, with_adaptation
from llull.runs.content import EXPLAINED_BY, metrics, reproduction, save_measured, title
from llull.runs.data import print_reading
from llull.runs.folder import METRICS, MODEL, REJECTS, REPORT, RunFolder
from llull.runs.printing import problems_table
from llull.runs.rewarding import Composition, LearnedFeatures
from llull.runs.wants import NEAR_COPIES


@dataclass(frozen=True)
class ModelOptions:
    """A preference model as features x head x link x population.

    Args:
        features: an encoder, such as SentenceEncoder, TextStatistics, OneHot, AspectScores, RatedAspects or Concat. By
            default sentence embeddings and text statistics side by side; an indicator for each option where options
            are known only by name.
        head: what a pair looks like to the weights; Linear if not given.
        link: how a margin becomes a probability, and how ties are read; Logistic if not given.
        population: whose weights they are; shared by all if not given, by group with --groups.
        l2: strength of the penalty; chosen by validation if not given.
        criteria: how judgments' criteria enter, for a head that reads contexts: by names or by texts.
    """

    features: Encoder | None = None
    head: Head | None = None
    link: Link | None = None
    population: Population | None = None
    l2: float | None = None
    criteria: CriteriaAs | None = None

    def composed(self, features: Encoder, population: Population | None, seed: int) -> PreferenceModel:
        """The model of these parts."""
        # Without the population that was to read criteria, there may be nothing that does.
        left_out = self.population is not None and population is None and not (self.head and self.head.reads_context)
        criteria = None if left_out else self.criteria
        return PreferenceModel(features, self.head, self.link, population, l2=self.l2, criteria=criteria, seed=seed)


def fit(
    data: list[str],
    model: ModelOptions = ModelOptions(),
    features: LearnedFeatures | None = None,
    groups: str | None = None,
    by: list[str] | None = None,
    rating: str | None = None,
    out: str = "runs/fit",
    folds: int = 5,
    learning: bool = True,
    seed: int = 0,
    format: str | None = None,
    strict: bool = False,
) -> RunFolder:
    """Fit a preference model, measure it on contexts it has not seen, and write a report.

    Args:
        data: files, folders, patterns or hub names, as for `llull read`.
        model: the parts of the model.
        features: instead of frozen features, a language model that is trained end to end, into a reward model or, with
            a head, a link or a population in --model, under these; one of the folds is held out to measure it.
        groups: a group of the annotators, a column or a tag. A model for each of its values is fitted beside one for
            all, and everything is measured for each.
        by: further groups, columns or tags to measure by.
        rating: for data that rates instead of ranking: the aspect whose higher value is preferred.
        out: folder of the run; what it holds of an earlier run is replaced.
        folds: of the cross-validation by context.
        learning: whether to draw a learning curve, which takes about as long again.
        seed: of all randomness.
        format: format of all the files, instead of finding it from their first rows.
        strict: stop at the first bad row instead of setting it aside.
    """
    console = Console()
    preferences = llull.judgments.read(*data, format=format, strict=strict)
    print_reading(preferences, console)
    arguments = {"data": [str(d) for d in data], "groups": groups, "by": by, "rating": rating, "out": out}
    arguments |= {"folds": folds, "learning": learning, "seed": seed, "format": format, "strict": strict}
    folder = RunFolder(out)
    folder.begin(preferences, seed, arguments)
    if preferences.reading is not None:
        preferences.reading.write_rejects(folder.path / REJECTS)
    if features is not None:
        if model.features is not None:
            raise InputError("--features trains a language model, and --model.features names frozen features: give one")
        keys = [*([groups] if groups else []), *(by or [])]
        if model == ModelOptions():
            return rewarding.run(preferences, features, folder, by=keys, rating=rating, folds=folds, seed=seed)
        parts = Composition(model.head, model.link, model.population, model.l2)
        return rewarding.run_composed(
            preferences, parts, features, folder, by=keys, rating=rating, folds=folds, seed=seed
        )
    return run(
        preferences, model, folder, groups=groups, by=by, rating=rating, folds=folds, learning=learning, seed=seed
    )


def run(
    preferences: Preferences,
    options: ModelOptions,
    folder: RunFolder,
    *,
    groups: str | None = None,
    by: list[str] | None = None,
    rating: str | None = None,
    folds: int = 5,
    learning: bool = True,
    seed: int = 0,
    console: Console | None = None,
) -> RunFolder:
    """The main job on judgments that are already read; arguments as in `fit`."""
    console = console or Console()
    description, problems = preferences.describe(), preferences.problems()
    console.print(problems_table(problems))
    judged = preferences.paired_by(rating, seed=seed) if rating else preferences
    features = options.features or default_features(judged, console)
    # Fitted to the options of all folds, which tells no answers: a name that is in no training fold is at average
    # strength instead of unknown. What learns from answers is fitted by each fold's model, to its own training data.
    if not features.reads_answers:
        features = features.fit(judged.pairs().options)
    if note := missing_texts(judged):
        console.print(note, style="yellow")
    keys: list[str] = list(dict.fromkeys([*([groups] if groups else []), *(by or [])]))

    def measured(name: str, candidate: PreferenceModel) -> Evaluation:
        with console.status(f"cross-validating {name}"):
            return cross_validate(candidate, judged, folds=folds, by=keys, seed=seed, name=name)

    # The model that is kept stands first; if some group is too small for it, that shows at once.
    population = options.population or (PerGroup(groups, unseen="shared") if groups else None)
    final = options.composed(features, population, seed)
    evaluations = []
    if population is not None:
        name = f"a model for each {groups}" if options.population is None else type(population).__name__
        evaluations.append(measured(name, final))
    evaluations.append(measured("one model for all", options.composed(features, None, seed)))
    for note in features.notes:
        console.print(note)
    for evaluation in evaluations:
        console.print(evaluation.table())
    if len(evaluations) > 1:
        console.print(compared(evaluations).table())

    curve = None
    if learning:
        with console.status("drawing the learning curve"):
            curve = learning_curve(final, judged, folds=folds, seed=seed, name=evaluations[0].model)
    with console.status("fitting to all judgments"):
        final.fit(judged)
        final.save(folder.path / MODEL)
        coefficients, explained_by = explain(final, judged, population, seed)
        people = people_found(final, judged, seed)
    if learning:
        with console.status("telling the model of new people"):
            people = with_adaptation(people, adaptation_found(final, judged, evaluations[0].model, seed))
    comparison = compared(evaluations)
    save_measured(folder, judged, evaluations)
    folder.write_json(METRICS, metrics(comparison, curve, coefficients, explained_by, description, problems, people))
    report = Report(
        title=title(folder),
        evaluations=evaluations,
        description=description,
        reading=preferences.reading,
        coefficients=coefficients,
        explained_by=explained_by,
        learning=curve,
        problems=problems,
        reproduction=reproduction(folder),
        people=people,
    )
    path = write_report(folder.path / REPORT, report)
    console.print(f"wrote {path}, {folder.path / METRICS} and the model in {folder.path / MODEL}")
    return folder


def explain(
    model: PreferenceModel, preferences: Preferences, population: Population | None, seed: int
) -> tuple[list[Coefficient], str]:
    """Coefficients that a person can read, and what to call the model they are of, if it is not the main one.

    Options with text are explained by a linear model on text statistics, others by the main model's own features, as
    are those whose features were learned from ratings of named aspects.
    """
    if model.features.reads_answers and model.head.names(model.names_):
        return model.coefficients(), ""
    if preferences.pairs().options.have_text:
        # Text statistics say nothing of contexts, so a population that reads these is explained as one of all.
        whose = None if population is not None and population.reads_context else population
        named = PreferenceModel(TextStatistics(NEAR_COPIES), population=whose, seed=seed)
        return named.fit(preferences).coefficients(), EXPLAINED_BY
    return (model.coefficients(), "") if model.head.names(model.names_) else ([], "")


def missing_texts(preferences: Preferences) -> str:
    """A warning where some options have a text and others are known only by name; empty where there is none."""
    pairs = preferences.pairs()
    written = pairs.options.with_text
    mixed = int((written[pairs.winner] != written[pairs.loser]).sum())
    if not mixed:
        return ""
    return (
        f"{mixed:,} of {len(pairs):,} pairs set a text against an option known only by its name; features of text "
        "would describe the name, so leave these judgments out or use OneHot"
    )


def default_features(preferences: Preferences, console: Console) -> Encoder:
    """Features that suit the options: of their text where they have any, of their names where they have none."""
    pairs = preferences.pairs()
    if len(pairs) == 0:
        raise InputError(
            "these judgments put no two options in order, so there is nothing to fit; "
            "if they rate options, say which aspect counts with --rating"
        )
    if pairs.options.have_text:
        console.print("features: sentence embeddings and text statistics of each option")
        return Concat([SentenceEncoder(), TextStatistics()])
    console.print("features: an indicator for each option, for they are known only by name")
    return OneHot()
