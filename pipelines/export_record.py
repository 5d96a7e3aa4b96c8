"""From the stage `export` to its page."""

from typing import Any

from pipelines.run_data import Examples, Subject
from reports.records import Difference, ExportRecord, OtherFormat, RunFacts, Signature, Tensor
from vae_tf.artifacts.stage import Stage
from vae_tf.data.dataset import Pictures
from vae_tf.serving.formats import FORMATS


def export(subject: Subject, facts: RunFacts, examples: Examples) -> ExportRecord:
    stage = subject.computed("export")
    results = stage.record["results"]
    return ExportRecord(
        run=facts,
        location=f"{stage.folder.parent.name}/{stage.name}",
        signatures=[
            signature(name, described, results["parity"]) for name, described in results["signatures"].items()
        ],
        largest=results["largest_difference"],
        checked_on=results["checked_on"],
        files=results["files"],
        examples=serving_examples(stage, examples),
        sizes=[
            (path.relative_to(stage.folder).as_posix(), path.stat().st_size)
            for path in sorted((stage.folder / "1").rglob("*"))
            if path.is_file()
        ],
        formats=other_formats(subject, stage),
    )


def other_formats(subject: Subject, source: Stage) -> list[OtherFormat]:
    """What was made of this SavedModel in other formats, each as it was made first."""
    stages = [stage for name in FORMATS for stage in subject.run.stages(f"export-{name}")]
    return [other_format(stage) for stage in stages if stage.record["inputs"]["export"] == source.hash]


def other_format(stage: Stage) -> OtherFormat:
    results = stage.record["results"]
    errors, tolerance = results["squared_errors"], results["tolerance"]
    return OtherFormat(
        title=FORMATS[results["format"]].title,
        weights=results["weights"],
        location=f"{stage.folder.parent.name}/{stage.name}/model",
        num_bytes=results["num_bytes"],
        largest=results["largest_difference"],
        mean=results["mean_difference"],
        tolerances=(tolerance["largest"], tolerance["mean"]),
        rise=errors and errors[1] / errors[0] - 1.0,
        speeds=[(size, one["format"], one["saved_model"]) for size, one in results["speeds"].items()],
        left_out=list(results["left_out"].items()),
    )


def signature(name: str, described: dict[str, Any], parity: list[dict[str, Any]]) -> Signature:
    return Signature(
        name=name,
        summary=described["summary"],
        inputs=[tensor(key, value) for key, value in described["inputs"].items()],
        outputs=[tensor(key, value) for key, value in described["outputs"].items()],
        differences=[
            Difference(
                output=row["output"],
                largest=row["largest_difference"],
                mean=row["mean_difference"],
                tolerance=row["tolerance"],
                scale=row["scale"],
            )
            for row in parity
            if row["signature"] == name
        ],
    )


def tensor(name: str, described: dict[str, Any]) -> Tensor:
    shape = ", ".join(str(side) for side in described["shape"])
    values = f": {', '.join(described['values'])}" if "values" in described else ""
    return Tensor(
        name=name, shape=f"[{shape}]", dtype=described["dtype"], meaning=described["meaning"] + values
    )


def serving_examples(stage: Stage, examples: Examples) -> list[tuple[str, str]]:
    """To be typed in the folder of runs: a page tells nothing of the machine that wrote it."""
    folder = f"{stage.folder.parent.name}/{stage.name}"
    name = stage.record["results"]["name"]
    docker = (
        "docker run -p 8500:8500 -p 8501:8501 \\\n"
        f'  -v "$PWD/{folder}:/models/{name}" \\\n'
        f"  -e MODEL_NAME={name} tensorflow/serving"
    )
    here = f"python cli.py serve {stage.folder.parent.name}"
    return [
        ("TF Serving, in the folder of runs", docker),
        ("Or the local server, for development", here),
        ("REST", rest_example(name, stage.record["results"]["signatures"])),
        ("Python, without this project, in the folder of runs", python_example(folder, examples)),
    ]


def rest_example(name: str, signatures: dict[str, Any]) -> str:
    """A line of curl for either server."""
    url = f"http://localhost:8501/v1/models/{name}:predict"
    if "encode_text" in signatures:
        body = '{"signature_name": "encode_text", "instances": ["One sentence."]}'
        return f"curl -d '{body}' {url}"
    if "encode_bytes" in signatures:
        body = '{"signature_name": "encode_bytes", "instances": [{"b64": "%s"}]}'
        return f"printf '{body}' \\\n  \"$(base64 -w0 picture.jpg)\" |\n  curl -d @- {url}"
    return f"curl {url.removesuffix(':predict')}/metadata"


def python_example(folder: str, examples: Examples) -> str:
    if isinstance(examples, Pictures):
        height, width, channels = examples.shape.image_shape
        given = f"pictures = tf.zeros([1, {height}, {width}, {channels}])  # float32 in [0, 1]\n"
        call = 'latents = model.signatures["encode"](pictures=pictures)["mean"]'
    else:
        given = 'sentences = tf.constant(["One sentence."])\n'
        call = 'latents = model.signatures["encode_text"](sentences=sentences)["mean"]'
    return f'import tensorflow as tf\n\nmodel = tf.saved_model.load("{folder}/1")\n{given}{call}'
