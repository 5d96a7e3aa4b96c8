"""The index of a run's pictures: it survives JSON and CSV whatever the files are called."""

import csv
import dataclasses
import io
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, cast

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from pipelines.csv_files import write_csv
from vae_tf.config import DataConfig
from vae_tf.data.dataset import Index, Pictures, encode_names, find_copies, load_pictures
from vae_tf.data.sources.folder import FolderSource
from vae_tf.data.splits import PARTS
from vae_tf.errors import UserError

# Any file name: commas, quotes, line breaks, and bytes that are no UTF-8 (surrogate escapes).
NAMES = st.lists(
    st.sampled_from("\",;'\n= a\\")
    | st.integers(0xDC80, 0xDCFF).map(chr)
    | st.characters(exclude_categories=("Cs", "Cc")),
    min_size=1,
    max_size=8,
).map("".join)


@st.composite
def indices(draw: st.DrawFn) -> Index:
    paths = draw(st.lists(NAMES, min_size=1, max_size=6))
    optional = st.lists(st.none() | NAMES, min_size=len(paths), max_size=len(paths))
    labels, class_names = encode_names(draw(optional))
    groups, group_names = encode_names(draw(optional))
    parts = np.array([draw(st.integers(0, 4)) for _ in paths], dtype=np.int8)
    facts = {
        "smile": [draw(st.none() | st.floats(-1, 1)) for _ in paths],
        "hair, colour": [draw(NAMES) for _ in paths],
    }
    return Index(paths, labels, class_names, groups, group_names, parts, facts)


@hypothesis.given(indices())
@hypothesis.settings(max_examples=60)
def test_json_round_trip(index: Index) -> None:
    text = json.dumps(index.to_json())
    text.encode("utf-8")
    again = Index.from_json(json.loads(text))
    for field in dataclasses.fields(Index):
        before, after = getattr(index, field.name), getattr(again, field.name)
        assert np.array_equal(before, after) if isinstance(before, np.ndarray) else before == after
        assert getattr(before, "dtype", None) == getattr(after, "dtype", None)


def written(name: str) -> str:
    """Bytes that are no UTF-8 are spelled out, and nothing can be taken for a formula."""
    if name[:1] in set("=+-@\t\r") and not re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", name):
        name = f"'{name}"
    return "".join(f"\\u{ord(c):04x}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in name)


@hypothesis.given(indices())
@hypothesis.settings(max_examples=60)
def test_csv_round_trip(index: Index) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pictures.csv"
        write_csv(path, *index.table())
        rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8"), newline="")))
    assert len(rows) == len(index.paths)
    for i, row in enumerate(rows):
        label, group = int(index.labels[i]), int(index.groups[i])
        assert row["path"] == written(index.paths[i])
        assert row["split"] == PARTS[index.parts[i]]
        assert row["label"] == (written(index.class_names[label]) if label >= 0 else "")
        assert row["group"] == (written(index.group_names[group]) if group >= 0 else "")
        assert (float(row["smile"]) if row["smile"] else None) == index.facts["smile"][i]
        assert row["hair, colour"] == written(index.facts["hair, colour"][i])


@hypothesis.given(st.lists(st.none() | st.sampled_from(["a", "b", "s2", "s10", "", "é"])))
def test_names_become_positions(names: list[str | None]) -> None:
    positions, distinct = encode_names(names)
    assert len(set(distinct)) == len(distinct) == len({*names} - {None})
    assert [None if p < 0 else distinct[p] for p in positions] == names
    assert positions.dtype == np.int64


def write_faces(root: Path, constant: bool = False) -> Path:
    random = np.random.default_rng(0)
    for label in ("happy", "angry"):
        (root / label).mkdir(parents=True)
        for person in range(10):
            for picture in range(2):
                pixels = random.integers(0, 1 if constant else 256, (16, 16), dtype=np.uint8)
                Image.fromarray(pixels).save(root / label / f"p{person}-{picture}.png")
    return root


def test_a_folder_becomes_pictures_with_all_facts_in_one_order(tmp_path: Path) -> None:
    root = write_faces(tmp_path / "faces")
    (root / "angry" / "p0-0.png").write_bytes(b"")
    Image.new("L", (16, 16)).save(root / "stray.png")
    pictures = load_pictures(DataConfig(source=str(root), group_by=r"(p\d)-"), 7, tmp_path / "cache")
    index = pictures.index
    assert pictures.images.shape == (40, 16, 16, 1)
    assert pictures.skipped == [("angry/p0-0.png", "the file is empty")]
    for i, path in enumerate(index.paths):
        assert np.array_equal(pictures.images[i, ..., 0], np.asarray(Image.open(root / path)))
        assert index.class_of(i) == (path.split("/")[0] if "/" in path else "")
        assert index.group_of(i) == (path.split("/")[1][:2] if "/" in path else "")
    for person in range(10):
        members = [i for i in range(40) if index.group_of(i) == f"p{person}"]
        assert len({int(index.parts[i]) for i in members}) == 1
    assert sorted(np.concatenate([index.where(part) for part in PARTS]).tolist()) == list(range(40))
    assert "matched no key in 1 paths" in " ".join(pictures.source_notes)
    assert "1 picture lies beside the class folders" in " ".join(pictures.notes)
    other = load_pictures(DataConfig(source=str(root), group_by=r"(p\d)-"), 8, tmp_path / "cache")
    assert other.fingerprint == pictures.fingerprint
    assert not np.array_equal(other.index.parts, index.parts)


def test_a_table_beside_the_pictures_is_named_until_it_is_read(tmp_path: Path) -> None:
    root = write_faces(tmp_path / "faces")
    assert not any("--labels" in note for note in loaded(root, tmp_path).source_notes)
    rows = [f"{path.relative_to(root)},{path.stem}" for path in sorted(root.rglob("*.png"))]
    (root / "facts.csv").write_text("\n".join(["file,person", *rows]))
    (root / "notes.txt").write_text("no table")
    noted = [note for note in loaded(root, tmp_path).source_notes if "--labels" in note]
    assert noted == ["Does facts.csv say what the pictures are? --labels FOLDER/facts.csv reads it."]
    config = DataConfig(source=str(root), labels=str(root / "facts.csv"))
    assert not any("--labels" in note for note in load_pictures(config, 7, tmp_path / "cache").source_notes)


def test_equal_pictures_are_refused(tmp_path: Path) -> None:
    root = write_faces(tmp_path / "faces", constant=True)
    with pytest.raises(UserError, match="All pictures are equal"):
        load_pictures(DataConfig(source=str(root)), 0, tmp_path / "cache")
    pixels = np.zeros((16, 16), np.uint8)
    for number, match in ((1, "2 different pictures or groups cannot fill 3 parts"), (2, None)):
        pixels[5, 5] = number
        Image.fromarray(pixels).save(root / "happy" / f"p{number}-0.png")
        if match is not None:
            with pytest.raises(UserError, match=match):
                load_pictures(DataConfig(source=str(root)), 0, tmp_path / "cache")
    assert len(load_pictures(DataConfig(source=str(root)), 0, tmp_path / "cache").images) == 40


def test_names_that_are_no_utf8_go_all_the_way(tmp_path: Path) -> None:
    root = write_faces(tmp_path / "faces")
    os.rename(os.fsencode(root / "happy"), os.fsencode(root) + b"/fr\xf6hlich")
    pictures = load_pictures(DataConfig(source=str(root), group_by="([^/]*)-"), 0, tmp_path / "cache")
    again = load_pictures(DataConfig(source=str(root), group_by="([^/]*)-"), 0, tmp_path / "cache")
    assert pictures.index.class_names == ["angry", os.fsdecode(b"fr\xf6hlich")]
    assert again.index.to_json() == pictures.index.to_json() and again.fingerprint == pictures.fingerprint
    write_csv(tmp_path / "pictures.csv", *pictures.index.table())
    assert "fr\\udcf6hlich/p0-0.png" in (tmp_path / "pictures.csv").read_text()


def test_the_demo_keeps_its_factors_beside_the_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vae_tf.data import dataset
    from vae_tf.data.sources.demo import DemoFaces

    monkeypatch.setattr(dataset, "open_source", lambda config: DemoFaces(6, 2, size=32))
    pictures = load_pictures(DataConfig(source="demo:faces"), 0, tmp_path / "cache")
    index = pictures.index
    assert pictures.images.shape == (12, 32, 32, 3)
    assert index.facts["expression"] == [index.class_of(i) for i in range(12)]
    assert [f"person{person:03d}" for person in index.facts["person"]] == [
        index.group_of(i) for i in range(12)
    ]


def loaded(root: Path, tmp_path: Path, parts: dict[str, str] | None = None, **options: Any) -> Pictures:
    """The pictures of a folder, some of them with a part that the source puts them in."""
    source = FolderSource(root, options.get("group_by"))
    source.entries = [
        dataclasses.replace(entry, part=(parts or {}).get(entry.path)) for entry in source.entries
    ]
    return load_pictures(
        DataConfig(source=str(root), **options), 0, tmp_path / "cache", source=cast(Any, source)
    )


def test_sizes_and_hashes_come_along(tmp_path: Path) -> None:
    pictures = loaded(write_faces(tmp_path / "faces"), tmp_path)
    assert pictures.sizes == [(16, 16, 1, 40)]
    assert len(pictures.hashes) == 40 == len(set(pictures.hashes.tolist()))


def test_copies_are_equal_pixels_not_equal_hashes() -> None:
    images = np.zeros((6, 4, 4, 1), np.uint8)
    images[[1, 4]], images[[2, 5]], images[3] = 1, 2, 3
    # 2, 5 and 3 collide; 0 is alone.
    hashes = np.array([9, 7, 8, 8, 7, 8], np.uint64)
    assert find_copies(images, hashes).tolist() == [-1, 1, 2, -1, 1, 2]


def test_copies_stay_together_though_their_names_and_classes_differ(tmp_path: Path) -> None:
    root = write_faces(tmp_path / "faces")
    for person in range(10):
        shutil.copy(root / "happy" / f"p{person}-0.png", root / "angry" / f"x{person}.png")
    pictures = loaded(root, tmp_path)
    part = dict(zip(pictures.index.paths, pictures.index.parts.tolist(), strict=True))
    assert all(part[f"happy/p{i}-0.png"] == part[f"angry/x{i}.png"] for i in range(10))
    assert set(part.values()) == {0, 1, 2} and not pictures.index.group_names
    assert "10 pictures are exact copies of others; copies are dealt to the same part." in pictures.notes


def test_only_trains_on_one_class_and_keeps_the_rest_aside(tmp_path: Path) -> None:
    root = write_faces(tmp_path / "faces")
    Image.new("L", (16, 16), 9).save(root / "stray.png")
    pictures = loaded(root, tmp_path, only=("happy",), group_by=r"(p\d)-")
    index = pictures.index
    for i in range(41):
        assert (PARTS[index.parts[i]] == "other") == (index.class_of(i) != "happy")
    # 60/10/15/15 of ten people with two pictures each.
    sizes = [len(index.where(part)) for part in PARTS]
    assert sizes[4] == 21 and sum(sizes) == 41 and sizes[0] in (10, 12) and min(sizes) >= 2
    said = " ".join(pictures.notes)
    assert "21 pictures are not of happy: put aside" in said
    trained = {index.group_of(i) for i in index.where("train")}
    aside = sum(index.group_of(i) in trained for i in index.where("other"))
    assert f"{aside} pictures of a group that was trained on among those put aside." in said


def test_only_wants_a_class_that_there_is(tmp_path: Path) -> None:
    root = write_faces(tmp_path / "faces")
    with pytest.raises(UserError, match="--only hapy: there is no such class") as caught:
        loaded(root, tmp_path, only=("hapy",))
    assert caught.value.hint == "Classes are: happy, angry."
    with pytest.raises(UserError, match="--only happy: the pictures have no classes"):
        loaded(root / "happy", tmp_path, only=("happy",))


def test_parts_of_the_source_are_kept(tmp_path: Path) -> None:
    root = write_faces(tmp_path / "faces")
    fixed = {f"{label}/p{person}-0.png": "test" for label in ("happy", "angry") for person in range(5)}
    index = loaded(root, tmp_path, fixed).index
    assert {index.paths[i] for i in index.where("test")} == set(fixed)
    assert len(index.where("validation")) > 0 and len(index.where("train")) > 20


def test_a_folder_for_each_picture_is_no_class(tmp_path: Path) -> None:
    root = write_faces(tmp_path / "faces")
    for number, path in enumerate(sorted(root.glob("*/*.png"))[:5]):
        (tmp_path / "single" / f"c{number}").mkdir(parents=True)
        shutil.copy(path, tmp_path / "single" / f"c{number}")
    with pytest.raises(UserError, match="5 pictures in 5 classes"):
        loaded(tmp_path / "single", tmp_path)
