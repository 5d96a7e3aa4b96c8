"""Other sources under a run's model, dry runs, configuration files and reports to be shared, as a user meets them."""

import csv
import re
import shutil

import numpy as np
import pytest
from PIL import Image

import cli
from tests.pipelines.bars import QUICK, write_pictures
from vae_tf.artifacts.npz_files import load_arrays
from vae_tf.artifacts.runs import all_runs, find_run


@pytest.fixture(scope="module")
def elsewhere(trained):
    """Another folder with a label file: four new pictures, and one that the model was trained on."""
    run, _, root = trained
    folder = root / "elsewhere"
    generator = np.random.default_rng(5)
    folder.mkdir()
    for name in "abcd":
        Image.fromarray(generator.integers(0, 255, (20, 24, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    arrays = load_arrays(run.folder / "embed" / "latents.npz")
    trained_on = arrays["path"][arrays["split"] == 0][0]
    shutil.copy(root / "bars" / str(trained_on), folder / "copy.png")
    with open(root / "facts.csv", "w") as file:
        rows = [
            ["picture", "class", "age"],
            ["a", "old", 71],
            ["b", "young", 12],
            ["c", "old", 66],
            ["d", "young", 9],
        ]
        csv.writer(file).writerows(rows)
    return folder


@pytest.fixture
def embedded(in_runs, elsewhere, capsys):
    assert (
        cli.main(["embed", in_runs.name, str(elsewhere), "--labels", str(elsewhere.parent / "facts.csv")])
        == 0
    )
    return in_runs, capsys.readouterr().out


def test_another_source_is_embedded_by_the_same_model(embedded, elsewhere):
    import keras

    import vae_tf.model  # noqa: F401
    from vae_tf.data.resize import resize

    run, said = embedded
    stage = next(stage for stage in run.stages("embed") if stage.name != "embed")
    arrays = load_arrays(stage.folder / "latents.npz")
    assert arrays["path"].tolist() == ["a.png", "b.png", "c.png", "copy.png", "d.png"]
    splits = dict(zip(arrays["path"].tolist(), arrays["split_names"][arrays["split"]].tolist(), strict=True))
    assert splits.pop("copy.png") == "train" and set(splits.values()) == {"test"}
    model = keras.models.load_model(run.folder / "train" / "vae.keras")
    files = [resize(np.asarray(Image.open(elsewhere / path)), 16, 16, 3, "crop") for path in arrays["path"]]
    np.testing.assert_allclose(arrays["mean"], model.encode(np.stack(files))["mean"], atol=1e-5)
    assert "1 of these pictures was trained on" in said
    names = [str(arrays["class_names"][label]) if label >= 0 else "" for label in arrays["label"]]
    assert names == ["old", "young", "old", "", "young"]


def test_its_pages_lie_beside_the_runs_own(embedded):
    run, _ = embedded
    (report,) = run.folder.glob("report-elsewhere-*")
    assert "on elsewhere" in (report / "index.html").read_text()
    assert (run.report / "index.html").exists()
    assert cli.main(["report"]) == 0
    assert f"../{report.name}/index.html" in (run.report / "index.html").read_text()


def test_later_stages_find_it_by_its_short_name(embedded, capsys):
    run, _ = embedded
    assert (
        cli.main(
            ["interpolation-grid", run.name, "elsewhere", "--from", "a.png", "--to", "b.png", "--steps", "3"]
        )
        == 0
    )
    stage = run.stages("interpolation")[-1]
    frames = load_arrays(stage.folder / "frames.npz")
    assert stage.name.startswith("interpolation-") and frames["pair0_linear"].shape[0] == 3
    assert cli.main(["interpolation-grid", run.name, "nowhere"]) == 2
    assert "no folder or file 'nowhere'" in capsys.readouterr().err


def test_no_page_tells_of_the_machine(trained, embedded):
    run, _ = embedded
    pages = [page for folder in run.folder.glob("report*") for page in folder.glob("*.html")]
    assert len(pages) >= 8
    for page in pages:
        text = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page.read_text())
        assert str(trained[2]) not in text, page
        assert not re.search(r"/(home|tmp|root|Users)/", text), page


def test_without_thumbnails_no_report_of_the_run_keeps_pictures(embedded, capsys):
    in_runs, _ = embedded
    assert cli.main(["report", "--single-file"]) == 0
    try:
        assert cli.main(["report", "--no-thumbnails"]) == 0
        assert cli.main(["embed"]) == 0
        pages = list(in_runs.folder.glob("report*/*.html"))
        assert len({page.parent for page in pages}) == 3
        for page in pages:
            text = page.read_text()
            for private in ("p01.png", ">a.png", "copy.png", "data:image/png", "data:image/webp"):
                assert private not in text, (page, private)
        assert not list(in_runs.folder.glob("report*/**/*.webp"))
    finally:
        assert cli.main(["report", "--thumbnails"]) == 0
    assert "p01.png" in (in_runs.report / "data.html").read_text()


def test_single_files_need_nothing_beside_them(in_runs):
    assert cli.main(["report", "--single-file"]) == 0
    folder = in_runs.folder / "report-single-file"
    assert {path.suffix for path in folder.rglob("*")} == {".html"}


def test_dry_run_looks_at_the_data_and_writes_no_run(tmp_path, own_runs, capsys):
    folder = write_pictures(tmp_path / "bars", people=6)
    shutil.copy(folder / "up" / "p00.png", folder / "up" / "again.png")
    Image.new("RGB", (16, 16), "red").save(folder / "up" / "flat.png")
    assert cli.main(["train", str(folder), *QUICK, "--dry-run"]) == 0
    said = capsys.readouterr().out
    for words in (
        "per epoch",
        "memory:",
        "cache of decoded pictures",
        "latent = 2",
        "up/again.png = up/p00.png",
    ):
        assert words in said, words
    assert all_runs() == []
    page = (own_runs / "dry-run" / "data.html").read_text()
    assert "up/flat.png" in page and "broken.png" in page and str(tmp_path) not in page


def test_a_configuration_file_stands_for_options_and_what_is_typed_wins(tmp_path, own_runs, capsys):
    folder = write_pictures(tmp_path / "bars", people=6)
    options = f'source = "{folder}"\nrecipe = "mlp"\nlatent = 3\nepochs = 7\nseed = 5\n'
    settings = "[set]\nencoder.widths = [16]\ndecoder.widths = [16]\n"
    (tmp_path / "run.toml").write_text(options + settings)
    assert cli.main(["train", "--config", str(tmp_path / "run.toml"), "--epochs", "1"]) == 0
    (run,) = all_runs()
    config = run.record["config"]
    assert (config["model"]["latent"], config["training"]["seed"], config["training"]["epochs"]) == (3, 5, 1)
    assert config["model"]["settings"]["encoder.widths"] == [16]
    assert cli.main(["train", "--config", str(tmp_path / "none.toml")]) == 2
    assert "none.toml" in capsys.readouterr().err


def test_a_test_set_of_its_own_and_one_class(tmp_path, own_runs):
    main, test = write_pictures(tmp_path / "bars", people=8), write_pictures(tmp_path / "homework", people=3)
    assert cli.main(["train", str(main), *QUICK, "--epochs", "1", "--test", str(test), "--only", "up"]) == 0
    (run,) = all_runs()
    with open(run.folder / "data" / "pictures.csv") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["label"] != "up":
            assert row["split"] == "other"
        else:
            assert (row["split"] == "test") == row["path"].startswith("homework/")
    assert {row["split"] for row in rows} == {"train", "validation", "test", "calibration", "other"}


@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (lambda f: (f / "notes.txt").write_text("x"), [], "holds no pictures"),
        (lambda f: write_pictures(f), ["--labels", "labels.csv"], "labels.csv"),
        (lambda f: write_pictures(f), ["--only", "upp"], "up"),
        (lambda f: write_pictures(f), ["--latent", "768"], "has only 768 values itself"),
        (
            lambda f: [Image.new("L", (16, 16), 9).save(f / f"{i}.png") for i in range(9)],
            [],
            "All pictures are equal",
        ),
        (
            lambda f: [
                Image.fromarray(
                    np.random.default_rng(i).integers(0, 255, (16, 16, 3)[: 2 + i % 2], np.uint8)
                ).save(f / f"{i}.png")
                for i in range(8)
            ],
            [],
            "Grey and colour are mixed",
        ),
        (
            lambda f: [
                ((f / str(i)).mkdir(), Image.new("L", (16, 16), 9 * i).save(f / str(i) / "a.png"))
                for i in range(9)
            ],
            [],
            "every picture is a class of its own",
        ),
    ],
    ids=["nothing usable", "no label file", "no class", "latent", "all equal", "mixed", "classes"],
)
def test_what_cannot_work_is_said_in_one_line(tmp_path, own_runs, capsys, make, options, words):
    folder = tmp_path / "pictures"
    folder.mkdir()
    make(folder)
    assert cli.main(["train", str(folder), *QUICK, *options]) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error and len(error.splitlines()) <= 4
    assert all_runs() == []


def test_labels_that_name_no_picture_are_refused(tmp_path, own_runs, capsys):
    folder = write_pictures(tmp_path / "bars", people=6)
    (tmp_path / "labels.csv").write_text("file,class\nx.png,a\ny.png,b\n")
    assert cli.main(["train", str(folder), *QUICK, "--labels", str(tmp_path / "labels.csv")]) == 2
    error = capsys.readouterr().err
    assert "x.png" in error and "p00" in error and "--file-column" in error


def test_a_run_is_found_by_its_whole_name_where_another_begins_alike(in_runs, own_runs):
    from tests.pipelines.test_runs import make_run

    first, second = make_run("faces", "aaa"), make_run("faces-two", "aaa")
    assert find_run("faces", trained=False) == first
    assert find_run("faces-two", trained=False) == second


def test_pictures_without_a_class_are_shown_and_counted(tmp_path, own_runs, capsys):
    folder = write_pictures(tmp_path / "bars", people=4)
    for number in range(5):
        pixels = np.random.default_rng(number).integers(0, 255, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"stray{number}.png")
    assert cli.main(["train", str(folder), *QUICK, "--dry-run"]) == 0
    page = (own_runs / "dry-run" / "data.html").read_text()
    assert "5 without a class" in page and "stray3.png" in page


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--latent", "100000"], "--latent"),
        (["--range", "9:1"], "--range"),
        (["--kl-warmup", "-1"], "--kl-warmup"),
    ],
)
def test_a_wrong_value_names_the_option_that_was_typed(options, words, capsys):
    assert cli.main(["train", "demo:faces", *options]) == 2
    assert f"{words}:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--set", "likelihood.scale=abc"], ["--augment", "rotate"], ["--recipe", "x"]]
)
def test_a_mistake_about_the_model_is_told_before_pictures_are_read(tmp_path, own_runs, capsys, options):
    folder = write_pictures(tmp_path / "bars", people=4)
    assert cli.main(["train", str(folder), *QUICK, *options]) == 2
    captured = capsys.readouterr()
    assert "pictures of" not in captured.out and captured.err.startswith("error:")


def test_classes_are_compared_on_unseen_pictures_where_one_class_was_trained_on():
    from pipelines.classes import tested_labels
    from vae_tf.data.dataset import Index
    from vae_tf.data.splits import PARTS

    parts = np.array(
        [PARTS.index(name) for name in ("train", "validation", "test", "calibration", "other")], np.int8
    )
    nothing = np.full(5, -1)
    index = Index(list("abcde"), np.array([0, 0, 0, 0, 1]), ["normal", "odd"], nothing, [], parts)
    labels, notes = tested_labels(index)
    assert labels.tolist() == [-1, -1, 0, -1, 1] and notes
    everything = Index(list("ab"), np.array([0, 1]), ["a", "b"], nothing[:2], [], parts[[0, 2]])
    assert tested_labels(everything)[0].tolist() == [0, 1]


@pytest.mark.parametrize(("likelihood", "warned"), [("bernoulli", True), ("continuous_bernoulli", False)])
def test_grey_pixels_under_a_bernoulli_are_warned_of(tmp_path, own_runs, capsys, likelihood, warned):
    folder = write_pictures(tmp_path / "bars", people=4)
    assert cli.main(["train", str(folder), *QUICK, "--dry-run", "--likelihood", likelihood]) == 0
    assert ("--likelihood continuous_bernoulli or gaussian" in capsys.readouterr().out) == warned
