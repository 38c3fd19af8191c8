from benchmarks.trees import cost

ROWS = [
    {
        "kind": kind,
        "num_categories": num_categories,
        "branching": branching,
        "milliseconds": [1.0, 2.0, 3.0, 4.0],
        "peak_mebibytes": 50.0 + number,
        "table_mebibytes": 25.0 if kind == "tree" else 0,
    }
    for number, (kind, num_categories, branching) in enumerate(
        [("dense", 100, None), ("tree", 10_000, [20, 20, 25]), ("digits", 10**9, [1000] * 3)]
    )
]


def test_table():
    table = cost.markdown(ROWS)
    assert (
        "| tree, a table of K rows | 10 000 | 20 x 20 x 25 | 2.50 | 1.25 to 3.75 | 51 | 25 | 75 |"
        in table
    )


def test_picture(tmp_path):
    cost.draw(ROWS, str(tmp_path / "picture.png"))
    assert (tmp_path / "picture.png").stat().st_size > 1000


def test_every_case_has_a_branching():
    """Its number of categories must have prime factors of at most 64."""
    from tf_discrete import distributions

    for kind, num_categories in cost.CASES:
        assert kind in cost.NAMES
        distributions.balanced_branching(num_categories)


def test_the_record_says_how_it_was_made():
    record = {
        "rows": ROWS,
        "settings": {"batch_size": 100},
        "provenance": {"processor": "P", "cores": 2, "date": "2026-11-30", "commit": None},
    }
    assert cost.table(record).endswith(
        "Batches of 100; P, 2 cores; 2026-11-30, commit not kept. "
        "Command: `python -m benchmarks.trees.cost`.\n"
    )
