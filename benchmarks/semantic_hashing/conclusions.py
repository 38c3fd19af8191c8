"""What the slides conclude of Gumbel-Softmax and semantic hashing, judged by the cells of the study.

Every conclusion has one number, computed within each seed, and a bound. It is confirmed if the mean over
the seeds is above the bound by more than two standard errors, not confirmed if it is below by as many, and
not decided in between, or if a cell that it needs is missing or has diverged in every seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

NAMES = {"gumbel_softmax": "Gumbel-Softmax", "semantic_hashing": "semantic hashing"}
GUMBEL, HASHING = NAMES

COMPARABLE = 0.1
"""Errors that differ by less than this share of the smaller one are comparable."""
STANDARD_ERRORS = 2.0
SMALL = 32
"""Variables of the largest code that the slides call best for samples."""

Code = tuple[str, int, int]
"""Method, variables, categories."""
Numbers = dict[str, float]


class Trial(NamedTuple):
    """The finished cells of one seed.

    Attributes:
        usual: those with the study's own hyper-parameters.
        tried: the comparison of hyper-parameters, by method and setting.
        codes: all that the study has; a KeyError tells of one that this seed lacks.
        settings: the same for `tried`.
        laws: of the samples.
    """

    usual: dict[Code, dict[str, Any]]
    tried: dict[tuple[str, Any], dict[str, Any]]
    codes: list[Code]
    settings: list[tuple[str, Any]]
    laws: list[str]

    def error(self, code: Code) -> float:
        return self.usual[code]["reconstruction_nats"]

    def score(self, code: Code, law: str) -> float:
        return self.usual[code]["generation"][law]["inception_score"]

    def shared(self) -> list[int]:
        """Numbers of binary variables that both methods have been trained with."""
        of = {m: {n for method, n, k in self.codes if (method, k) == (m, 2)} for m in NAMES}
        return sorted(of[GUMBEL] & of[HASHING])


class Conclusion(NamedTuple):
    """One statement of the slides.

    Attributes:
        claim: in a sentence.
        rule: what is measured.
        measure: a seed's cells -> the number and those that it is made of; None where it has no cells to
            look at.
        bound: what the number must be above.
    """

    claim: str
    rule: str
    measure: Callable[[Trial], tuple[float, Numbers] | None]
    bound: float = 0.0


class Verdict(NamedTuple):
    """What has become of a conclusion.

    Attributes:
        conclusion: the conclusion.
        word: "confirmed", "not confirmed" or "not decided".
        values: of the number, one a seed.
        numbers: what it is made of, means over the seeds.
    """

    conclusion: Conclusion
    word: str
    values: list[float]
    numbers: Numbers


def judge(
    usual: Sequence[dict[str, Any]], tried: Sequence[dict[str, Any]], laws: Sequence[str]
) -> list[Verdict]:
    """A verdict on each conclusion.

    Args:
        usual: finished and diverged cells with the study's own hyper-parameters.
        tried: those of the comparison of hyper-parameters.
        laws: of the samples.
    """
    codes = sorted({_code(cell) for cell in usual})
    settings = sorted({_setting(cell) for cell in tried})
    trials = [
        Trial(
            {_code(cell): cell for cell in usual if _counts(cell, seed)},
            {_setting(cell): cell for cell in tried if _counts(cell, seed)},
            *(codes, settings, list(laws)),
        )
        for seed in sorted({cell["seed"] for cell in (*usual, *tried)})
    ]
    return [_judge(conclusion, trials) for conclusion in conclusions(laws)]


def conclusions(laws: Sequence[str]) -> list[Conclusion]:
    """Those of the slides; what they say of samples, for each law of the samples."""
    share = f"{100 * COMPARABLE:.0f} %"
    found = [
        Conclusion(
            "The two are comparable overall.",
            f"{share} less the difference of the errors at equal bits (binary codes, share of the smaller "
            "error, mean over the sizes) is positive.",
            _comparable,
        )
    ]
    for law in laws:
        found.append(
            Conclusion(
                f"Gumbel-Softmax is better at sampling ({law}).",
                "The inception score of Gumbel-Softmax less that of semantic hashing (binary codes, mean "
                "over the sizes) is positive.",
                lambda trial, law=law: _sampling(trial, law),
            )
        )
    found += [
        Conclusion(
            "Semantic hashing scales better with the number of variables.",
            "What semantic hashing gains in error from the fewest to the most binary variables, less what "
            "Gumbel-Softmax gains, is positive (nats).",
            _scaling,
        ),
        Conclusion(
            "Gumbel-Softmax is sensitive to the number of categories.",
            "The difference of its errors with more than two categories and with two, at bits that differ by "
            f"at most {share} (share of the smaller error, mean over the sizes), is above {share}.",
            _categories,
            COMPARABLE,
        ),
        Conclusion(
            "Sampling is best with binary variables and the recurrent prior.",
            f"The best inception score of LSTM samples of binary codes with at most {SMALL} variables, less "
            "the best of all other codes and laws, is positive.",
            _best_samples,
        ),
    ]
    for name, read in _outcomes(laws).items():
        found.append(
            Conclusion(
                f"Semantic hashing has fewer hyper-parameters to tune ({name}).",
                "The standard deviation over the temperatures of Gumbel-Softmax, less that over the noise of "
                "semantic hashing, is positive. (More settings do not make it larger by themselves.)",
                lambda trial, read=read: _deviations(trial, read),
            )
        )
    return found


def write(verdicts: Sequence[Verdict]) -> str:
    """The verdicts, each with its rule and the numbers that it used."""
    seeds = max((len(verdict.values) for verdict in verdicts), default=0)
    lines = [
        "What the slides conclude, judged by these cells. A number is computed within each seed; "
        f"*confirmed*: its mean is above the bound by more than {STANDARD_ERRORS:g} standard errors; *not "
        "confirmed*: below by as many; *not decided*: in between, or cells are missing.\n",
    ]
    if seeds < 2:
        lines.append(
            "**There is one seed. How far seeds lie apart is unknown and counted as 0: each verdict tells "
            "the sign only.**\n"
        )
    for number, verdict in enumerate(verdicts, 1):
        word = verdict.word + (", by one seed" if len(verdict.values) == 1 else "")
        claim, rule, _, bound = verdict.conclusion
        used = "; ".join(f"{name} {value:.2f}" for name, value in verdict.numbers.items())
        found = "No seed has the cells that it takes."
        if verdict.values:
            found = f"Number: {number_text(verdict.values)}, bound {bound:g}. Of: {used}."
        lines.append(f"{number}. {claim} **{word}**. {rule} {found}\n")
    return "\n".join(lines)


def number_text(values: Sequence[float]) -> str:
    """Mean and standard error over seeds."""
    if len(values) < 2:
        return f"{values[0]:.3f}"
    return f"{np.mean(values):.3f} +- {standard_error(values):.3f} ({len(values)} seeds)"


def standard_error(values: Sequence[float]) -> float:
    """Of the mean; 0 for a single value, whose spread is unknown."""
    return float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def _judge(conclusion: Conclusion, trials: Sequence[Trial]) -> Verdict:
    values, numbers = [], []
    for trial in trials:
        try:
            found = conclusion.measure(trial)
        except KeyError:  # This seed lacks a cell.
            continue
        if found is not None:
            values.append(found[0])
            numbers.append(found[1])
    word = "not decided"
    if values:
        above, slack = np.mean(values) - conclusion.bound, STANDARD_ERRORS * standard_error(values)
        if abs(above) > slack:
            word = "confirmed" if above > 0 else "not confirmed"
    keys = numbers[0] if numbers else {}
    means = {key: float(np.mean([some[key] for some in numbers if key in some])) for key in keys}
    return Verdict(conclusion, word, values, means)


def _comparable(trial: Trial) -> tuple[float, Numbers] | None:
    pairs = [((GUMBEL, size, 2), (HASHING, size, 2)) for size in trial.shared()]
    if not pairs:
        return None
    shares = [_share(trial.error(one), trial.error(other)) for one, other in pairs]
    return COMPARABLE - float(np.mean(shares)), _errors(trial, pairs)


def _sampling(trial: Trial, law: str) -> tuple[float, Numbers] | None:
    if not trial.shared():
        return None
    codes = [(method, size, 2) for size in trial.shared() for method in (GUMBEL, HASHING)]
    numbers = {_name(code): trial.score(code, law) for code in codes}
    scores = np.array(list(numbers.values())).reshape(-1, 2)
    return float((scores[:, 0] - scores[:, 1]).mean()), numbers


def _scaling(trial: Trial) -> tuple[float, Numbers] | None:
    if len(trial.shared()) < 2:
        return None
    ends = (trial.shared()[0], trial.shared()[-1])
    fewest, most = [[(method, size, 2) for method in (HASHING, GUMBEL)] for size in ends]
    hashing, gumbel = (
        trial.error(one) - trial.error(other) for one, other in zip(fewest, most, strict=True)
    )
    return hashing - gumbel, _errors(trial, (fewest, most))


def _categories(trial: Trial) -> tuple[float, Numbers] | None:
    pairs = []
    for _, size, categories in (code for code in trial.codes if code[0] == GUMBEL and code[2] > 2):
        bits = size * math.log2(categories)
        binary = [n for method, n, k in trial.codes if (method, k) == (GUMBEL, 2)]
        near = [n for n in binary if abs(n - bits) <= COMPARABLE * bits]
        if near:
            nearest = min(near, key=lambda n: abs(n - bits))
            pairs.append(((GUMBEL, size, categories), (GUMBEL, nearest, 2)))
    if not pairs:
        return None
    shares = [_share(trial.error(one), trial.error(other)) for one, other in pairs]
    return float(np.mean(shares)), _errors(trial, pairs)


def _best_samples(trial: Trial) -> tuple[float, Numbers] | None:
    scores = {(code, law): trial.score(code, law) for code in trial.codes for law in trial.laws}
    praised = {key for key in scores if key[0][2] == 2 and key[0][1] <= SMALL and key[1] == "lstm"}
    if not praised or praised == set(scores):
        return None
    ours = max(praised, key=lambda key: scores[key])
    best = max(scores.keys() - praised, key=lambda key: scores[key])
    numbers = {f"{_name(code)} ({law})": scores[code, law] for code, law in (ours, best)}
    return scores[ours] - scores[best], numbers


def _outcomes(laws: Sequence[str]) -> dict[str, Callable[[dict[str, Any]], float]]:
    """What hyper-parameters may move: the error, and the score under each law."""
    return {
        "error": lambda cell: cell["reconstruction_nats"],
        **{
            f"inception score, {law}": lambda cell, law=law: cell["generation"][law][
                "inception_score"
            ]
            for law in laws
        },
    }


def _deviations(
    trial: Trial, read: Callable[[dict[str, Any]], float]
) -> tuple[float, Numbers] | None:
    numbers: Numbers = {}
    deviations = []
    for method in (GUMBEL, HASHING):
        values = [read(trial.tried[key]) for key in trial.settings if key[0] == method]
        if len(values) < 2:
            return None
        name = f"{NAMES[method]}, {len(values)} settings"
        numbers |= {f"least of {name}": min(values), f"most of {name}": max(values)}
        deviations.append(float(np.std(values, ddof=1)))
    return deviations[0] - deviations[1], numbers


def _errors(trial: Trial, groups: Sequence[Sequence[Code]]) -> Numbers:
    return {_name(code): trial.error(code) for group in groups for code in group}


def _share(one: float, other: float) -> float:
    return abs(one - other) / min(one, other)


def _name(code: Code) -> str:
    return f"{NAMES[code[0]]} {code[1]} x {code[2]}"


def _code(cell: dict[str, Any]) -> Code:
    return cell["method"], cell["num_variables"], cell["num_categories"]


def _setting(cell: dict[str, Any]) -> tuple[str, Any]:
    return cell["method"], tuple(sorted(cell["settings"].items()))


def _counts(cell: dict[str, Any], seed: int) -> bool:
    return cell["seed"] == seed and cell["status"] == "finished"
