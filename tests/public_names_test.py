"""What the package offers: `dir` lists what is public, and everything else is private by its name."""

import tf_discrete


def test_dir_is_what_is_public():
    assert dir(tf_discrete) == sorted(tf_discrete.__all__)
    assert len(set(tf_discrete.__all__)) == len(tf_discrete.__all__)


def test_whatever_is_not_public_is_private_by_its_name():
    others = set(vars(tf_discrete)) - set(tf_discrete.__all__)
    assert {name for name in others if not name.startswith("_")} == set()


def test_every_public_name_is_there():
    for name in tf_discrete.__all__:
        assert getattr(tf_discrete, name) is not None
