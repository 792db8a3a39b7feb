"""Exercise 11: right on paper, wrong in doubles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from demos.exercises.course import Answer, Exercise, Mistake, Probe, Trial, is_error, near
from demos.exercises.text import number

WANTED = ("tanh", "dtanh", "sigmoid", "dsigmoid", "softplus", "dsoftplus")
POINTS = (-800.0, -400.0, -40.0, -20.0, -3.1, -0.7, 0.4, 1.3, 5.2, 20.0, 40.0, 400.0, 800.0)
LEAST = 1e-300  # a truth below it is no normal double: 0 will do
# Computed to 50 digits; a test computes them anew.
TRUTH: dict[str, tuple[str, ...]] = {}
TRUTH |= {
    "tanh": (
        "-1.0",
        "-1.0",
        "-0.9999999999999999999999999999999999639029722430917",
        "-0.99999999999999999150329148941682204543855819119099",
        "-0.99594935922190023644446162169788299627955607070679",
        "-0.60436777711716346812058688551755027987715493829255",
        "0.37994896225522490426674574528972102825181983007428",
        "0.86172315931330637572728420724202810207252971418245",
        "0.99993913688619886934005615182658205433634165584427",
        "0.99999999999999999150329148941682204543855819119099",
        "0.9999999999999999999999999999999999639029722430917",
        "1.0",
        "1.0",
    ),
    "dtanh": (
        "5.3813215861026567537207853586387380160132623673251e-695",
        "1.4671498336710748853821982617043192861878536906451e-347",
        "7.2194055513816606892485134294001094240853298147572e-35",
        "1.6993417021166355836928828103801419206665762475304e-17",
        "0.0080848738654863224531403026056779027038014448380833",
        "0.63473958998245862143897379386676550631018054545073",
        "0.85563878608117768102946141416053868155318846602965",
        "0.25743319670309399924872657581781154997013103242604",
        "0.00012172252328363975050628668249152210157015473631039",
        "1.6993417021166355836928828103801419206665762475304e-17",
        "7.2194055513816606892485134294001094240853298147572e-35",
        "1.4671498336710748853821982617043192861878536906451e-347",
        "5.3813215861026567537207853586387380160132623673251e-695",
    ),
    "sigmoid": (
        "3.6678745841776872134554956542607982154696342266126e-348",
        "1.9151695967140056950198397786542643507420927762224e-174",
        "4.2483542552915889772807209044045063714347627178862e-18",
        "0.0000000020611536181902035814308621294745926907524900188693",
        "0.043107254941086118890122347189257864944981066752107",
        "0.33181222783183390331524114180251262356469745518733",
        "0.59868766011245200570393889612263167013986549343063",
        "0.78583498304255862007603715305286617208551743402941",
        "0.99451370110054959563969693474541136214042462917591",
        "0.99999999793884638180979641856913787052540730924751",
        "0.99999999999999999575164574470841102271927909559549",
        "1.0",
        "1.0",
    ),
    "dsigmoid": (
        "3.6678745841776872134554956542607982154696342266126e-348",
        "1.9151695967140056950198397786542643507420927762224e-174",
        "4.2483542552915889592322070259503548016664406188259e-18",
        "0.0000000020611536139418493436522946053928570983118810905553",
        "0.041249019512530325278737859798857321918527493202964",
        "0.22171287329310905371702780649081366008056953359531",
        "0.24026074574152914937689778153051010883552631963537",
        "0.16829836246906022610631368715675472659022290809433",
        "0.0054561994238362936422097913780757082489774203634249",
        "0.0000000020611536139418493436522946053928570983118810905553",
        "4.2483542552915889592322070259503548016664406188259e-18",
        "1.9151695967140056950198397786542643507420927762224e-174",
        "3.6678745841776872134554956542607982154696342266126e-348",
    ),
    "softplus": (
        "3.6678745841776872134554956542607982154696342266126e-348",
        "1.9151695967140056950198397786542643507420927762224e-174",
        "4.248354255291588986304977843631582181877750679823e-18",
        "0.0000000020611536203143807032389827988779152356026698753876",
        "0.044063967938573855425450365195885509867484658094808",
        "0.40318604888545790792632933357469494569268859652599",
        "0.9130152523999526369619084471619954783940434631054",
        "1.5410084538329922401660858729086421007790640969426",
        "5.2055014039096575507429662422141054019398491082893",
        "20.000000002061153620314380703238982798877915235603",
        "40.000000000000000004248354255291588986304977843632",
        "400.0",
        "800.0",
    ),
}
TRUTH["dsoftplus"] = TRUTH["sigmoid"]


def probes(seed: int) -> list[Probe]:
    return [
        {"part": part, "title": f"{part}({x:g})", "x": x, "place": i} for part in WANTED for i, x in enumerate(POINTS)
    ]


def expected(probe: Probe) -> Answer:
    return float(TRUTH[probe["part"]][probe["place"]])


def right(probe: Probe, answer: Answer) -> bool:
    return not is_error(answer) and near(answer, expected(probe), 1e-12, LEAST)


# -- the mistakes


def overflow(answer: Answer) -> bool:
    return is_error(answer, "OverflowError", "ZeroDivisionError") or (
        type(answer) is float and not math.isfinite(answer)
    )


def fails(part: str, at: Callable[[float], bool], otherwise: Callable[[Probe, Answer], bool] = right) -> dict[str, Any]:
    """Fits where this part overflows at these points, somewhere at least, and is right elsewhere."""

    def fits(probe: Probe, answer: Answer) -> bool:
        if at(probe["x"]) and overflow(answer):
            return True
        return right(probe, answer) or (probe["part"] == part and otherwise(probe, answer))

    def also(trial: Trial) -> bool:
        off = {trial.probes[i]["part"] for i in trial.wrong}
        return part in off and any(
            overflow(a) for p, a in zip(trial.probes, trial.answers, strict=True) if p["part"] == part
        )

    return {"fits": fits, "also": also}


def cancels(part: str) -> dict[str, Any]:
    """Fits where a difference near 1 has lost its digits: right to 1e-15 absolutely, and 0 far out."""

    def fits(probe: Probe, answer: Answer) -> bool:
        return probe["part"] == part and not is_error(answer) and near(answer, expected(probe), 1e-12, 1e-15)

    def also(trial: Trial) -> bool:
        pairs = zip(trial.probes, trial.answers, strict=True)
        return any(p["part"] == part and a == 0 and expected(p) > 1e-30 for p, a in pairs)

    return {"fits": fits, "also": also}


def naive_softplus(probe: Probe, answer: Answer) -> bool:
    if probe["part"] != "softplus":
        return right(probe, answer)
    return (
        right(probe, answer) or (probe["x"] > 700 and overflow(answer)) or near(answer, expected(probe), 1e-12, 3e-16)
    )


def at(part: str, x: float) -> float:
    return float(TRUTH[part][POINTS.index(x)])


def fallback(trial: Trial) -> str:
    probe, answer = trial.first
    if is_error(answer):
        return f"{probe['title']}: {answer['error']}, {answer['says']}. The true value is {number(expected(probe))}."
    true = expected(probe)
    off = (
        f"{abs(answer / true - 1):.0e} of it"
        if type(answer) is float and true and math.isfinite(answer)
        else "all of it"
    )
    return f"{probe['title']} is {true:.13g}; yours is {number(answer)}, off by {off}."


def rows(trial: Trial) -> tuple[str, list[tuple[str, str, str, str]]]:
    return "", [
        (trial.probes[i]["title"], number(trial.answers[i]), number(expected(trial.probes[i])), "")
        for i in trial.wrong[:6]
    ]


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import stepped_expression

    part = trial.first[0]["part"].removeprefix("d") if trial else "tanh"
    return stepped_expression(f"{part}(x)", {"x": 20.0 if part == "tanh" else 40.0}, both=True)


EXERCISE = Exercise(
    name="stable",
    idea="right on paper, wrong in doubles",
    wanted=WANTED,
    probes=probes,
    expected=expected,
    right=right,
    unit="value",
    introduces="math.cosh",
    mistakes=[
        Mistake(
            "tanh-exp2x",
            "e^(2x) overflows at x = 400, where tanh is 1. With e = exp(-2|x|), which is at most 1, nothing does.",
            **fails("tanh", lambda x: abs(x) > 354),
        ),
        Mistake(
            "tanh-1-z2",
            "At 20, z is 1 to 16 digits: 1 - z² has none left, and yours is 0. The slope is "
            f"{number(at('dtanh', 20.0))}: sech², "
            "which is (1/cosh x)².",
            **cancels("dtanh"),
        ),
        Mistake(
            "sig-naive",
            "exp(-x) overflows at x = -800. For x below 0, exp(x) / (1 + exp(x)) is the same function.",
            **fails("sigmoid", lambda x: abs(x) > 700),
        ),
        Mistake(
            "sig-1-s",
            "At 40, σ is 1 to 16 digits: σ·(1 - σ) is 0, and the slope is "
            f"{number(at('dsigmoid', 40.0))}. 1 - σ(x) is σ(-x), "
            "with all its digits.",
            **cancels("dsigmoid"),
        ),
        Mistake(
            "softplus-naive",
            "log(1 + e^x): e^x overflows at 800, and at -40 the 1 swallows it "
            f"({number(at('softplus', -40.0))} is right). "
            "max(x, 0) + log1p(exp(-|x|)).",
            naive_softplus,
            lambda t: "softplus" in {t.probes[i]["part"] for i in t.wrong},
        ),
    ],
    hints=(
        "A double has 16 digits. Which of them are left when two numbers of nearly equal size are subtracted?",
        "Never take exp of a large positive number, and never 1 minus what is nearly 1.",
        "tanh' = 4e/(1+e)² with e = exp(-2|x|); σ' = σ(x)·σ(-x); softplus = max(x, 0) + log1p(exp(-|x|)), and "
        "its slope is σ.",
        "For the derivative of tanh, where cosh would overflow the slope is 0:  return 0.0 if abs(x) > 350 else "
        "1 / math.cosh(x)**2",
    ),
    after="That is why the table says sech. Exercise 2's `1 - z**2` was right; this is better. Read now: the "
    "rows of tanh, sigmoid and "
    "softplus in engine/rules.py.",
    rows=rows,
    fallback=fallback,
    see=see,
    see_text='stepgrad step "tanh(x)" x=20',
)
