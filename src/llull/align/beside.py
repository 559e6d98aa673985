"""Units beside the judgments, made from them or from others: samples, calibration, rationales, segments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from llull.align.inputs import CONTEXT, Inputs, Limits, columns_for, rated, tokenized
from llull.align.segments import Segments, segment
from llull.align.training_set import MISMATCHED, TrainingSet
from llull.align.units import units_of
from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.record import Judgment, Message, text_option
from llull.judgments.views import Options
from llull.language.templates import Template
from llull.objectives import ListUnits, Objective, PairUnits, SingleUnits
from llull.objectives.axes import Kind
from llull.objectives.batch import MAIN, Units

CALIBRATION, RATIONALE = "calibration", "rationale"
WHY = "Which response is preferable, and why?"


def with_inputs(
    made: TrainingSet,
    objective: Objective,
    preferences: Preferences,
    options: Options,
    template: Template,
    limits: Limits,
    inputs: Inputs,
    seed: int,
) -> TrainingSet:
    """A training set with all that its objective reads beside the judgments.

    Mismatched options, contexts, the better options as calibration and rationales are made from the judgments
    themselves; what else an objective names has to be given.

    Raises:
        InputError: if something is needed and not given, or given and not read.
    """
    kinds = objective.beside
    unread = sorted(set(inputs.beside) - set(kinds))
    if unread:
        read = ", ".join(sorted(kinds)) or "none"
        raise InputError(f"{type(objective).__name__} reads no units {', '.join(unread)}; those it reads: {read}")
    if CONTEXT in objective.needs.columns:
        made = replace(made, columns={**made.columns, CONTEXT: torch.from_numpy(made.prompt)})
    if inputs.segments is not None:
        made = _segmented(made, options, template, inputs.segments)
    for name, kind in kinds.items():
        if name == MISMATCHED:
            continue
        if name in inputs.beside:
            made = _given(made, name, kind, inputs, objective, template, limits)
        elif name == CALIBRATION and isinstance(made.units[MAIN], PairUnits):
            made = _better_options(made, name)
        elif name == RATIONALE:
            made = _rationales(made, preferences, template, limits)
    if CONTEXT in objective.needs.columns:
        made = replace(made, columns={**made.columns, CONTEXT: torch.from_numpy(made.prompt)})
    if MISMATCHED in kinds:
        made = made.with_mismatched(seed)
    missing = sorted(set(kinds) - set(made.units))
    if missing:
        raise InputError(
            f"{type(objective).__name__} reads {', '.join(missing)} beside the judgments; give files of them: "
            + " ".join(f"--beside.{name} FILE" for name in missing)
        )
    return made


def _given(
    made: TrainingSet,
    name: str,
    kind: Kind,
    inputs: Inputs,
    objective: Objective,
    template: Template,
    limits: Limits,
) -> TrainingSet:
    preferences = inputs.beside[name]
    options, units = _named_units(preferences, kind)
    # Numbers that only the judgments have are not asked of units beside them.
    columns = {c: rated(preferences, a, required=False) for c, a in columns_for(objective, inputs).items()}
    known = {c: values for c, values in columns.items() if not bool(values.isnan().all())}
    return made.with_units(name, tokenized(options, units, template, limits, known, name))


def _named_units(preferences: Preferences, kind: Kind) -> tuple[Options, Units]:
    """Units of a kind; options that nobody judged, such as samples, are singles as they are."""
    if kind == "singles" and not len(preferences.rankings()) and "accept" not in preferences.ratings().aspects:
        options = preferences.options()
        return options, SingleUnits.of(torch.arange(len(options)))
    return units_of(preferences, kind)


def _better_options(made: TrainingSet, name: str) -> TrainingSet:
    main = made.units[MAIN]
    assert isinstance(main, PairUnits)
    units = SingleUnits.of(main.chosen, weight=main.weight)
    note = f"the better options stand for the samples of {name}; to give others: --beside.{name} FILE"
    return replace(
        made,
        units={**made.units, name: units},
        beside={**made.beside, name: torch.arange(len(main))},
        notes=(*made.notes, note),
    )


def _rationales(made: TrainingSet, preferences: Preferences, template: Template, limits: Limits) -> TrainingSet:
    asked = [one for judgment in preferences if (one := _asked_why(judgment)) is not None]
    if not asked:
        raise InputError(
            "these judgments give no reasons, and the objective learns from them; take data with rationales, or give "
            f"reasons as accepted options: --beside.{RATIONALE} FILE"
        )
    written = Preferences.from_judgments(asked)
    options = written.options()
    units = SingleUnits.of(torch.arange(len(options)))
    return made.with_units(RATIONALE, tokenized(options, units, template, limits, {}, "rationales"))


def _asked_why(judgment: Judgment) -> Judgment | None:
    """The question why the preferred option is the better one, with the rationale as its answer."""
    if not judgment.rationale or not judgment.rationale.strip() or len(judgment.ranking) < 2:
        return None
    best, worst = judgment.ranking[0][0], judgment.ranking[-1][0]
    # In the order in which they were shown, or in that of the record, so that the place says nothing of the verdict.
    order = [index for index in (judgment.shown or range(len(judgment.options))) if index in (best, worst)]
    said = [f"Response {'AB'[place]}:\n{judgment.options[index].text}" for place, index in enumerate(order)]
    named = "AB"[order.index(best)]
    asked = [*judgment.context, Message("user", "\n\n".join([*said, WHY]))]
    answer = text_option(f"Response {named} is preferable. {judgment.rationale.strip()}")
    return Judgment(options=[answer], context=asked, verdict="cannot_judge")


def _segmented(made: TrainingSet, options: Options, template: Template, how: Segments) -> TrainingSet:
    main = made.units[MAIN]
    best = np.full(int(options.context.max()) + 1, -1, np.int64)
    if isinstance(main, PairUnits):
        leaders, rivals = main.chosen.numpy(), torch.stack([main.chosen, main.rejected], dim=1).numpy()
    elif isinstance(main, ListUnits):
        leaders = main.option[:, 0].numpy()
        others = main.option[:, 1:].numpy()
        pairs = np.stack([np.repeat(leaders, others.shape[1]), others.ravel()], axis=1)
        rivals = pairs[pairs[:, 1] >= 0]
    elif how.worth in ("cosine", "changed"):
        raise InputError(
            f"segments.worth {how.worth} compares options, and this objective reads them one by one; give worths, or "
            "say none"
        )
    else:
        leaders, rivals = np.zeros(0, np.int64), np.zeros((0, 2), np.int64)
    best[options.context[leaders[::-1]]] = leaders[::-1]
    found = segment(options, template, made.options, best, rivals, how)
    inside: dict[str, tuple[np.ndarray, ...]] = {"step": found.step}
    if found.weight is not None:
        inside["weight"] = found.weight
    return replace(made, inside={**made.inside, **inside})
