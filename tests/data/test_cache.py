"""The decoded cache: built once, whole or not there, and keyed by files and options; size and channels chosen."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vae_tf.data import cache as cache_module
from vae_tf.data.cache import Cache, Shape, choose_shape, choose_size, open_cache
from vae_tf.data.resize import resize
from vae_tf.data.sources.folder import FolderSource
from vae_tf.errors import UserError

SHAPE = Shape(16, 16, 3, "crop")


@pytest.fixture
def source(tmp_path: Path) -> FolderSource:
    """Eight usable pictures of different sizes and modes, an empty file and a text."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(8):
        shape = (16 + number, 20) if number % 2 else (16 + number, 20, 3)
        Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)).save(folder / f"{number}.png")
    (folder / "3empty.png").write_bytes(b"")
    (folder / "5text.jpg").write_text("text")
    return FolderSource(folder)


def expected_pixels(source: FolderSource, shape: Shape) -> NDArray[np.uint8]:
    usable = [i for i, entry in enumerate(source.entries) if entry.path not in ("3empty.png", "5text.jpg")]
    return np.stack([resize(source.read(i), *shape.image_shape, shape.fit).numpy() for i in usable])


def test_pixels_positions_and_skipped_files(source: FolderSource, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    cache = open_cache(source, SHAPE, tmp_path / "cache", lambda done, total: calls.append((done, total)))
    assert np.array_equal(cache.images, expected_pixels(source, SHAPE))
    assert not cache.images.flags.writeable
    assert [source.entries[i].path for i in cache.positions] == [f"{i}.png" for i in range(8)]
    assert cache.skipped == [
        ("3empty.png", "the file is empty"),
        ("5text.jpg", "not a picture that Pillow can read"),
    ]
    assert calls == [(10, 10)]


def test_order_holds_over_many_blocks(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(600):
        value = np.array([number // 256, number % 256, 0], np.uint8)
        Image.fromarray(np.tile(value, (16, 16, 1))).save(folder / f"{number:03d}.png", compress_level=0)
    calls: list[tuple[int, int]] = []
    cache = open_cache(
        FolderSource(folder), SHAPE, tmp_path / "cache", lambda done, total: calls.append((done, total))
    )
    numbers = 256 * cache.images[:, 8, 8, 0].astype(int) + cache.images[:, 8, 8, 1]
    assert numbers.tolist() == list(range(600))
    assert calls == [(256, 600), (512, 600), (600, 600)]


def test_it_is_built_once(source: FolderSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_cache(source, SHAPE, tmp_path / "cache")

    def fail(self: FolderSource, position: int) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(FolderSource, "read", fail)
    second = open_cache(FolderSource(source.root), SHAPE, tmp_path / "cache")
    assert second.fingerprint == first.fingerprint
    assert np.array_equal(second.images, first.images)
    assert np.array_equal(second.positions, first.positions)
    assert second.skipped == first.skipped


def test_every_option_and_every_file_is_in_the_key(source: FolderSource, tmp_path: Path) -> None:
    shapes = [
        SHAPE,
        Shape(20, 16, 3, "crop"),
        Shape(16, 20, 3, "crop"),
        Shape(16, 16, 1, "crop"),
        Shape(16, 16, 3, "pad"),
    ]
    caches = [open_cache(source, shape, tmp_path / "cache") for shape in shapes]
    for shape, cache in zip(shapes, caches, strict=True):
        assert np.array_equal(cache.images, expected_pixels(source, shape))
    Image.new("RGB", (20, 20)).save(source.root / "9.png")
    caches.append(open_cache(FolderSource(source.root), SHAPE, tmp_path / "cache"))
    assert len(caches[-1].images) == 9
    assert len({cache.fingerprint for cache in caches}) == 6
    same = open_cache(
        FolderSource(source.root, r"(\d)"), Shape(16, 16, 3, "crop", reasons=("why",)), tmp_path / "cache"
    )
    assert same.fingerprint == caches[-1].fingerprint


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError])
def test_an_interrupted_build_leaves_nothing_and_the_next_succeeds(
    source: FolderSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    read = FolderSource.read

    def interrupted(self: FolderSource, position: int) -> NDArray[np.uint8]:
        if position == 6:
            raise error
        return read(self, position)

    with monkeypatch.context() as patch:
        patch.setattr(FolderSource, "read", interrupted)
        with pytest.raises(error):
            open_cache(source, SHAPE, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    cache = open_cache(source, SHAPE, tmp_path / "cache")
    assert np.array_equal(cache.images, expected_pixels(source, SHAPE))


def test_what_a_killed_build_left_is_not_taken_for_a_cache(source: FolderSource, tmp_path: Path) -> None:
    fingerprint = open_cache(source, SHAPE, tmp_path / "elsewhere").fingerprint
    left = tmp_path / "cache" / f".partial-1-{fingerprint}"
    left.mkdir(parents=True)
    (left / "pixels.raw").write_bytes(b"half")
    cache = open_cache(source, SHAPE, tmp_path / "cache")
    assert np.array_equal(cache.images, expected_pixels(source, SHAPE))
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [fingerprint]


def test_a_cache_without_its_index_is_made_anew(source: FolderSource, tmp_path: Path) -> None:
    cache = open_cache(source, SHAPE, tmp_path / "cache")
    (tmp_path / "cache" / cache.fingerprint / "index.json").unlink()
    assert np.array_equal(open_cache(source, SHAPE, tmp_path / "cache").images, cache.images)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [cache.fingerprint]


def test_a_build_that_comes_second_takes_the_first_ones_pixels(
    source: FolderSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, results = cache_module.build, []

    def late(*arguments: object) -> None:
        # Another process finishes the same folder between our look and our build.
        monkeypatch.setattr(cache_module, "build", build)
        results.append(open_cache(source, SHAPE, tmp_path / "cache"))
        build(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(cache_module, "build", late)
    second: Cache = open_cache(source, SHAPE, tmp_path / "cache")
    assert np.array_equal(second.images, results[0].images)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [second.fingerprint]


@pytest.mark.slow
def test_two_processes_building_at_once_both_succeed(source: FolderSource, tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from vae_tf.data import cache, sources
        class Slow(sources.FolderSource):
            def read(self, position):
                # Neither goes on before both build.
                Path(sys.argv[3]).touch()
                while len(list(Path(sys.argv[3]).parent.glob("ready-*"))) < 2:
                    time.sleep(0.01)
                return super().read(position)
        result = cache.open_cache(Slow(Path(sys.argv[1])), cache.Shape(16, 16, 3, "crop"), Path(sys.argv[2]))
        print(result.fingerprint, int(result.images.sum(dtype="int64")))
    """)
    (tmp_path / "cache").mkdir()
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                program,
                str(source.root),
                str(tmp_path / "cache"),
                str(tmp_path / f"ready-{i}"),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(2)
    ]
    outputs = [process.communicate(timeout=120)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    cache = open_cache(source, SHAPE, tmp_path / "cache")
    total = int(expected_pixels(source, SHAPE).sum(dtype=np.int64))
    assert outputs == [[cache.fingerprint, str(total)]] * 2
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [cache.fingerprint]


def test_a_source_without_one_usable_picture_says_so(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "pictures" / name).write_bytes(b"")
    source = FolderSource(tmp_path / "pictures")
    for attempt in (
        lambda: open_cache(source, SHAPE, tmp_path / "cache"),
        lambda: choose_shape(source, None, None, "crop"),
    ):
        with pytest.raises(UserError, match="None of the 2 pictures") as caught:
            attempt()
        assert caught.value.hint == "The first: a.png: the file is empty"


@pytest.mark.parametrize(
    ("sizes", "chosen"),
    [
        ([(28, 28)] * 5, (28, 28)),
        ([(112, 92)] * 5, (112, 92)),
        ([(128, 128)] * 2, (128, 128)),
        ([(7, 28)] * 2, (32, 32)),
        ([(129, 128)] * 2, (128, 128)),
        ([(256, 300)] * 3, (128, 128)),
        ([(100, 300)] * 3, (64, 64)),
        ([(63, 90), (63, 64), (63, 63)], (32, 32)),
        ([(20, 20), (25, 25)], (32, 32)),
        ([(64, 64)] * 9 + [(65, 64)], (64, 64)),
        ([(40, 40), (70, 70), (500, 500)], (64, 64)),
    ],
)
def test_choose_size(sizes: list[tuple[int, int]], chosen: tuple[int, int]) -> None:
    size, reason = choose_size(sizes)
    assert size == chosen
    assert f"{chosen[0]}×{chosen[1]}" in reason


def test_shape_is_as_asked_or_chosen_and_said(source: FolderSource) -> None:
    assert choose_shape(source, (24, 40), 1, "pad") == Shape(24, 40, 1, "pad")
    chosen = choose_shape(source, None, 3, "crop")
    assert chosen.image_shape == (32, 32, 3)
    assert "32×32" in chosen.reasons[0] and len(chosen.reasons) == 1


def test_grey_and_colour_mixed_are_the_users_to_decide(source: FolderSource) -> None:
    with pytest.raises(UserError, match="4 of 8 pictures") as caught:
        choose_shape(source, (24, 40), None, "crop")
    assert "--rgb" in caught.value.hint and "--grey" in caught.value.hint


def test_a_stray_grey_picture_among_colours_is_said_and_no_error(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    for number in range(20):
        pixels = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels[..., 0] if number == 7 else pixels).save(tmp_path / f"{number}.png")
    shape = choose_shape(FolderSource(tmp_path), None, None, "crop")
    assert shape.channels == 3 and "1 of 20" in shape.reasons[1] and "--grey" in shape.reasons[1]


@pytest.mark.parametrize(
    ("kind", "channels"), [("grey", 1), ("grey as colour", 1), ("some colour", 3), ("colour", 3)]
)
def test_grey_is_recognised_even_in_colour_files(tmp_path: Path, kind: str, channels: int) -> None:
    random = np.random.default_rng(1)
    for number in range(6):
        pixels = random.integers(0, 256, (16, 16), dtype=np.uint8)
        if kind != "grey":
            pixels = np.repeat(pixels[..., None], 3, -1)
        if kind == "colour" or (kind == "some colour" and number == 4):
            pixels[3, 3, 2] ^= 0x40
        suffix = "png" if number % 2 or kind != "grey as colour" else "jpg"
        Image.fromarray(pixels).save(tmp_path / f"{number}.{suffix}")
    shape = choose_shape(FolderSource(tmp_path), None, None, "crop")
    assert shape.image_shape == (16, 16, channels)
