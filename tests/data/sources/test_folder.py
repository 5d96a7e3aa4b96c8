"""Folders as sources: classes from subfolders, groups from paths, links, odd names, what is counted and ignored."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vae_tf.config import DataConfig
from vae_tf.data.pictures import UnusablePicture
from vae_tf.data.sources import open_source
from vae_tf.data.sources.folder import FolderSource, labels_from_folders, list_pictures
from vae_tf.errors import UserError


def folder_of(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (9, 8), number).save(path)
    return root


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (["a.png", "b.png"], [None, None]),
        (["happy/1.png", "angry/1.png"], ["happy", "angry"]),
        (["images/1.png", "images/2.png"], [None, None]),
        (
            ["download/images/happy/1.png", "download/images/angry/p1/1.png", "download/images/angry/2.png"],
            ["happy", "angry", "angry"],
        ),
        (["happy/p1/1.png", "angry/p1/1.png"], ["happy", "angry"]),
        (["1.png", "happy/2.png", "angry/3.png"], [None, "happy", "angry"]),
        (["in/1.png", "in/happy/2.png", "in/angry/3.png"], [None, "happy", "angry"]),
        (["ha/1.png", "happy/2.png"], ["ha", "happy"]),
        (["only/one.png"], [None]),
    ],
)
def test_the_class_is_the_first_folder_in_which_paths_differ(
    paths: list[str], labels: list[str | None]
) -> None:
    assert labels_from_folders(paths) == labels


def test_entries_have_posix_paths_in_order_with_their_classes(tmp_path: Path) -> None:
    source = FolderSource(folder_of(tmp_path, "x/happy/2.png", "x/happy/1.PNG", "x/angry/deep/9.png"))
    found = [(entry.path, entry.label, entry.group) for entry in source.entries]
    assert found == [
        ("x/angry/deep/9.png", "angry", None),
        ("x/happy/1.PNG", "happy", None),
        ("x/happy/2.png", "happy", None),
    ]
    assert source.read(1)[0, 0, 0] == 1
    assert source.shape(1) == (8, 9, 1)


def test_hidden_files_are_ignored_and_other_files_are_counted(tmp_path: Path) -> None:
    folder_of(tmp_path, "1.png", ".hidden.png", ".thumbnails/1.png", "sub/.DS_Store.png")
    for name in ("a.txt", "b.TXT", "LICENSE", ".gitignore"):
        (tmp_path / name).write_text("text")
    source = FolderSource(tmp_path)
    assert [entry.path for entry in source.entries] == ["1.png"]
    (note,) = source.notes
    assert note.startswith("3 other files") and "2 .txt" in note and "1 without suffix" in note


def test_a_folder_named_like_a_picture_is_a_folder(tmp_path: Path) -> None:
    source = FolderSource(folder_of(tmp_path, "x.png/1.png", "y.png/1.png"))
    assert [entry.label for entry in source.entries] == ["x.png", "y.png"]


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        (r"(p\d+)-", ["p1", "p1", "p22"]),
        (r"p\d+", ["p1", "p1", "p22"]),
        (r"(p\d)(\d?)", ["p1", "p1", "p2"]),
        (r"/(?:p)(\d+)", ["1", "1", "22"]),
    ],
)
def test_the_first_capture_group_is_the_key(tmp_path: Path, pattern: str, keys: list[str]) -> None:
    folder_of(tmp_path, "angry/p1-0.png", "happy/p1-1.png", "happy/p22-0.png")
    source = FolderSource(tmp_path, pattern)
    assert [entry.group for entry in source.entries] == keys
    assert source.notes == []


def test_paths_without_a_key_are_said(tmp_path: Path) -> None:
    source = FolderSource(folder_of(tmp_path, "p1-0.png", "p2-0.png", "other.png"), r"(p\d)")
    assert [entry.group for entry in source.entries] == [None, "p1", "p2"]
    assert "in 1 paths" in source.notes[0]


@pytest.mark.parametrize("pattern", [r"person(\d+)", r"(person\d)?\.png"])
def test_a_pattern_without_any_key_names_a_path(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(UserError, match="matches none of the 2 paths") as caught:
        FolderSource(folder_of(tmp_path, "a.png", "b.png"), pattern)
    assert "'a.png'" in caught.value.hint


def test_an_invalid_pattern_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--group-by \(x: not a regular expression"):
        FolderSource(folder_of(tmp_path, "a.png"), "(x")


def test_a_missing_folder_offers_make_faces(tmp_path: Path) -> None:
    missing = str(tmp_path / "faces")
    with pytest.raises(UserError) as caught:
        open_source(DataConfig(source=missing))
    assert missing in caught.value.message
    assert f"make-faces {missing}" in caught.value.hint


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    folder_of(tmp_path, "a.png")
    with pytest.raises(UserError, match="is not a source") as caught:
        open_source(DataConfig(source=str(tmp_path / "a.png")))
    assert str(tmp_path) in caught.value.hint


def test_a_folder_without_pictures_names_the_formats(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(UserError, match="holds no pictures") as caught:
        open_source(DataConfig(source=str(tmp_path)))
    assert ".pgm" in caught.value.hint


def test_an_unknown_demo_names_the_known_one() -> None:
    with pytest.raises(UserError, match="demo:cats") as caught:
        open_source(DataConfig(source="demo:cats"))
    assert "demo:faces" in caught.value.hint


def test_the_fingerprint_changes_with_the_files_only(tmp_path: Path) -> None:
    folder_of(tmp_path, "a/1.png", "b/2.png")
    first = FolderSource(tmp_path).fingerprint()
    (tmp_path / "notes.txt").write_text("not a picture")
    assert FolderSource(tmp_path).fingerprint() == first
    assert FolderSource(tmp_path, r"(\d)").fingerprint() == first

    os.utime(tmp_path / "a/1.png", ns=(0, 1))
    touched = FolderSource(tmp_path).fingerprint()
    (tmp_path / "b/2.png").rename(tmp_path / "b/3.png")
    renamed = FolderSource(tmp_path).fingerprint()
    folder_of(tmp_path, "b/4.png")
    added = FolderSource(tmp_path).fingerprint()
    stat = (tmp_path / "a/1.png").stat()
    with open(tmp_path / "a/1.png", "ab") as file:
        file.write(b"more")
    os.utime(tmp_path / "a/1.png", ns=(0, stat.st_mtime_ns))
    grown = FolderSource(tmp_path).fingerprint()
    assert len({first, touched, renamed, added, grown}) == 5


def names(source: FolderSource) -> list[str]:
    return [entry.path for entry in source.entries]


def test_what_systems_leave_behind_is_ignored_without_a_word(tmp_path: Path) -> None:
    folder_of(tmp_path, "a/1.png", "b/2.png", "__MACOSX/a/1.png", "@eaDir/1.png", "$RECYCLE.BIN/1.png")
    folder_of(tmp_path, "lost+found/1.png", "a/._1.png", ".cache/1.png")
    for name in ("Thumbs.db", "a/desktop.ini", "b/.DS_Store"):
        (tmp_path / name).write_text("system")
    source = FolderSource(tmp_path)
    assert names(source) == ["a/1.png", "b/2.png"]
    assert source.notes == []


def test_a_dangling_link_is_listed_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "round.png").symlink_to(tmp_path / "round.png")
    source = FolderSource(tmp_path)
    assert names(source) == ["gone.png", "round.png"]
    for position in range(2):
        with pytest.raises(UnusablePicture, match="cannot be opened"):
            source.read(position)


def test_a_picture_that_is_linked_to_in_the_tree_is_listed_once_under_its_own_name(tmp_path: Path) -> None:
    folder_of(tmp_path, "z/real.png", "z/other.png")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/link.png").symlink_to(tmp_path / "z/real.png")
    (tmp_path / "b").symlink_to(tmp_path / "z")
    (tmp_path / "z/round").symlink_to(tmp_path)
    source = FolderSource(tmp_path)
    assert names(source) == ["z/other.png", "z/real.png"]
    assert source.notes == ["3 links lead to files or folders that were listed already; each was taken once."]


def test_links_out_of_the_tree_are_followed_once(tmp_path: Path) -> None:
    store = folder_of(tmp_path / "store", "1.png", "2.png", "more/3.png", "more/4.png")
    classes = tmp_path / "classes"
    (classes / "happy").mkdir(parents=True)
    (classes / "happy/1.png").symlink_to(store / "1.png")
    (classes / "happy/again.png").symlink_to(store / "1.png")
    (classes / "angry").symlink_to(store / "more")
    (classes / "twice").symlink_to(store / "more")
    source = FolderSource(classes)
    assert [(entry.path, entry.label) for entry in source.entries] == [
        ("angry/3.png", "angry"),
        ("angry/4.png", "angry"),
        ("happy/1.png", "happy"),
    ]
    assert source.read(2)[0, 0, 0] == 0 and source.read(0)[0, 0, 0] == 2
    assert source.notes[0].startswith("2 links lead")


def test_a_pipe_named_like_a_picture_does_not_hang(tmp_path: Path) -> None:
    folder_of(tmp_path, "1.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "pipe.png")
    source = FolderSource(tmp_path)
    assert names(source) == ["1.png"]
    assert source.notes == ["2 other files were left alone (2 .png)."]


ODD = [
    b"with spaces.png",
    "微笑.png".encode(),
    "😀.png".encode(),
    b"\xff\xfe.png",
    b"two\nlines.png",
    b"e\xcc\x81.png",
]


def test_odd_names_are_kept_and_read(tmp_path: Path) -> None:
    for number, name in enumerate([*ODD, b"\xc3\xa9.png"]):
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            Image.new("L", (9, 8), number).save(file, "png")
    source = FolderSource(tmp_path)
    found = {os.fsencode(entry.path): source.read(i)[0, 0, 0] for i, entry in enumerate(source.entries)}
    assert found == {name: number for number, name in enumerate([*ODD, b"\xc3\xa9.png"])}
    assert source.notes == []
    assert len(source.fingerprint()) == 64


PARTS = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20)


@given(st.lists(st.lists(PARTS, min_size=1, max_size=4), min_size=1, max_size=8))
def test_labels_are_folders_of_their_paths(parts: list[list[str]]) -> None:
    paths = ["/".join(part) + ".png" for part in parts]
    for path, label in zip(paths, labels_from_folders(paths), strict=True):
        assert label is None or f"/{label}/" in f"/{path}"


@contextlib.contextmanager
def very_deep(root: Path, levels: int) -> Iterator[None]:
    """`levels` folders called "d" in each other, with a picture in the last that has a short enough path."""
    here = os.getcwd()
    os.chdir(root)
    try:
        for level in range(levels):
            if level == 1500:
                Image.new("L", (9, 8)).save("deep.png")
            os.mkdir("d")
            os.chdir("d")
        yield
        for level in reversed(range(levels)):
            os.chdir("..")
            os.rmdir("d")
            if level == 1500:
                os.remove("deep.png")
    finally:
        os.chdir(here)


def test_four_thousand_folders_in_each_other(tmp_path: Path) -> None:
    with very_deep(tmp_path, 4000):
        source = FolderSource(tmp_path)
        assert names(source) == ["d/" * 1500 + "deep.png"]
        assert source.notes == ["1 folder could not be opened (no permission, or too long a path)."]


def test_folders_that_cannot_be_opened_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path, "open/1.png", "closed/2.png")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if path.name in ("closed", "itself"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    source = FolderSource(tmp_path)
    assert names(source) == ["open/1.png"]
    assert source.notes == ["1 folder could not be opened (no permission, or too long a path)."]
    (tmp_path / "itself").mkdir()
    with pytest.raises(UserError, match=r"itself cannot be opened \(Permission denied\)"):
        list_pictures(tmp_path / "itself")


def test_a_folder_without_pictures_names_what_may_have_been_meant(tmp_path: Path) -> None:
    for name in ("readme.txt", "sub/digits.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("none")
    with pytest.raises(UserError) as caught:
        FolderSource(tmp_path)
    assert "'sub/digits.npz'" in caught.value.hint and "readme" not in caught.value.hint


def test_a_picture_with_too_long_a_path_is_counted(tmp_path: Path) -> None:
    folder_of(tmp_path, "1.png")
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        # The folder can still be listed, by a path of fewer than 4,096 bytes; the picture in it cannot be reached.
        while len(os.getcwd()) < 3_900:
            os.mkdir("d" * 100)
            os.chdir("d" * 100)
        Image.new("L", (9, 8)).save("p" * 200 + ".png")
        os.symlink("nowhere", "q" * 200 + ".png")
    finally:
        os.chdir(here)
    source = FolderSource(tmp_path)
    assert names(source) == ["1.png"]
    assert source.notes == ["2 pictures could not be looked at (gone meanwhile, or too long a path)."]


def test_a_pipe_in_the_place_of_a_folder_or_an_archive_does_not_hang(tmp_path: Path) -> None:
    for name in ("pipe", "pipe.zip", "pipe.npz", "train-images-idx3-ubyte"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(UserError, match="is a pipe or a device"):
            open_source(DataConfig(source=str(tmp_path / name)))
