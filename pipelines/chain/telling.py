"""What every command says: its run, what was done, the page, and how good the model is."""

import time
from typing import Any

from pipelines.console import import_tensorflow_quietly, say, seconds
from vae_tf.artifacts.publishing import address_of
from vae_tf.artifacts.run import Run
from vae_tf.artifacts.runs import find_run
from vae_tf.artifacts.stage import Stage


def started_with(text: str | None) -> Run:
    """The run that a command is about; says which where none was named."""
    run = find_run(text)
    say(f"run {run.name}" + ("" if text else " (the newest)"), style="bold")
    import_tensorflow_quietly()
    return run


def told(stage: Stage, what: str, began: float) -> None:
    made_before = stage.record["finished"] < began
    how = (
        " (made before: nothing has changed since)" if made_before else f" in {seconds(time.time() - began)}"
    )
    say(f"  {what}{how}")


def about(subject: Any) -> str:
    """What a command needs to be about the same run and pictures; nothing for the newest run's own.

    Raises:
        FileNotFoundError: The run was deleted or renamed meanwhile.
    """
    subject.run.check_exists()
    if subject.is_own:
        return "" if find_run(None).name == subject.run.name else f" {subject.run.name}"
    return f" {subject.run.name} {subject.source_name}"


def show_quality(subject: Any) -> None:
    from pipelines.evaluate import evaluate, verdict
    from pipelines.text_scores import text_verdict

    stage = evaluate(subject)
    with stage.reading():
        scores = stage.record["results"]["scores"]
        if subject.is_text:
            say(f"  {text_verdict(scores)}")
            return
        shown = "test" if "test" in scores else "validation"
        for part, words in ((shown, "unseen" if shown == "test" else shown), ("train", "trained on")):
            if part in scores:
                vae, pca = scores[part]["vae"], scores[part]["pca"]
                say(
                    f"  {words}: MSE {vae['mse']['value']:.5f}, SSIM {vae['ssim']['value']:.3f}"
                    f"   PCA: MSE {pca['mse']['value']:.5f}, SSIM {pca['ssim']['value']:.3f}"
                    + ("" if scores[part]["elbo"] is None else f"   ELBO {scores[part]['elbo']:,.1f} nats")
                )
        say(f"  {verdict(scores)}")


def show_page(subject: Any, page: str, single_file: bool = False) -> None:
    from pipelines.report import write_report

    index = write_report(subject, single_file)
    say(f"  page: {index.parent / page}", style="bold")
    if subject.run.mirror is not None:
        say(f"  also at {address_of(index.parent)}/")
