"""Mutation testing: does a test fail when one operator, comparison or number of the library is another one?

    python -m benchmarks.mutation vae_tf/analysis/permutation.py            # every mutant
    python -m benchmarks.mutation vae_tf/artifacts/run.py --most 60 --seed 1    # 60 of them, drawn at random
    python -m benchmarks.mutation --all --most 60

Each mutant is run in a child of a process that has imported TensorFlow already, with the tests that `TESTS` names, up
to the first that fails. One that outlasts four times the time that the tests took before counts as killed. Survivors
are printed as one line: place, what stood there, what stood there instead. Many are equal to the original in what they
do (a cap that is never reached, a seed); the others want a test.
"""

import argparse
import ast
import contextlib
import copy
import importlib.abc
import importlib.util
import io
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
OBJECTIVES = ("tests/test_objectives.py",)
TESTS = {
    "vae_tf/distributions.py": ("tests/test_distributions.py", "tests/test_likelihoods.py", "tests/test_priors.py",
                                "tests/test_posteriors.py"),
    "vae_tf/parts/objectives/base.py": OBJECTIVES,
    "vae_tf/parts/objectives/divergence.py": (*OBJECTIVES, "tests/test_printed_losses.py"),
    "vae_tf/parts/objectives/aggregate.py": OBJECTIVES,
    "vae_tf/parts/objectives/autoencoder.py": OBJECTIVES,
    "vae_tf/parts/objectives/importance.py": OBJECTIVES,
    "vae_tf/data/splits.py": ("tests/data/test_splits.py",),
    "vae_tf/analysis/permutation.py": ("tests/analysis/test_permutation.py", "tests/analysis/test_power.py"),
    "vae_tf/analysis/mixed_design.py": ("tests/analysis/test_permutation.py",),
    "vae_tf/analysis/conformal.py": ("tests/analysis/test_conformal.py",),
    "vae_tf/analysis/association.py": ("tests/analysis/test_association.py",),
    "vae_tf/analysis/agreement.py": ("tests/analysis/test_agreement.py",),
    "vae_tf/analysis/correlation.py": ("tests/analysis/test_correlation.py",),
    "vae_tf/analysis/ranking.py": ("tests/analysis/test_ranking.py",),
    "vae_tf/analysis/separation.py": ("tests/analysis/test_separation.py",),
    "vae_tf/evaluation/paired.py": ("tests/evaluation/test_paired.py",),
    **dict.fromkeys(
        (f"vae_tf/artifacts/{name}.py" for name in ("run", "runs", "stage", "publishing")),
        ("tests/test_artifacts.py", "tests/test_mirror.py"),
    ),
    **dict.fromkeys(
        (f"vae_tf/artifacts/{name}.py" for name in ("hashes", "json_files", "npz_files")),
        ("tests/test_artifacts.py", "tests/test_strangers.py"),
    ),
}  # fmt: skip
COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
LOGIC = {ast.And: ast.Or, ast.Or: ast.And}


def places(tree: ast.AST) -> Iterator[tuple[ast.AST, int]]:
    """Every (node, which of its mutants); in the order of `ast.walk`, which is the same for a copy."""
    left_alone = set()
    for node in ast.walk(tree):
        for field in ("annotation", "returns"):
            if (found := getattr(node, field, None)) is not None:
                left_alone |= set(map(id, ast.walk(found)))
        for decorator in getattr(node, "decorator_list", ()):
            left_alone |= set(map(id, ast.walk(decorator)))
    for node in ast.walk(tree):
        if id(node) in left_alone:
            continue
        if isinstance(node, ast.Compare):
            yield from ((node, i) for i, operator in enumerate(node.ops) if type(operator) in COMPARISONS)
        elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in ARITHMETIC:
            if not any(isinstance(side, ast.JoinedStr) for side in ast.iter_child_nodes(node)):
                yield node, 0
        elif (
            isinstance(node, ast.BoolOp)
            or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub))
            or (isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float))
            or isinstance(node, ast.If | ast.IfExp | ast.While)
        ):
            yield node, 0


def change(node: ast.AST, which: int) -> None:
    match node:
        case ast.Compare():
            node.ops[which] = COMPARISONS[type(node.ops[which])]()
        case ast.BinOp() | ast.AugAssign():
            node.op = ARITHMETIC[type(node.op)]()
        case ast.BoolOp():
            node.op = LOGIC[type(node.op)]()
        case ast.UnaryOp(op=ast.USub()):
            node.op = ast.UAdd()
        case ast.UnaryOp():
            # `not x` becomes `not not x`.
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant():
            node.value = node.value + 1
        case ast.If() | ast.IfExp() | ast.While():
            node.test = ast.UnaryOp(ast.Not(), node.test)


class Mutants:
    """The mutants of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text())

    def __len__(self) -> int:
        return sum(1 for _ in places(self.tree))

    def make(self, index: int) -> tuple[ast.Module, str]:
        """The changed module, and a line that says what was changed."""
        tree = copy.deepcopy(self.tree)
        node, which = list(places(tree))[index]
        before, line = shown(node), getattr(node, "lineno", 0)
        change(node, which)
        ast.fix_missing_locations(tree)
        return tree, f"{self.path.relative_to(ROOT)}:{line}: {before}  →  {shown(node)}"


def shown(node: ast.AST) -> str:
    if isinstance(node, ast.If | ast.While):
        return f"if {ast.unparse(node.test)}"
    return ast.unparse(node)[:100]


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a changed tree."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self.name, self.path, self.tree = name, path, tree

    def find_spec(self, name: str, path: object, target: object = None) -> object:
        if name != self.name:
            return None
        return importlib.util.spec_from_loader(name, self, origin=str(self.path), is_package=False)

    def exec_module(self, module: object) -> None:
        module.__file__ = str(self.path)  # type: ignore[attr-defined]
        exec(compile(self.tree, str(self.path), "exec"), vars(module))


def warm_up() -> None:
    """Imports what is dear and is never changed, and runs nothing: a process that has begun to compute cannot fork."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    import hypothesis.extra.numpy
    import keras
    import pandas
    import pydantic
    import pytest
    import scipy.stats
    import sklearn.cluster
    import sklearn.linear_model
    import tensorflow

    _ = (hypothesis, keras, pandas, pydantic, pytest, scipy, sklearn, tensorflow)


def run(path: Path, tree: ast.Module | None, tests: tuple[str, ...], seconds: float) -> tuple[bool, float]:
    """Whether all tests pass, and how long they took; in a child process, which is ended after `seconds`."""
    began = time.monotonic()
    child = os.fork()
    if not child:
        os.setsid()
        code = 1
        try:
            code = run_tests(path, tree, tests)
        finally:
            os._exit(code)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        took = time.monotonic() - began
        if done:
            return os.waitstatus_to_exitcode(status) == 0, took
        if took > seconds:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False, took
        time.sleep(0.02)


def run_tests(path: Path, tree: ast.Module | None, tests: tuple[str, ...]) -> int:
    import pytest

    if tree is not None:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        sys.meta_path.insert(0, Finder(name.removesuffix(".__init__"), path, tree))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]))


def test_file(text: str, most: int, seed: int) -> tuple[int, int, list[str]]:
    """(mutants run, mutants there are, survivors) of one file."""
    path, tests = ROOT / text, TESTS[text]
    mutants = Mutants(path)
    passes, took = run(path, None, tests, 600)
    if not passes:
        raise SystemExit(f"{text}: {' '.join(tests)} fail without any change.")
    chosen = sorted(random.Random(seed).sample(range(len(mutants)), min(most, len(mutants))))
    survivors = []
    for index in chosen:
        tree, what = mutants.make(index)
        if run(path, tree, tests, 10 + 4 * took)[0]:
            survivors.append(what)
            print(f"  survived {what}", flush=True)
    killed = len(chosen) - len(survivors)
    print(
        f"{text}: {killed} of {len(chosen)} killed ({len(mutants)} there are; tests take {took:.1f} s)",
        flush=True,
    )
    return len(chosen), len(mutants), survivors


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", help="of the library, as `TESTS` names them")
    parser.add_argument("--all", action="store_true", help="every file that TESTS names")
    parser.add_argument("--most", type=int, default=10**9, help="mutants of each file, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    os.chdir(ROOT)
    warm_up()
    results = [
        test_file(text, arguments.most, arguments.seed)
        for text in (list(TESTS) if arguments.all else arguments.files)
    ]
    num, there, survived = (sum(each) for each in zip(*((a, b, len(c)) for a, b, c in results), strict=True))
    print(f"{num - survived} of {num} mutants killed, {survived} survived; {there} there are")


if __name__ == "__main__":
    main()
