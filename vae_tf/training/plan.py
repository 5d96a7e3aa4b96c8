"""What a training will do, resolved before it begins: sizes, steps, schedule, augmentation."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from vae_tf.config import TrainingConfig
from vae_tf.errors import UserError

# Fewer steps leave the decoder blurred, however few pictures there are; more overfit small sets (validation on
# 162 London faces was best at 1,300 steps).
DEFAULT_NUM_STEPS = 1500
SMALLEST_NUM_EPOCHS = 20
LARGEST_NUM_STEPS_PER_EXECUTION = 16
WARMUP_STEPS = 100
AVERAGE_DECAY = 0.998
# The usual 0.999 forgets a quiet past too slowly: a sudden gradient then moves the weights far (seen: divergence).
ADAM_BETA_2 = 0.99
CLIP_NORM = 1.0
FEW_PICTURES = 50
# Labelled pictures that come on top of each batch, where only some have a class.
SHARE_OF_LABELLED = 0.25


@dataclasses.dataclass(frozen=True)
class Plan:
    """All numbers that the loop needs; `notes` say how they were chosen.

    `batch_size` is that of the whole batch, however many replicas share it.
    `num_labelled` pictures with a class are added to each batch, where the model learns from few.
    """

    batch_size: int
    steps_per_epoch: int
    epochs: int
    learning_rate: float
    schedule: str
    steps_per_execution: int
    augmentation: dict[str, Any] | None
    seed: int
    notes: tuple[str, ...] = ()
    num_labelled: int = 0

    @property
    def num_steps(self) -> int:
        return self.epochs * self.steps_per_epoch


def make_plan(
    config: TrainingConfig,
    num_pictures: int,
    image_shape: tuple[int, ...],
    first_epoch: int = 0,
    learns_classes: bool = False,
    num_replicas: int = 1,
) -> Plan:
    """Fills in what `config` leaves open.

    Args:
        config: What the user asked for.
        num_pictures: Number of pictures, or sentences, to train on.
        image_shape: (H, W, C); (T,) of sentences.
        first_epoch: Epochs that a parent run has done; `config.epochs` come after them.
        learns_classes: Whether pictures with a class are worth more than others.
        num_replicas: Devices that share each batch; its size is rounded to a multiple of them.
    """
    wanted = min(config.batch_size or default_batch_size(num_pictures), max(num_pictures, 1))
    batch_size = max(wanted // num_replicas, 1) * num_replicas
    steps_per_epoch = math.ceil(num_pictures / batch_size)
    epochs = config.epochs or max(SMALLEST_NUM_EPOCHS, math.ceil(DEFAULT_NUM_STEPS / steps_per_epoch))
    augmentation, note = choose_augmentation(config.augment, num_pictures, image_shape)
    rounded = (
        [f"Batches of {batch_size} instead of {wanted}: each of {num_replicas} replicas takes equally many."]
        if batch_size != wanted
        else []
    )
    return Plan(
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        epochs=first_epoch + epochs,
        learning_rate=config.learning_rate,
        schedule=config.schedule,
        steps_per_execution=largest_divisor(steps_per_epoch, LARGEST_NUM_STEPS_PER_EXECUTION),
        augmentation=augmentation,
        seed=config.seed,
        notes=(note, *rounded),
        num_labelled=math.ceil(batch_size * SHARE_OF_LABELLED) if learns_classes else 0,
    )


def default_batch_size(num_pictures: int) -> int:
    if num_pictures <= 2_000:
        return 32
    return 64 if num_pictures <= 20_000 else 128


def largest_divisor(number: int, limit: int) -> int:
    """Keras runs whole executions only, so their length must divide the epoch's."""
    return max(divisor for divisor in range(1, min(number, limit) + 1) if number % divisor == 0)


def choose_augmentation(
    text: str, num_pictures: int, image_shape: tuple[int, ...]
) -> tuple[dict[str, Any] | None, str]:
    """ "auto", "none", or a comma-separated choice of mirror, shift and brightness."""
    names = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [name for name in names if name not in ("auto", "none", "mirror", "shift", "brightness")]
    if unknown or not names or (len(names) > 1 and {"auto", "none"} & set(names)):
        raise UserError(
            f"--augment {text}: expected auto, none, or some of mirror,shift,brightness.",
            "For example --augment shift where mirroring would be wrong.",
        )
    if len(image_shape) == 1:
        if names not in (["auto"], ["none"]):
            raise UserError(f"--augment {text} is about pictures, not sentences.", "Leave it out.")
        return None, "No augmentation: a sentence changed is another one."
    if names == ["none"]:
        return None, "No augmentation, as asked."
    if names == ["auto"]:
        names = ["mirror", "shift"] + (["brightness"] if num_pictures <= FEW_PICTURES else [])
    # Three pixels of 64, and in proportion: with 3 of 128 the model overfits sooner (London faces).
    shift = max(1, round(min(image_shape[:2]) * 3 / 64))
    chosen = {
        "mirror": "mirror" in names,
        "shift": shift if "shift" in names else 0,
        "brightness": 0.15 if "brightness" in names else 0.0,
    }
    words = {"mirror": "mirrored", "shift": f"shifted by up to {shift} px", "brightness": "brightened ±15 %"}
    said = ", ".join(words[name] for name in names)
    advice = " Mirroring is wrong for digits and text: --augment shift or none." if "mirror" in names else ""
    return chosen, f"Training pictures are {said} at random.{advice}"


def make_optimizer(plan: Plan, phases: Sequence[int] = (), adam: Any = None) -> Any:
    """Adam with a clipped gradient, on the plan's schedule.

    Args:
        plan: How long, and how fast.
        phases: Steps at which another part of the model begins to learn: the schedule begins anew there, so that the
            part before ends as slowly as a model of its own would.
        adam: Another class in the place of `Adam`.
    """
    from vae_tf.training.optimizer import Adam
    from vae_tf.training.schedules import Phases

    begins = [step for step in phases if 0 < step < plan.num_steps]
    lengths = np.diff([0, *begins, plan.num_steps])
    schedules = [learning_rate(plan, int(length)) for length in lengths]
    rate = Phases(schedules, begins) if begins else schedules[0]
    return (adam or Adam)(rate, beta_2=ADAM_BETA_2, global_clipnorm=CLIP_NORM)


def learning_rate(plan: Plan, num_steps: int) -> Any:
    """The plan's schedule over so many steps."""
    import keras

    from vae_tf.training.schedules import WarmUp

    if plan.schedule != "cosine":
        return WarmUp(plan.learning_rate, WARMUP_STEPS)
    warmup = min(WARMUP_STEPS, max(1, num_steps // 10))
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, num_steps - warmup), warmup_target=plan.learning_rate, warmup_steps=warmup
    )
