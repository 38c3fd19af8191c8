"""One word for each idea: no text of the project uses a word that another one stands for.

The texts are the docstrings, comments, messages and help texts of the Python files, and the documents.
Code in them, in backticks or fences, is not language.
"""

from __future__ import annotations

import ast
import io
import json
import pathlib
import re
import tokenize
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

RULES = (
    # (banned, what to write, a text with it)
    (r"laws?", "distribution, posterior, prior", "the law of the codes"),
    (r"shall", "must, may or the present tense", "a log that shall show it"),
    (r"mend(?:s|ed|ing)?", "fix", "Mend the file."),
    (r"side by side", "concatenated, or in a row", "logits side by side"),
    (r"so long as", "as long as, until", "so long as it runs"),
    (r"so (?:many|much)", "n, or the number by name", "up to so many pixels"),
    (r"by heart", "memorised, overfits", "labels learned by heart"),
    (r"read right", "classifier accuracy on reconstructions", "images read right"),
    (r"two times None|gives? none", "returns None", "The networks, or two times None."),
    (r"hard draws?", "one-hot sample", "the bound of one hard draw"),
    (r"hard (?:paths?|looks?)", "discrete path, discrete ELBO", "the hard path"),
    (r"hard (?:elbos?|bounds?)", "discrete ELBO", "the hard ELBO"),
    (r"puts? out", "returns", "the encoder puts out logits"),
    (r"hand(?:s|ed)? over", "takes a batch from, is given", "as fit hands over"),
    (r"kin", "variants, related methods", "Gumbel-Softmax and its kin"),
    (r"(?:is|are|be|then|has) none of|says? nothing of", "say what holds", "it is none of those"),
    (
        r"look(?:s|ed|ing)? at|(?:two|its|a|costs) looks?",
        "evaluate, read",
        "steps between two looks",
    ),
    (r"dear|cheap(?:er|est|ly)?", "fast, slow, inexpensive, or the time", "a cheap f"),
    (r"beside", "next to, compared with, in addition to", "ours beside the paper's"),
    (
        r"kept (?:(?:run|result|comparison|bound|sweep|record|row|number)s?|for a)"
        r"|(?:run|result)s?(?: that)? (?:is|are|was|were) (?:not )?kept",
        "recorded, saved",
        "the kept runs",
    ),
    (
        r"(?:probable|hard|discrete|its|(?:reads?|for|of) a) choices?",
        "most probable code, one-hot sample, discrete value",
        "the most probable choice",
    ),
    (r"walls?(?![- ]clock)|rooms?", "module, boundary; space", "a wall between packages"),
    (
        r"what is drawn|(?:soft|relaxed|one-hot|discrete|opposite|reparameterised) draws?",
        "sample, relaxed sample, one-hot sample",
        "a soft draw",
    ),
)


def _flat(text: str) -> str:
    """Text without code in backticks and line breaks."""
    text = re.sub(r"``[^`]*``|`[^`]*`", "`code`", text)
    return re.sub(r"\s+", " ", text).strip()


def python_texts(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each docstring, message and comment; strings of one word are names."""
    nodes = list(ast.walk(ast.parse(source)))
    joined = [node for node in nodes if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in joined for part in node.values}
    for node in joined:
        yield node.lineno, _flat("".join(p.value if _is_text(p) else "x" for p in node.values))
    for node in nodes:
        if _is_text(node) and id(node) not in parts and re.search(r"\s", node.value):
            yield node.lineno, _flat(node.value)
    start, block = 0, []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            start = start if block else token.start[0]
            block.append(token.string.lstrip("#"))
        elif token.type != tokenize.NL and block:
            yield start, _flat("".join(block))
            block = []


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def markdown_texts(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each paragraph and each row of a table."""
    source = re.sub(r"^```.*?^```", lambda m: "\n" * m[0].count("\n"), source, flags=re.M | re.S)
    line = 1
    for block in re.split(r"(\n(?=\s*\n|\|))", source):
        lead = len(block) - len(block.lstrip("\n"))
        yield line + lead, _flat(block)
        line += block.count("\n")


def notebook_texts(source: str) -> Iterator[tuple[int, str]]:
    """Number and text of each paragraph of the cells that are not code."""
    for cell in json.loads(source)["cells"]:
        if cell["cell_type"] == "markdown":
            yield from markdown_texts("".join(cell["source"]))


_TEXTS = {".py": python_texts, ".ipynb": notebook_texts}


def complaints(text: str) -> list[str]:
    """Returns each banned word of a text, with what to write in its place."""
    return [
        f"{match[0]!r}, write: {better}"
        for banned, better, _ in RULES
        for match in re.finditer(rf"\b(?:{banned})\b", text, re.IGNORECASE)
    ]


def _files() -> list[pathlib.Path]:
    folders = ("tf_discrete", "trainers", "tests", "tools", "benchmarks", "examples", "docs")
    paths = [path for path in ROOT.iterdir() if path.is_file()]
    paths += [path for folder in folders for path in (ROOT / folder).glob("**/*")]
    suffixes = (".py", ".md", ".ipynb", ".txt", ".toml")
    named = [path for path in paths if path.suffix in suffixes or path.name == "Makefile"]
    return sorted(path for path in named if path != pathlib.Path(__file__).resolve())


def test_every_text_uses_the_words_of_the_project():
    paths = _files()
    assert len([path for path in paths if path.suffix == ".py"]) > 200
    assert len([path for path in paths if path.suffix == ".md"]) > 10
    found = []
    for path in paths:
        texts = _TEXTS.get(path.suffix, markdown_texts)
        found += [
            f"{path.relative_to(ROOT)}:{line}: {complaint}"
            for line, text in texts(path.read_text())
            for complaint in complaints(text)
        ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule[2])
def test_a_bad_text_is_refused_wherever_it_stands(rule):
    _, better, bad = rule
    split = bad.replace(" ", "\n    ")
    commented = bad.replace(" ", "\n# ")
    sources = (
        f'"""A module.\n\n    Mentions {split}.\n    """\n',
        f'def f(x):\n    raise ValueError(f"Here {bad}. Received: x={{x}}")\n',
        f'x = option(1, "Here "\n    "{bad}.", lower=0)\n',
        f"x = 1\n# Here {commented}.\ny = 2\n",
        f"x = 1  # Here {bad}.\n",
    )
    for source in sources:
        found = [line for _, text in python_texts(source) for line in complaints(text)]
        assert len(found) == 1 and better in found[0], (source, found)
    for source in (
        f"# A title\n\nSee\n{split} there.\n",
        f"| a | b |\n| --- | --- |\n| 1 | {bad} |\n",
    ):
        found = [line for _, text in markdown_texts(source) for line in complaints(text)]
        assert len(found) == 1 and better in found[0], (source, found)


@pytest.mark.parametrize(
    "text",
    [
        "A flaw in the wall-clock time, at most a classroom or a bedside.",
        "Look up a name. It shows what an image looks like.",
        "The last good checkpoint is kept. The choice of an estimator matters.",
        "`law` is `distribution`, and ``shall`` is code.",
    ],
)
def test_other_words_are_allowed(text):
    assert not [line for _, flat in markdown_texts(text) for line in complaints(flat)]


def summaries(source: str) -> Iterator[tuple[int, str]]:
    """Line and first line of each string that stands alone: docstrings, and those of constants."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and _is_text(node.value):
            yield node.lineno, node.value.value.strip().split("\n")[0]


def is_a_phrase(summary: str) -> bool:
    """Whether a summary line is a noun or verb phrase, and not a question or a rest of one."""
    return not re.match(r"(?:What|Of) ", summary)


def test_summary_lines_are_phrases():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {summary}"
        for folder in ("tf_discrete", "trainers", "benchmarks", "tools", "examples")
        for path in sorted((ROOT / folder).glob("**/*.py"))
        for line, summary in summaries(path.read_text())
        if not is_a_phrase(summary)
    ]
    assert not found, "\n" + "\n".join(found)
    bad = 'def f():\n    """What f gives.\n\n    Text.\n    """\n\n\nX = 1\n"""Of f."""\n'
    assert [is_a_phrase(summary) for _, summary in summaries(bad)] == [False, False]
    assert is_a_phrase("Returns what a file must be.")


def test_code_is_not_language():
    assert not [x for _, x in markdown_texts("```python\nlaw = 1\n```\n") if complaints(x)]
    assert not [x for _, x in python_texts('law = x["law"]\nraise E(f"{law}")\n') if complaints(x)]


def test_lines_are_those_of_the_file():
    assert [
        line for line, text in markdown_texts("a\n\nb\nlaw\n\n| a |\n| law |\n") if "law" in text
    ] == [3, 7]
    assert [line for line, text in python_texts("x = 1\n# a\n# law\n") if "law" in text] == [2]
