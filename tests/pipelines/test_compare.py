"""Runs side by side, and the sweep that makes them."""

import pytest

import cli
from pipelines.compare import Row, cautions, is_best
from pipelines.sweep import variants
from tests.pipelines.bars import QUICK, write_pictures
from vae_tf import artifacts
from vae_tf.config import Config, DataConfig
from vae_tf.errors import UserError


class Scored(Row):
    """A row whose pictures and unit are given."""

    @property
    def same_pictures(self):
        return self.headline


def row(pictures, unit, mse, elbo):
    scores = {"vae": {"mse": {"value": mse}}, "elbo": elbo}
    return Scored(run=None, part="test", scores=scores, unit=unit, headline=(pictures,))


def test_nothing_is_ranked_that_cannot_be_compared():
    rows = [row("a", "density", 0.2, 900.0), row("a", "mass", 0.1, -80.0), row("b", "density", 0.01, 950.0)]

    def mse(r):
        return -r.scores["vae"]["mse"]["value"]

    def elbo(r):
        return r.scores["elbo"]

    assert [is_best(r, rows, mse, "same_pictures") for r in rows] == [False, True, False]
    assert not any(is_best(r, rows, elbo, "same_nats") for r in rows)
    assert len(cautions(rows)) == 3 and "density" in cautions(rows)[2]
    alike = [row("a", "density", 0.2, 900.0), row("a", "density", 0.3, 950.0), row("a", "density", 0.1, None)]
    assert [is_best(r, alike, elbo, "same_nats") for r in alike if r.scores["elbo"] is not None] == [
        False,
        True,
    ]
    assert len(cautions(alike)) == 1


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


def test_a_sweep_ends_with_its_comparison(tmp_path, own_runs, capsys):
    folder = write_pictures(tmp_path / "bars", people=5)
    options = [word for word in QUICK if word not in ("--latent", "2", "--recipe", "mlp", "--epochs")]
    assert cli.main(["sweep", str(folder), "--latent", "2,3", "--recipe", "mlp,ae", "--epochs", "1", *options,
                     "--set", "encoder.name=mlp", "--set", "decoder.name=mlp"]) == 0  # fmt: skip
    said = capsys.readouterr().out
    runs = artifacts.all_runs()
    assert [(r.record["config"]["model"]["recipe"], r.record["config"]["model"]["latent"]) for r in runs] == [
        ("mlp", 2), ("mlp", 3), ("ae", 2), ("ae", 3),
    ]  # fmt: skip
    page = (own_runs / "comparison" / "compare.html").read_text()
    for run in runs:
        assert run.name in page and f"../{run.name}/report/index.html" in page
    assert "none" in said and str(tmp_path) not in page
    overview = (runs[2].report / "index.html").read_text()
    assert "ELBO" not in overview and "autoencoder" in overview
    assert "nats" not in (runs[2].report / "index.html").read_text().split("Learning curves")[0]
