"""The commands on a small file of sentences, in this process."""

import json
import shutil

import numpy as np
import pytest

import cli
import pipelines.maps
from vae_tf.artifacts.json_files import read_json
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.artifacts.runs import all_runs, find_run
from vae_tf.vocabulary import Vocabulary

SUBJECTS, VERBS = ("the cat", "a dog", "the king", "she"), ("sees", "likes", "finds")
OBJECTS, ENDS = (
    ("the fish", "a red apple", "an old song", "the sea"),
    (".", "!", " again.", " today!", " at night."),
)
SMALL = [
    "--recipe", "sentence", "--latent", "2", "--epochs", "2", "--batch-size", "40",
    "--set", "encoder.width=8", "--set", "decoder.width=8", "--set", "decoder.embedding=8",
]  # fmt: skip


def write_sentences(path):
    """200 sentences, of which those that end in an exclamation mark are of the class loud."""
    lines = [f"{s} {v} {o}{e}" for s in SUBJECTS for v in VERBS for o in OBJECTS for e in ENDS][:200]
    rows = [f"{line}\t{'loud' if line.endswith('!') else 'calm'}" for line in lines]
    path.write_text("\n".join([*rows, ""]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def text_run(tmp_path_factory):
    """A run of the chain; t-SNE and UMAP are left to the pictures' tests, which pay for their compilation."""
    root = tmp_path_factory.mktemp("text")
    source = write_sentences(root / "sentences.txt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAE_TF_RUNS", str(root / "runs"))
        patch.setattr(pipelines.maps, "METHODS", ("pca",))
        patch.setattr(
            "vae_tf.analysis.steadiness.variants", lambda latents, seed: (np.arange(len(latents)), [])
        )
        assert cli.main(["train", str(source), *SMALL]) == 0
        # The run holds all that the stages need.
        source.rename(root / "gone.txt")
        for command in (["embed"], ["cluster-report", "--permutations", "19"], ["interpolation-grid"], ["export"],
                        ["evaluate", "--samples", "3", "--pictures", "10"]):  # fmt: skip
            assert cli.main(command) == 0, command
    (run,) = all_runs(root / "runs")
    return run, root


@pytest.fixture
def in_text_runs(text_run, monkeypatch):
    run, root = text_run
    monkeypatch.setenv("VAE_TF_RUNS", str(root / "runs"))
    return run


def test_every_stage_and_page(text_run):
    run, _ = text_run
    for stage in (
        "data",
        "train",
        "evaluate",
        "embed",
        "clusters",
        "classes",
        "interpolation",
        "evaluation",
        "export",
    ):
        assert run.stage(stage) is not None, stage
    pages = {page.stem: page.read_text() for page in run.report.glob("*.html")}
    assert set(pages) == {
        "index",
        "training",
        "latents",
        "clusters",
        "classes",
        "interpolation",
        "evaluation",
        "export",
    }
    for name, html in pages.items():
        body = html.split("<main")[1].split("<footer")[0]
        assert (
            "picture"
            not in body.replace("<picture>", "")
            .replace("</picture>", "")
            .replace("Show pictures", "")
            .replace("--pictures", "")
            .lower()
        ), name


def test_scores_are_the_models_own(text_run):
    run, _ = text_run
    import keras

    import vae_tf.models  # noqa: F401

    scores = run.stage("evaluate").record["results"]["scores"]["test"]
    index = read_json(run.folder / "data" / "index.json")
    tokens = load_arrays(run.folder / "data" / "tokens.npz")["tokens"][np.array(index["parts"]) == 2]
    model = keras.models.load_model(run.folder / "train" / "vae.keras")
    model.compile()
    noise = model.noise_for(tokens, int(np.flatnonzero(np.array(index["parts"]) == 2)[0]), "validation")
    elbo = np.asarray(model.elbo_terms(tokens, noise).elbo)
    assert len(tokens) == scores["num"] <= 64
    assert scores["elbo"] == pytest.approx(elbo.mean(), rel=1e-4)
    assert scores["perplexity"] == pytest.approx(np.exp(-elbo.sum() / (tokens != 0).sum()), rel=1e-4)


def test_latents_and_classes(text_run):
    run, _ = text_run
    arrays = load_arrays(run.folder / "embed" / "latents.npz")
    assert arrays["mean"].shape == (200, 2) and set(arrays["class_names"]) == {"calm", "loud"}
    loud = arrays["class_names"][arrays["label"]] == "loud"
    assert all(path.endswith("!") == is_loud for path, is_loud in zip(arrays["path"], loud, strict=True))
    statistics = read_json(run.folder / "classes" / "scores.json")["statistics"]
    assert {row["space"] for row in statistics} == {"VAE latents", "word counts"}


def test_export_is_whole_and_checked(text_run):
    run, _ = text_run
    results = run.stage("export").record["results"]
    of_tokens = {"serving_default", "encode", "decode", "reconstruct", "score", "log_likelihood"}
    assert set(results["signatures"]) == of_tokens | {
        f"{n}_text" for n in ("encode", "decode", "reconstruct", "score")
    }
    assert all(row["holds"] for row in results["parity"]) and results["largest_difference"] < 1e-5
    extra = run.folder / "export" / "1" / "assets.extra"
    words = Vocabulary.from_json(json.loads((extra / "vocabulary.json").read_text()))
    assert "king" in words.tokens and words.level == "words"


def test_typed_sentences_and_the_run_s_own(in_text_runs, capsys):
    run = in_text_runs
    known = read_json(run.folder / "data" / "index.json")["paths"][3]
    command = ["interpolation-grid", "--from", known, "--to", "My wombat sings!", "--steps", "4"]
    assert cli.main(command) == 0
    newest = run.stages("interpolation")[-1]
    (path,) = read_json(newest.folder / "paths.json")["pairs"]
    assert path["a"]["text"] == known and path["a"]["split"] in ("train", "validation", "test")
    assert path["b"]["split"] == "typed" and path["b"]["unknown"] == ["my", "wombat", "sings"]
    assert len(path["linear"]) == len(path["spherical"]) == 4
    assert cli.main(["interpolation-grid", "--from", known, "--to", "word " * 30]) == 2
    assert "has 30 words" in capsys.readouterr().err


def test_sample_and_reconstruct(in_text_runs, tmp_path, capsys):
    assert cli.main(["sample", "-n", "5", "--to", str(tmp_path / "new.txt")]) == 0
    assert len((tmp_path / "new.txt").read_text().split("\n")) == 6
    (tmp_path / "own.txt").write_text("she sees the sea.\na dog!\n")
    given = [str(tmp_path / "own.txt"), "the king likes the fish", "word " * 40]
    assert cli.main(["reconstruct", *given, "--to", str(tmp_path / "again.tsv")]) == 0
    rows = [line.split("\t") for line in (tmp_path / "again.tsv").read_text().splitlines()]
    assert [row[0] for row in rows] == ["she sees the sea.", "a dog!", "the king likes the fish"]
    assert "has 40 words" in capsys.readouterr().out


def test_another_file_is_embedded_in_the_run_s_vocabulary(in_text_runs, tmp_path):
    (tmp_path / "other.txt").write_text("she sees the wombat.\nthe king finds a dog again!\n" * 2)
    assert cli.main(["embed", in_text_runs.name, str(tmp_path / "other.txt")]) == 0
    listed = in_text_runs.stages("data")[-1]
    assert load_arrays(listed.folder / "tokens.npz")["tokens"].shape[0] == 4
    assert (in_text_runs.folder / f"report-other.txt-{listed.hash[:6]}" / "index.html").exists() or list(
        in_text_runs.folder.glob("report-other*/index.html")
    )


def test_runs_on_sentences_are_compared(text_run, tmp_path, monkeypatch, capsys):
    run, _ = text_run
    monkeypatch.setenv("VAE_TF_RUNS", str(tmp_path))
    for number in (1, 2):
        shutil.copytree(run.folder, tmp_path / f"{number:05d}-copy", symlinks=True)
    assert cli.main(["compare", "1", "2"]) == 0
    said, text = capsys.readouterr().out, (tmp_path / "comparison-1-2" / "compare.html").read_text()
    stage = find_run("1").stage("evaluate")
    scores, each = stage.record["results"]["scores"]["test"], np.load(stage.folder / "scores.npz")
    assert len(each["test_each_elbo"]) == len(each["test_scored"]) == scores["num"]
    assert each["test_each_elbo"].mean() == pytest.approx(scores["elbo"], rel=1e-5)
    assert f"{-scores['elbo']:.2f} ≈" in text and "00001-copy" in text and "00002-copy" in text
    shown = json.loads((stage.folder / "sentences.json").read_text())["test"]
    assert all(pair["original"] in text for pair in shown)
    assert "The same sentences, by each run" in text and "MSE" not in text
    # A run and its copy.
    assert "No run is the best beyond noise" in said and "unseen sentences" in said


@pytest.mark.slow
def test_exact_resume(in_text_runs, tmp_path):
    """Two epochs, and one extended by one, end in the same weights."""
    source = write_sentences(tmp_path / "sentences.txt")
    short = [*SMALL[:5], "1", *SMALL[6:]]
    assert cli.main(["train", str(source), *short, "--name", "short"]) == 0
    assert cli.main(["train", "--extend", "short", "--epochs", "1", "--name", "long"]) == 0
    states = [
        load_arrays(find_run(name).folder / "train" / "checkpoints" / "last.npz")
        for name in (in_text_runs.name, "long")
    ]
    assert states[0].keys() == states[1].keys()
    for name in states[0]:
        if name != "facts":
            np.testing.assert_array_equal(states[0][name], states[1][name])


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["train", "TEXT"], "TEXT holds sentences"),
        (["train", "TEXT", "--recipe", "vamp"], "--recipe vamp is for pictures"),
        (
            ["train", "demo:faces", "--recipe", "sentence"],
            "--recipe sentence is for sentences, and demo:faces",
        ),
        (["train", "TEXT", "--recipe", "sentence", "--size", "32"], "--size is about pictures"),
        (
            ["train", "TEXT", "--recipe", "sentence", "--augment", "shift"],
            "--augment shift is about pictures",
        ),
        (["train", "demo:faces", "--tokens", "characters"], "--tokens is about sentences"),
        (["train", "nothing.txt", "--recipe", "sentence"], "There is no folder or file 'nothing.txt'"),
        (["sweep", "TEXT"], "conv is for pictures, and TEXT holds sentences"),
        (["embed", "1", "demo:faces"], "is no file of text"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(in_text_runs, tmp_path, capsys, command, message):
    source = write_sentences(tmp_path / "TEXT")
    before = len(all_runs())
    assert cli.main([str(source) if word == "TEXT" else word for word in command]) == 2
    first = capsys.readouterr().err.splitlines()[0]
    assert message in first and len(all_runs()) == before
