"""Other sources under a run's model, dry runs, configuration files and reports to be shared, as a user meets them."""

import csv
import re
import shutil

import numpy as np
import pytest
from PIL import Image

import cli
from tests.pipelines.bars import QUICK, write_pictures
from vae_tf import artifacts


@pytest.fixture(scope="module")
def elsewhere(trained):
    """Another folder with a label file: four new pictures, and one that the model was trained on."""
    run, _, root = trained
    folder = root / "elsewhere"
    generator = np.random.default_rng(5)
    folder.mkdir()
    for name in "abcd":
        Image.fromarray(generator.integers(0, 255, (20, 24, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    arrays = artifacts.load_arrays(run.folder / "embed" / "latents.npz")
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
    arrays = artifacts.load_arrays(stage.folder / "latents.npz")
    assert arrays["path"].tolist() == ["a.png", "b.png", "c.png", "copy.png", "d.png"]
    assert set(arrays["split_names"][arrays["split"]]) == {"test"}
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
    frames = artifacts.load_arrays(stage.folder / "frames.npz")
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


def test_without_thumbnails_later_reports_stay_without(in_runs, capsys):
    try:
        assert cli.main(["report", "--no-thumbnails"]) == 0
        assert cli.main(["embed"]) == 0
        for page in in_runs.report.glob("*.html"):
            text = page.read_text()
            assert "p01.png" not in text and "data:image/png" not in text and "data:image/webp" not in text, (
                page
            )
        assert not list(in_runs.report.rglob("*.webp"))
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
    assert artifacts.all_runs() == []
    page = (own_runs / "dry-run" / "data.html").read_text()
    assert "up/flat.png" in page and "broken.png" in page and str(tmp_path) not in page


def test_a_configuration_file_stands_for_options_and_what_is_typed_wins(tmp_path, own_runs, capsys):
    folder = write_pictures(tmp_path / "bars", people=6)
    options = f'source = "{folder}"\nrecipe = "mlp"\nlatent = 3\nepochs = 7\nseed = 5\n'
    settings = "[set]\nencoder.widths = [16]\ndecoder.widths = [16]\n"
    (tmp_path / "run.toml").write_text(options + settings)
    assert cli.main(["train", "--config", str(tmp_path / "run.toml"), "--epochs", "1"]) == 0
    (run,) = artifacts.all_runs()
    config = run.record["config"]
    assert (config["model"]["latent"], config["training"]["seed"], config["training"]["epochs"]) == (3, 5, 1)
    assert config["model"]["settings"]["encoder.widths"] == [16]
    assert cli.main(["train", "--config", str(tmp_path / "none.toml")]) == 2
    assert "none.toml" in capsys.readouterr().err


def test_a_test_set_of_its_own_and_one_class(tmp_path, own_runs):
    main, test = write_pictures(tmp_path / "bars", people=8), write_pictures(tmp_path / "homework", people=3)
    assert cli.main(["train", str(main), *QUICK, "--epochs", "1", "--test", str(test), "--only", "up"]) == 0
    (run,) = artifacts.all_runs()
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
    assert artifacts.all_runs() == []


def test_labels_that_name_no_picture_are_refused(tmp_path, own_runs, capsys):
    folder = write_pictures(tmp_path / "bars", people=6)
    (tmp_path / "labels.csv").write_text("file,class\nx.png,a\ny.png,b\n")
    assert cli.main(["train", str(folder), *QUICK, "--labels", str(tmp_path / "labels.csv")]) == 2
    error = capsys.readouterr().err
    assert "x.png" in error and "p00" in error and "--file-column" in error
