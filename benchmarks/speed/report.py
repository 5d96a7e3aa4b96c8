"""docs/performance.md: its tables and plots, from what `make bench` measured; the text between them is written by hand.

A table stands between `<!-- NAME -->` and `<!-- end -->` in the page, and is written anew from benchmarks/results/.
"""

import contextlib
import json
import math
import re
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.speed.growth import exponent

ROOT = Path(__file__).resolve().parents[2]
RESULTS, PAGE, IMAGES = (
    ROOT / "benchmarks" / "results",
    ROOT / "docs" / "performance.md",
    ROOT / "docs" / "images",
)
TASKS = {"train": "training step", "forward": "forward", "embed": "embedding"}
NAMES = {"ours": "vae_tf", "pythae": "pythae", "keras": "Keras' example"}


def load(name: str) -> Any:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---", *["--:" for _ in header[1:]]], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine_in_words(machine: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    half = f", bfloat16 by {machine['bfloat16']}" if machine["bfloat16"] else ""
    return (
        f"{machine['cores']} cores ({machine['cpu']}{half}), {machine['memory_gb']} GB; "
        f"Python {machine['python']}, {packages}; load {machine['load']:.1f} at the end."
    )


def speeds(name: str) -> str | None:
    """Pictures per second and the ratio to ours, for every workload and contestant."""
    document = load(name)
    if document is None:
        return None
    pieces = [machine_in_words(document["machine"])]
    for workload, contestants in document["workloads"].items():
        medians = {
            contestant: {task: statistics.median(values) for task, values in found["speeds"].items()}
            for contestant, found in contestants.items()
        }
        flops = next((found["flops"] for found in contestants.values() if "flops" in found), None)
        if document["peak"] is None:
            flops = None
        rows = []
        for contestant, median in medians.items():
            cells = [f"{median[t]:,.0f} ({median[t] / medians['vae_tf'][t]:.2f})" for t in TASKS]
            rows.append([f"**{contestant}**" if contestant == "vae_tf" else contestant, *cells])
            if flops is not None:
                share = median["train"] * flops / document["peak"]["bfloat16"]
                rows[-1].append(f"{share:.0%}")
        header = [workload, *TASKS.values(), *(["of the peak"] if flops is not None else [])]
        pieces.append(table(header, rows))
    pieces.append(
        "Pictures per second, median; in brackets the ratio to vae_tf." + said_of_peak(document["peak"])
    )
    if name == "beside":
        pieces.append("![Pictures per second of training](images/performance-speeds.svg)")
    return "\n\n".join(pieces)


def said_of_peak(peak: dict[str, float] | None) -> str:
    if peak is None:
        return ""
    half, single = (peak[name] / 1e12 for name in ("bfloat16", "float32"))
    return (
        f" The peak is a product of matrices: {half:.2f} TFLOP/s in bfloat16, {single:.2f} in float32; its share is "
        "that of the training step, in bfloat16's terms for all."
    )


def quality() -> str | None:
    """How soon ours is where the others end."""
    rows = []
    for task in ("mnist", "london", "orl"):
        document = load(f"quality-{task}")
        if document is None:
            continue
        courses = document["courses"]
        for rival in [name for name in ("pythae", "keras") if name in courses]:
            seconds, value = courses[rival][-1]
            ours = next((at for at, reached in courses["ours"] if reached <= value), None)
            sooner = "—" if ours is None else f"{ours:.1f}"
            ratio = "—" if ours is None else f"{seconds / ours:.1f}"
            rows.append([f"{task}: {NAMES[rival]}", f"{value:.4g}", f"{seconds:.0f}", sooner, ratio])
        rows.append(
            [f"{task}: vae_tf", f"{courses['ours'][-1][1]:.4g}", f"{courses['ours'][-1][0]:.0f}", "", ""]
        )
        rows += [[document["note"], "", "", "", ""]] if "note" in document else []
    header = ["", "at its end", "seconds", "vae_tf is there after", "times sooner"]
    return table(header, rows) if rows else None


def growth() -> str | None:
    document = load("growth")
    if document is None:
        return None
    rows = []
    for what, series in document["series"].items():
        sizes = tuple(series["sizes"])
        for stage in series["rows"][0]:
            seconds = [row[stage]["seconds"] for row in series["rows"]]
            megabytes = [row[stage]["megabytes"] for row in series["rows"]]
            rows.append(
                [
                    f"{stage}, {what} {' → '.join(f'{s:,}' for s in sizes)}",
                    " → ".join(f"{s:.1f}" for s in seconds),
                    f"{exponent(sizes, seconds):.2f}",
                    " → ".join("–" if m is None else f"{m:,.0f}" for m in megabytes),
                ]
            )
    plot = "![Seconds and memory against sizes](images/performance-growth.svg)"
    return f"{table(['', 'seconds', 'exponent', 'MB at most'], rows)}\n\n{plot}"


def maps() -> str | None:
    document = load("maps")
    if document is None:
        return None
    rows = [
        [
            f"{row['method']}, {row['pictures']:,}",
            f"{row['landmarks']:,}" if row["landmarks"] else "all",
            f"{row['seconds']:.0f}",
            f"{row['trustworthiness']:.3f}",
        ]
        for row in document["rows"]
    ]
    return table(["", "mapped", "seconds", "trustworthiness"], rows)


def pipeline() -> str | None:
    document = load("input")
    if document is None:
        return None
    cost, training, embedding = document["cost"], document["training"], document["embedding"]
    above = (training["highest"] - training["before"]) / 1e9
    return "\n".join(
        [
            *(said_of_decoding(what, speeds) for what, speeds in document["decoding"].items()),
            *(said_of_cost(cost) if cost else ()),
            f"- Anonymous memory while 200,000 pictures of 64×64 ({training['pictures'] / 1e9:.1f} GB) train: "
            f"{above:.2f} GB above that of the same model after a few pictures.",
            "- Anonymous memory after embedding "
            + ", ".join(f"{int(count):,} pictures: {held / 1e9:.2f} GB" for count, held in embedding.items())
            + ".",
        ]
    )


def ray() -> str | None:
    document = load("ray")
    if document is None:
        return None
    rows = [
        [
            f"{int(count):,}",
            f"{found['seconds']:.0f}",
            f"{found['megabytes']:,.0f}",
            f"{found['store_megabytes']:.0f}",
        ]
        for count, found in document["counts"].items()
    ]
    return table(["pictures", "seconds", "MB of all processes, at most", "MB of the object store"], rows)


def said_of_decoding(what: str, speeds: dict[str, float]) -> str:
    count, side = (int(number) for number in what.split(" of "))
    one, every = speeds.values()
    return (
        f"- Decoding {count:,} JPEG files of {side:,}×{side:,} into a cache of 64×64: {one:,.0f} a second by one "
        f"thread, {every:,.0f} by one for each core ({every / one:.2f} times)."
    )


def said_of_cost(cost: dict[str, float]) -> list[str]:
    extra = cost["cache"] / cost["resident"] - 1
    return [
        f"- 64 steps of 128 pictures of 64×64 out of 200,000: {cost['cache']:.2f} s from the cache, "
        f"{cost['resident']:.2f} s from one batch that lies in memory: {extra:+.1%}."
    ]


@contextlib.contextmanager
def drawing(path: Path, rows: int, columns: int, size: tuple[float, float]) -> Iterator[Any]:
    """Axes [rows, columns] of a figure that is then written to `path`."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns

    sns.set_theme(style="whitegrid", context="notebook")
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    yield axes
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def draw_speeds(path: Path) -> None:
    document = load("beside")
    if document is None:
        return
    workloads = document["workloads"]
    with drawing(path, 1, len(workloads), (15, 3.8)) as axes:
        for axis, (workload, contestants) in zip(axes[0], workloads.items(), strict=True):
            values = [statistics.median(found["speeds"]["train"]) for found in contestants.values()]
            colours = ["#1b6ca8" if name.startswith("vae_tf") else "#b9c4cc" for name in contestants]
            axis.barh(list(contestants), values, color=colours)
            axis.invert_yaxis()
            axis.set_title(workload)
            axis.set_xlabel("pictures/s, training")


def draw_growth(path: Path) -> None:
    document = load("growth")
    if document is None:
        return
    with drawing(path, 2, len(document["series"]), (13, 6.5)) as axes:
        for column, (what, series) in enumerate(document["series"].items()):
            for row, name in enumerate(("seconds", "megabytes")):
                axis = axes[row, column]
                for stage in series["rows"][0]:
                    # What was not measured leaves a gap.
                    values = [found[stage][name] or math.nan for found in series["rows"]]
                    axis.loglog(series["sizes"], values, marker="o", label=stage)
                if all(math.isnan(line.get_ydata()[0]) for line in axis.lines):
                    axis.set_axis_off()
                    continue
                label_plainly(axis, series["sizes"])
                if name == "megabytes":
                    # Most of it is there before the first picture: from zero on, growth looks as large as it is.
                    axis.set_yscale("linear")
                    axis.set_ylim(bottom=0)
                axis.set_xlabel(f"number of {what}s" if what == "latent" else what)
                axis.set_ylabel("seconds" if name == "seconds" else "MB held at most")
        axes[0, 0].legend()


def label_plainly(axis: Any, sizes: list[int]) -> None:
    """Numbers, not powers of ten, at the sizes that were measured and at 1, 2, 5, 10, …"""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


TABLES: dict[str, Callable[[], str | None]] = {
    "speeds": lambda: speeds("beside"),
    "gpu": lambda: speeds("gpu"),
    "quality": quality,
    "growth": growth,
    "maps": maps,
    "input": pipeline,
    "ray": ray,
}


def main() -> None:
    text = PAGE.read_text()
    for name, make in TABLES.items():
        found = make()
        if found is not None:
            text = re.sub(
                rf"(<!-- {name} -->\n).*?(<!-- end -->)",
                lambda match, found=found: f"{match[1]}\n{found}\n\n{match[2]}",
                text,
                flags=re.DOTALL,
            )
    PAGE.write_text(text)
    draw_speeds(IMAGES / "performance-speeds.svg")
    draw_growth(IMAGES / "performance-growth.svg")


if __name__ == "__main__":
    main()
