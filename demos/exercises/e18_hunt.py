"""Exercise 18: five broken programs, and the stepper alone."""

from __future__ import annotations

from typing import Any

from demos.exercises import hunt
from demos.exercises.course import Answer, Exercise, Probe, Trial, is_error


def probes(seed: int) -> list[Probe]:
    return [
        {"part": broken.name, "title": broken.name, "place": i, "seed": seed}
        for i, broken in enumerate(hunt.programs(seed))
    ]


def expected(probe: Probe) -> Answer:
    return list(hunt.key(probe["seed"])[probe["place"]])


def right(probe: Probe, answer: Answer) -> bool:
    return isinstance(answer, list) and answer == expected(probe)


def fallback(trial: Trial) -> str:
    probe, answer = trial.first
    want = expected(probe)
    if is_error(answer) or not isinstance(answer, list) or len(answer) != 3:
        return f'{probe["title"]}: a row is ("node", "cause", step), with a whole number for the step.'
    if answer[1] not in hunt.CAUSES:
        return f"{probe['title']}: {answer[1]!r} is no cause; there are {', '.join(hunt.CAUSES)}."
    said = [
        f"the {name} {'is right' if a == w else 'is not'}"
        for name, a, w in zip(("node", "cause", "step"), answer, want, strict=True)
    ]
    return (
        f"{probe['title']}: {said[0]}, {said[1]}, {said[2]}. Step through it: which number is the first that "
        "isn't what was meant?"
    )


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import hunted

    return hunted(trial)


EXERCISE = Exercise(
    name="hunt",
    idea="five broken programs, and the stepper alone",
    wanted=("HUNT",),
    probes=probes,
    expected=expected,
    right=right,
    mistakes=[],
    unit="program",
    introduces="the prompt",
    hints=(
        "Each program says what it is meant to do. Run it: python hunt1.py opens the prompt; `end`, then look at "
        "the gradients.",
        "Is a gradient 0 that shouldn't be? Is one too large, or does it begin with what is left of before? Is "
        "an edge missing? `w` and "
        "`draw` show it.",
        "The first node that is off is the one whose consumers' gradients are all as they were meant. `until s` "
        "goes to the step that "
        "completes it; its number is in the first line.",
        "A row has this form, three blanks:  (\"____\", \"dead-relu\", ____)",
    ),
    after="That is how real bugs in networks are found. Read now: whatever you like; you have been through all of it.",
    fallback=fallback,
    see=see,
    see_text="debug(E)",
)  # fmt: skip
