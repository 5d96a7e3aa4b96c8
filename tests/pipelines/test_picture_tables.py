"""What the machines of a cluster run, without a cluster: names, pixels and scores of every picture exactly once."""

import os

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest
from PIL import Image

from pipelines.picture_tables import Decoder, Lister, Place, Scorer, SourceNotSeen
from tests.pipelines.small_run import write_run
from vae_tf.data.cache import Shape, open_cache
from vae_tf.data.sources.folder import FolderSource
from vae_tf.evaluation.oddness import reconstruction_errors

EVERYTHING = pa.table({"folder": ["", "a"], "deep": [False, True]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of several modes and sizes, hidden ones, links, and files that are none."""
    root = tmp_path_factory.mktemp("tables") / "pictures"
    generator = np.random.default_rng(0)
    (root / "a" / "deep" / "er").mkdir(parents=True)
    (root / ".hidden").mkdir()
    for number, place in enumerate(("", "a", "a/deep/er", ".hidden", "a/deep", "")):
        shape = (16 + 3 * number, 20) if number % 2 else (16 + 3 * number, 20, 3)
        Image.fromarray(generator.integers(0, 256, shape, np.uint8)).save(root / place / f"{number}.PNG")
    Image.fromarray(generator.integers(0, 65536, (20, 20), np.uint16)).save(root / "a" / "deep16.png")
    (root / "empty.jpg").write_bytes(b"")
    (root / "a" / "text.png").write_text("no picture")
    (root / "a" / "notes.txt").write_text("left alone")
    os.symlink(root / "5.PNG", root / "a" / "link.png")
    os.symlink(root, root / "a" / "circle")
    (root / "a" / "gone.png").symlink_to(root / "nowhere.png")
    return root


@pytest.fixture(scope="module")
def place(folder):
    return Place(fsspec.filesystem("file"), str(folder))


@pytest.fixture(scope="module")
def paths(place):
    return pa.concat_tables(Lister(place)(EVERYTHING))


def test_the_listing_is_that_of_a_folder_source_but_for_links(folder, paths):
    found = paths["path"].to_pylist()
    assert len(set(found)) == len(found)
    listed = {entry.path for entry in FolderSource(folder).entries}
    # A folder source takes no file twice, and looks behind links to folders.
    assert set(found) - listed == {"a/link.png"} and listed <= set(found)


def test_a_long_listing_comes_in_pieces_that_hold_everything_in_order(tmp_path):
    for number in range(600):
        (tmp_path / f"{number:03d}.png").touch()
    tables = list(Lister(Place(fsspec.filesystem("file"), str(tmp_path)))(EVERYTHING.slice(0, 1)))
    assert [table.num_rows for table in tables] == [256, 256, 88]
    assert pa.concat_tables(tables)["path"].to_pylist() == [f"{number:03d}.png" for number in range(600)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_pixels_are_the_cache_s_bit_for_bit_and_failures_have_its_reasons(
    folder, place, paths, tmp_path, fit, channels
):
    shape = Shape(16, 16, channels, fit)
    source = FolderSource(folder)
    cache = open_cache(source, shape, tmp_path)
    table = Decoder(place, shape)(paths)
    rows = {row["path"]: row for row in table.to_pylist()}
    for position, pixels in zip(cache.positions, cache.images, strict=True):
        assert rows[source.entries[position].path]["pixels"] == pixels.tobytes()
    reasons = {path: row["reason"] for path, row in rows.items() if row["reason"] is not None}
    assert reasons.pop("a/gone.png") == "the file cannot be read (FileNotFoundError)"
    assert reasons == {path: why for path, why in cache.skipped if path != "a/gone.png"}
    assert all((row["pixels"] is None) == (row["reason"] is not None) for row in rows.values())


def test_pictures_of_16_bits_keep_them(folder, place):
    shape = Shape(20, 20, 1, "crop", "uint16")
    (row,) = Decoder(place, shape)(pa.table({"path": ["a/deep16.png"]})).to_pylist()
    assert row["pixels"] == np.asarray(Image.open(folder / "a" / "deep16.png")).astype(np.uint16).tobytes()


def test_a_machine_that_does_not_see_the_folder_stops_the_work(tmp_path):
    away = Place(fsspec.filesystem("file"), str(tmp_path / "elsewhere"))
    with pytest.raises(SourceNotSeen):
        Decoder(away, Shape(16, 16, 3, "crop"))(pa.table({"path": ["a.png"]}))


def test_names_that_are_no_unicode_get_a_row(tmp_path):
    with open(os.fsencode(tmp_path) + b"/\xff.png", "wb") as file:
        file.write(b"")
    place = Place(fsspec.filesystem("file"), str(tmp_path))
    table = pa.concat_tables(Lister(place)(EVERYTHING.slice(0, 1)))
    (row,) = Decoder(place, Shape(16, 16, 3, "crop"))(table).to_pylist()
    assert row["path"] == "\\udcff.png" and row["pixels"] is None


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    run, model = write_run(tmp_path_factory.mktemp("tables-runs"), "pictures")
    return (run.folder / "train" / "vae.keras").read_bytes(), model


def test_scores_lie_beside_their_paths_and_reasons(place, paths, model_file):
    content, model = model_file
    shape = Shape(16, 16, 3, "crop")
    pixels = Decoder(place, shape)(paths)
    scorer = Scorer(content, shape)
    rows = scorer(pixels).to_pylist()
    assert [row["path"] for row in rows] == paths["path"].to_pylist()
    for row, before in zip(rows, pixels.to_pylist(), strict=True):
        assert row["reason"] == before["reason"]
        if row["reason"] is not None:
            assert {row[name] for name in row if name not in ("path", "reason")} == {None}
            continue
        picture = np.frombuffer(before["pixels"], np.uint8).reshape(1, 16, 16, 3)
        np.testing.assert_allclose(row["mean"], model.encode(picture)["mean"][0], rtol=1e-5, atol=1e-6)
        (error,) = reconstruction_errors(model.reconstruct, picture)
        assert row["squared_error"] == pytest.approx(error, rel=1e-5)
    broken = pixels.filter(pa.compute.is_valid(pixels["reason"]))
    assert scorer(broken).schema == scorer(pixels).schema and scorer(broken).num_rows == broken.num_rows > 0


def test_a_plain_autoencoder_has_null_for_what_it_does_not_have(tmp_path, place, paths):
    run, _ = write_run(tmp_path, "pictures", "ae")
    shape = Shape(16, 16, 3, "crop")
    scores = Scorer((run.folder / "train" / "vae.keras").read_bytes(), shape)(Decoder(place, shape)(paths))
    assert scores["kl"].null_count == scores["negative_elbo"].null_count == scores.num_rows
    assert scores["squared_error"].null_count == scores.num_rows - scores["reason"].null_count
