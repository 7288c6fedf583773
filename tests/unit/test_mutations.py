"""The breakages of `make mutate` still fit the code they break."""

import ast

import pytest

from tests.mutations import MUTATIONS, PROJECT, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.breaks)
def test_a_breakage_fits_once_and_leaves_python(mutation: Mutation) -> None:
    text = (PROJECT / mutation.path).read_text()

    assert ast.dump(ast.parse(mutation.applied_to(text))) != ast.dump(ast.parse(text))
