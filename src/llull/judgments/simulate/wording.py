"""Readable answers made of known attributes: how long, how polite, how ordered, how hedged, or refused."""

from __future__ import annotations

import numpy as np

from llull.errors import InputError
from llull.judgments.simulate.pool import Pool, lay_out

ATTRIBUTES = ("length", "politeness", "structure", "hedging", "refusal")
"""What the answers vary in. Length is (tips - 3) / 2, from -1 to 1, and -1.5 for a refusal; the others are 0 or 1."""

PHRASES = (
    ("It says more.", "It gets to the point."),
    ("It is friendly.", "It does without pleasantries."),
    ("The steps are easy to follow.", "It reads like a person talking."),
    ("It admits what it does not know.", "It is sure of itself."),
    ("It was right not to answer.", "It answers the question."),
)
"""For each attribute, why somebody preferred an option that has more of it, and one that has less."""

_SITUATIONS = (
    "",
    " on a small budget",
    " with two small children at home",
    " if I have only an hour a week",
    " for the first time",
    " without a car",
    " in a small apartment",
    " in winter",
    " when I am often tired",
    " together with a friend",
)

_TASKS: dict[str, tuple[str, str, str, str, str]] = {
    "grow tomatoes": (
        "Choose a variety that ripens early.",
        "Put the plants where they get six hours of sun.",
        "Water the soil and not the leaves.",
        "Tie the stems to a stake as they grow.",
        "Pick the fruit as soon as it is red.",
    ),
    "learn to swim": (
        "Start in water that reaches your chest.",
        "Practice breathing out under water.",
        "Hold the edge while you learn to kick.",
        "Float on your back until it feels calm.",
        "Take a course with a trained teacher.",
    ),
    "bake bread": (
        "Weigh the flour and the water.",
        "Let the dough rise until it has doubled.",
        "Fold the dough every half hour.",
        "Heat the oven well before you bake.",
        "Let the loaf cool before you cut it.",
    ),
    "sleep better": (
        "Go to bed at the same hour every night.",
        "Keep the room dark and cool.",
        "Drink no coffee after lunch.",
        "Leave the phone in another room.",
        "Get up if you lie awake for long.",
    ),
    "save money": (
        "Write down what you spend for a month.",
        "Move a fixed sum to savings on payday.",
        "Cancel what you have not used this year.",
        "Cook for several days at once.",
        "Wait a week before large purchases.",
    ),
    "train a puppy": (
        "Reward what you like at once.",
        "Keep each lesson under five minutes.",
        "Use the same word for the same thing.",
        "Take it outside after every meal.",
        "Let it meet calm dogs and people.",
    ),
    "run ten kilometers": (
        "Run slowly enough to talk.",
        "Add no more than a tenth each week.",
        "Rest on the day after a long run.",
        "Wear shoes that suit your feet.",
        "Run once a week a little faster.",
    ),
    "repair a bicycle tire": (
        "Take the wheel off and let out the air.",
        "Lift the tire with two levers.",
        "Find the hole by holding the tube in water.",
        "Roughen the rubber before you glue the patch.",
        "Check the tire for glass before you close it.",
    ),
    "prepare for an interview": (
        "Read what the company says about itself.",
        "Prepare three stories about your work.",
        "Practice aloud with somebody.",
        "Write down two questions of your own.",
        "Plan to arrive ten minutes early.",
    ),
    "learn Spanish": (
        "Learn the thousand most common words.",
        "Speak with somebody every week.",
        "Listen to radio made for learners.",
        "Write a few sentences every day.",
        "Repeat old words before new ones.",
    ),
    "plan a trip": (
        "Decide first how much you can spend.",
        "Book the longest journey before the rest.",
        "Leave one day in three without plans.",
        "Keep copies of your papers apart.",
        "Pack half of what you think you need.",
    ),
    "cook rice": (
        "Rinse the rice until the water is clear.",
        "Use a little more water than rice.",
        "Keep the lid on while it cooks.",
        "Turn off the heat while some water is left.",
        "Let it stand for ten minutes.",
    ),
    "paint a room": (
        "Wash the walls and fill the holes.",
        "Cover the floor and tape the edges.",
        "Paint the corners before the surfaces.",
        "Use two thin coats instead of a thick one.",
        "Take the tape off while the paint is wet.",
    ),
    "keep houseplants alive": (
        "Feel the soil before you water.",
        "Put them near a window but out of hot sun.",
        "Use pots with holes at the bottom.",
        "Wipe the dust off the leaves.",
        "Repot them when roots show below.",
    ),
    "study for an exam": (
        "Make a list of what can be asked.",
        "Test yourself instead of rereading.",
        "Spread the work over several weeks.",
        "Explain each topic to somebody else.",
        "Sleep well on the last night.",
    ),
    "make new friends": (
        "Join a group that meets every week.",
        "Ask people about what they enjoy.",
        "Invite somebody to a small thing.",
        "Remember names and use them.",
        "Be the one who writes first.",
    ),
    "play the guitar": (
        "Tune the strings before each session.",
        "Learn three chords and change between them.",
        "Practice slowly with a steady beat.",
        "Press the strings close to the fret.",
        "Play songs that you like early on.",
    ),
    "clean an oven": (
        "Take out the racks and soak them.",
        "Spread a paste of baking soda inside.",
        "Leave it to work overnight.",
        "Wipe it off with a damp cloth.",
        "Spray vinegar on what remains.",
    ),
    "write a speech": (
        "Decide on the one thing to remember.",
        "Begin with a short story.",
        "Use short sentences and plain words.",
        "Read it aloud and cut what drags.",
        "End with what people should do.",
    ),
    "move to another city": (
        "Give away what you have not used.",
        "Label each box with its room.",
        "Visit the new area at night and by day.",
        "Change your address with the bank early.",
        "Keep a bag with what the first night needs.",
    ),
    "make good coffee": (
        "Grind the beans just before you brew.",
        "Use water that has stopped boiling.",
        "Weigh the coffee instead of guessing.",
        "Rinse the paper filter first.",
        "Keep the beans dark and closed.",
    ),
    "start composting": (
        "Mix kitchen scraps with dry leaves.",
        "Keep the heap as damp as a sponge.",
        "Turn it every two weeks.",
        "Leave out meat and cheese.",
        "Use it when it smells of earth.",
    ),
    "photograph birds": (
        "Learn where they feed and wait there.",
        "Keep the sun behind you.",
        "Use a short exposure.",
        "Focus on the eye.",
        "Move slowly and wear dull colors.",
    ),
    "manage my time": (
        "Write down tomorrow's three main tasks.",
        "Do the hardest one first.",
        "Put similar small tasks together.",
        "Say no to meetings without a purpose.",
        "Leave gaps for what goes wrong.",
    ),
}

_WELCOMES = ("Thank you for asking!", "What a nice plan!", "I am glad you ask.", "Happy to help!")
_GOODBYES = ("I hope this helps you.", "Please ask if anything is unclear.", "Good luck with it!", "Enjoy it!")
_DOUBTS = ("I am not certain, but this may help.", "It depends on your case.", "I could be wrong about some of this.")
_CAVEATS = ("This might not suit everyone.", "Others may see it differently.", "Perhaps ask an expert as well.")
_REFUSALS = (
    "I cannot give advice on how to {task}.",
    "I would rather not say how to {task}.",
    "I can't help you {task}.",
)


def worded_options(contexts: int = 240, per_context: int = 4, *, refusals: float = 0.06, seed: int = 0) -> Pool:
    """Questions about everyday tasks, each with answers that differ in the `ATTRIBUTES`.

    Args:
        contexts: number of questions, at most 240.
        per_context: answers to each.
        refusals: share of answers that refuse.
        seed: of the wording.

    Raises:
        InputError: there are not that many questions.
    """
    generator = np.random.default_rng(seed)
    everything = [(task, situation) for situation in _SITUATIONS for task in _TASKS]
    if not 0 < contexts <= len(everything):
        raise InputError(f"there are 1 to {len(everything)} questions to choose from, not {contexts}")
    questions, attributes = [], []
    for index in sorted(generator.permutation(len(everything))[:contexts]):
        task, situation = everything[index]
        answers: list[str] = []
        # Answers to one question must differ, or the pair would be of identical options.
        while len(answers) < per_context:
            answer, described = _answer(task, situation, refusals, generator)
            if answer not in answers:
                answers.append(answer)
                attributes.append(described)
        questions.append((f"How do I {task}{situation}?", answers))
    return Pool(lay_out(questions), np.array(attributes, float), ATTRIBUTES, phrases=PHRASES)


def _answer(task: str, situation: str, refusals: float, generator: np.random.Generator) -> tuple[str, list[float]]:
    def pick(texts: tuple[str, ...]) -> str:
        return texts[generator.integers(len(texts))]

    polite, structured, hedged = (bool(said) for said in generator.random(3) < 0.5)
    if generator.random() < refusals:
        text = _to_you(pick(_REFUSALS).format(task=task))
        return (f"I am sorry. {text}" if polite else text), [-1.5, float(polite), 0.0, 0.0, 1.0]
    count = int(generator.integers(1, 6))
    tips = [_TASKS[task][i] for i in sorted(generator.permutation(5)[:count])]
    topic = _to_you(f"Here is how to {task}{situation}.")
    opening = [pick(_WELCOMES)] * polite + [pick(_DOUBTS)] * hedged + [topic]
    closing = [pick(_CAVEATS)] * hedged + [pick(_GOODBYES)] * polite
    if structured:
        body = "\n".join(f"{place}. {tip}" for place, tip in enumerate(tips, 1))
        text = "\n\n".join(part for part in (" ".join(opening), body, " ".join(closing)) if part)
    else:
        text = " ".join([*opening, *tips, *closing])
    return text, [(count - 3) / 2, float(polite), float(structured), float(hedged), 0.0]


def _to_you(text: str) -> str:
    """Turn what the asker says of themselves into what is said to them."""
    return text.replace(" my ", " your ").replace("when I am", "when you are").replace("if I have", "if you have")
