"""Arguments and options that several commands take: their words, and where help shows them."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.command_line import complete_recipes, complete_runs, read_config_file

DATA, LABELS, MODEL, TRAINING = "Pictures", "Labels, groups and facts", "Model", "Training"
TEXT = "Sentences"
ENGINE = "Engine"

RunArgument = Annotated[
    str | None,
    typer.Argument(
        help="Name, number or folder of a run; the newest where left out.", autocompletion=complete_runs
    ),
]
SOURCES = (
    "A folder of pictures, a zip or tar archive, a file of arrays (.npz, .npy, IDX, HDF5), "
    "tfds:NAME, or demo:faces; with --recipe sentence a text file, one sentence to a line."
)
SourceArgument = Annotated[str, typer.Argument(help=SOURCES)]
OtherSource = Annotated[
    str | None,
    typer.Argument(
        metavar="[SOURCE]", help="Other pictures than the run's own: any source that train takes."
    ),
]
Latent = Annotated[int, typer.Option(help="Number of latent dimensions.")]
Recipe = Annotated[
    str, typer.Option(help="A named model; `recipes` lists them.", autocompletion=complete_recipes)
]
Epochs = Annotated[
    int | None, typer.Option(help="Passes over the pictures; about 1,500 steps where left out.")
]
Seed = Annotated[int, typer.Option(help="Decides splits, weights, order and noise.")]
Name = Annotated[str | None, typer.Option(help="Name of the run.")]
Thumbnails = Annotated[
    bool | None,
    typer.Option(
        "--thumbnails/--no-thumbnails",
        help="Whether the run's pages show pictures and file names, from now on. Default: they do.",
        show_default=False,
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="TOML file of options by their own names; what is typed wins.",
        metavar="FILE",
        is_eager=True,
        callback=read_config_file,
    ),
]


def engine_options(
    engine: Annotated[
        str,
        typer.Option(
            help="local, or ray: on as many machines as a Ray cluster has (requirements-ray.txt).",
            metavar="ENGINE",
            rich_help_panel=ENGINE,
        ),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            help="Of the Ray cluster: auto, HOST:PORT; RAY_ADDRESS or this machine where left out.",
            metavar="ADDRESS",
            rich_help_panel=ENGINE,
        ),
    ] = None,
) -> None:
    """Where the work is done; shared by the commands that a cluster can do."""


def label_options(
    labels: Annotated[
        str | None,
        typer.Option(
            help="CSV, TSV or Parquet file of classes, groups, parts and further facts.",
            metavar="FILE",
            rich_help_panel=LABELS,
        ),
    ] = None,
    file_column: Annotated[
        str | None,
        typer.Option(
            help="Its column of paths, names or stems; guessed.", metavar="NAME", rich_help_panel=LABELS
        ),
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option(help="Its column of classes; guessed.", metavar="NAME", rich_help_panel=LABELS),
    ] = None,
    group_column: Annotated[
        str | None,
        typer.Option(
            help="Its column of persons (or plates …); guessed.", metavar="NAME", rich_help_panel=LABELS
        ),
    ] = None,
    split_column: Annotated[
        str | None,
        typer.Option(
            help="Its column of parts: train, validation, test.", metavar="NAME", rich_help_panel=LABELS
        ),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            help="Regular expression on the path; its first capture group names the person.",
            metavar="REGEX",
            rich_help_panel=LABELS,
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="Name of the pictures in a file of arrays or a tfds set.",
            metavar="NAME",
            rich_help_panel=DATA,
        ),
    ] = None,
    frames: Annotated[
        str, typer.Option(help="first or all, of animations and files of many pages.", rich_help_panel=DATA)
    ] = "first",
    range_: Annotated[
        str | None,
        typer.Option(
            "--range",
            help="Values of black and white, for 16-bit and float data; chosen from the data.",
            metavar="LOW:HIGH",
            rich_help_panel=DATA,
        ),
    ] = None,
) -> None:
    """How a source is read; shared by the commands that read one."""


def training_options(
    latent: Latent = 30,
    recipe: Recipe = "conv",
    likelihood: Annotated[
        str | None,
        typer.Option(
            help="gaussian, bernoulli, continuous_bernoulli …; the recipe's.", rich_help_panel=MODEL
        ),
    ] = None,
    beta: Annotated[
        float | None,
        typer.Option(
            help="Weight of the KL, 1 is the plain ELBO; the recipe's where left out.", rich_help_panel=MODEL
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="AXIS.ARGUMENT=VALUE, such as likelihood.scale=0.1.", rich_help_panel=MODEL
        ),
    ] = None,
    epochs: Epochs = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Pictures per step.", rich_help_panel=TRAINING)
    ] = None,
    learning_rate: Annotated[
        float, typer.Option(help="Adam's step size after warm-up.", rich_help_panel=TRAINING)
    ] = 1e-3,
    schedule: Annotated[
        str, typer.Option(help="constant, or cosine over the planned epochs.", rich_help_panel=TRAINING)
    ] = "constant",
    kl_warmup: Annotated[
        int, typer.Option(help="Steps over which the KL's weight rises to β.", rich_help_panel=TRAINING)
    ] = 0,
    augment: Annotated[
        str, typer.Option(help="auto, none, or some of mirror,shift,brightness.", rich_help_panel=TRAINING)
    ] = "auto",
    precision: Annotated[
        str, typer.Option(help="auto, float32, mixed_float16 or mixed_bfloat16.", rich_help_panel=TRAINING)
    ] = "auto",
    seed: Seed = 0,
    test: Annotated[
        str | None,
        typer.Option(
            help="A source whose pictures are the test part.", metavar="SOURCE", rich_help_panel=DATA
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Train on this class alone; the others are put aside, embedded and shown. Repeatable.",
            metavar="CLASS",
            rich_help_panel=DATA,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Shares of train/validation/test, and of calibration as a fourth; 80/10/10, with --only 60/10/15/15.",
            metavar="SHARES",
            rich_help_panel=DATA,
        ),
    ] = None,
    labelled_fraction: Annotated[
        float | None,
        typer.Option(
            help="Share of the training labels that training may see, 0.01 say; the others check predictions.",
            metavar="SHARE",
            rich_help_panel=DATA,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(help="Side, or HEIGHTxWIDTH, in pixels; chosen from the data.", rich_help_panel=DATA),
    ] = None,
    fit: Annotated[
        str, typer.Option(help="crop, pad or stretch pictures of other proportions.", rich_help_panel=DATA)
    ] = "crop",
    grey: Annotated[
        bool | None,
        typer.Option("--grey/--rgb", help="Default: what the pictures are.", rich_help_panel=DATA),
    ] = None,
    tokens: Annotated[
        str, typer.Option(help="words or characters, of which sentences are made.", rich_help_panel=TEXT)
    ] = "words",
    longest: Annotated[
        int | None,
        typer.Option(
            help="Tokens of a sentence at most, longer ones are left out; 40 words or 120 characters.",
            rich_help_panel=TEXT,
        ),
    ] = None,
    min_count: Annotated[
        int | None,
        typer.Option(help="Rarer tokens become <unk>; 2 for words, 1 for characters.", rich_help_panel=TEXT),
    ] = None,
    name: Name = None,
    thumbnails: Thumbnails = None,
    config: ConfigFile = None,
) -> None:
    """What decides a run; shared by `train` and `run`."""
