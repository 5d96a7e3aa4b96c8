"""Runs side by side, and the sweep that makes them."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import cli
from pipelines import compare, text_comparison
from pipelines.compare import folder_name
from pipelines.comparison import Row, answer, by_elbo, by_error, cautions, mark
from pipelines.sweep import variants
from tests.pipelines.bars import QUICK, write_pictures
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import all_runs
from vae_tf.config import Config, DataConfig
from vae_tf.errors import UserError


class Scored(Row):
    """A row whose name, pictures and unit are given."""

    @property
    def name(self):
        return self.run

    @property
    def same_pictures(self):
        return self.headline


def row(name, pictures, unit, mse, elbo, seed=0):
    """Twenty pictures of errors about `mse`; what makes one picture harder than another is shared by all runs."""
    hard = np.random.default_rng(0).uniform(0.5, 1.5, 20)
    noise = np.random.default_rng(seed).normal(size=(2, 20))
    each = {"mse": hard * mse * (1 + 0.01 * noise[0])}
    if elbo is not None:
        each["elbo"] = elbo + 100 * hard + noise[1]
    scores = {"elbo": elbo}
    return Scored(name, "test", scores, unit, (pictures,), each, np.full(20, -1))


def test_nothing_is_ranked_that_cannot_be_compared():
    rows = [
        row("a", "x", "density", 0.2, 900.0),
        row("b", "x", "mass", 0.1, -80.0, 1),
        row("c", "y", "density", 0.01, 950.0, 2),
    ]
    assert [mark(r, by_error(rows)) for r in rows] == ["", " *", ""]
    assert by_elbo(rows) == []
    assert len(cautions(rows)) == 4 and "density" in cautions(rows)[3]
    alike = [row("a", "x", "density", 0.2, 900.0), row("b", "x", "density", 0.3, 950.0, 1)]
    alike.append(row("c", "x", "density", 0.1, None, 2))
    assert [mark(r, by_elbo(alike)) for r in alike] == ["", " *", ""]
    assert len(cautions(alike)) == 2
    assert answer(alike).startswith("c rebuilds 20 unseen pictures best")


def test_a_best_within_noise_has_no_star():
    # Two runs differ by a thousandth, with noise of a hundredth from picture to picture.
    rows = [
        row("a", "x", "density", 0.1, None, 1),
        row("b", "x", "density", 0.1001, None, 2),
        row("c", "x", "density", 0.2, None, 3),
    ]
    assert [mark(r, by_error(rows)) for r in rows] == [" ≈", " ≈", ""]
    assert answer(rows).startswith("No run is the best beyond noise")
    of_four = [dataclasses.replace(r, groups=np.arange(20) // 5) for r in rows[:2]]
    assert "20 unseen pictures of 4 groups" in answer(of_four) and "groups" not in answer(rows)
    level = [row(name, "x", "density", 0.1, None, i) for i, name in enumerate("abc")]
    assert "cannot be told from it" in answer(level) and " and " in answer(level)
    apart = [row(name, name, "density", 0.1, None) for name in "xyz"]
    assert "no two were scored on the same pictures" in answer(apart)
    assert answer(apart[:2]) == "The runs were not scored on the same pictures: neither can be called better."


def test_sentences_are_ranked_by_what_they_cost():
    rows = [row("a", "x", "words", 0.1, -60.0), row("b", "x", "words", 0.1, -50.0, 1)]
    cost = -rows[1].each["elbo"].mean()
    assert text_comparison.answer(rows).startswith(
        f"b finds 20 unseen sentences most probable: at most {cost:.2f} nats each; the next, a, has "
    )
    assert [mark(r, by_elbo(rows)) for r in rows] == ["", " *"]
    apart = [rows[0], row("b", "x", "other words", 0.1, -50.0, 1)]
    assert "not scored on the same sentences" in text_comparison.answer(apart)
    assert "another vocabulary" in text_comparison.cautions(apart)[-1]
    level = [row("a", "x", "words", 0.1, -60.0), row("b", "x", "words", 0.1, -60.0, 1)]
    assert "run is the best beyond noise" in text_comparison.answer(level)


def test_sentences_and_pictures_are_not_compared(monkeypatch):
    kinds = {"a": False, "b": True, "c": True}
    monkeypatch.setattr(compare, "own_pictures", lambda run: SimpleNamespace(is_text=kinds[run.name]))
    runs = {name: Run(Path(name)) for name in kinds}
    assert compare.kind_of([runs["b"], runs["c"]]) is text_comparison
    with pytest.raises(UserError, match="b is about sentences and a about pictures"):
        compare.kind_of(list(runs.values()))


def test_other_runs_have_another_comparison(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_TF_RUNS", str(tmp_path))
    runs = [Run(tmp_path / f"{number:05d}-a") for number in range(1, 13)]
    assert folder_name(runs[:2]) == folder_name(runs[1::-1]) == "comparison-1-2"
    assert folder_name([Run(tmp_path / "00001-renamed"), runs[1]]) == "comparison-1-2"
    elsewhere = Run(tmp_path / "old" / "00001-a")
    names = [folder_name(some) for some in (runs[:3], runs, runs[:11], [elsewhere, runs[1]])]
    assert len({*names, "comparison-1-2"}) == 5 and all(len(name) < 40 for name in names)


def test_a_sweep_is_every_combination():
    config = Config(data=DataConfig(source="faces"))
    found = [
        (c.model.recipe, c.model.latent, c.training.seed)
        for c in variants(config, "20,30", "mlp, conv", "0,1")
    ]
    assert found == [(r, z, s) for r in ("mlp", "conv") for z in (20, 30) for s in (0, 1)]


@pytest.mark.parametrize("latents", ["", "a", "0", "3,,x"])
def test_a_sweep_over_nonsense_is_refused(latents):
    with pytest.raises(UserError, match="latent"):
        variants(Config(data=DataConfig(source="faces")), latents, "conv", "0")


@pytest.mark.slow
def test_a_sweep_ends_with_its_comparison(tmp_path, own_runs, capsys):
    folder = write_pictures(tmp_path / "bars", people=5)
    options = [word for word in QUICK if word not in ("--latent", "2", "--recipe", "mlp", "--epochs")]
    assert cli.main(["sweep", str(folder), "--latent", "3", "--recipe", "mlp,ae", "--epochs", "1", *options,
                     "--set", "encoder.name=mlp", "--set", "decoder.name=mlp"]) == 0  # fmt: skip
    said = capsys.readouterr().out
    runs = all_runs()
    assert [(r.record["config"]["model"]["recipe"], r.record["config"]["model"]["latent"]) for r in runs] == [
        ("mlp", 3), ("ae", 3),
    ]  # fmt: skip
    page = (own_runs / "comparison-1-2" / "compare.html").read_text()
    # A comparison of other runs lies beside it.
    assert cli.main(["compare", "2"]) == 0
    assert (own_runs / "comparison-2" / "compare.html").exists()
    assert (own_runs / "comparison-1-2" / "compare.html").read_text() == page
    for run in runs:
        assert run.name in page and f"../{run.name}/report/index.html" in page
    assert "none" in said and str(tmp_path) not in page
    overview = (runs[1].report / "index.html").read_text()
    assert "ELBO" not in overview and "autoencoder" in overview
    assert "nats" not in overview.split("Learning curves")[0]
