"""Which arithmetic a model trains in: a static rule per kind of device and model, from measurements.

Measured on two cores with AMX (TensorFlow 2.21): convolutions are 2.1 times faster in bfloat16, and XLA makes
them 1.5 to 3.5 times slower; dense models gain 1.3 to 1.5 times from XLA in float32, at 28×28, 64×64×3 and
128×128×3 alike, and nothing from bfloat16.
Without bfloat16 instructions a CPU emulates them slowly.
"""

import dataclasses
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class Precision:
    """What was resolved, and why.

    Args:
        policy: Keras dtype policy of encoder and decoder.
        jit_compile: Whether XLA compiles the training step.
        device: "cpu" or "gpu", with its name.
        reason: One plain line.
    """

    policy: str
    jit_compile: bool
    device: str
    reason: str


def resolve(requested: str, recipe: str, device: str | None = None, capable: bool | None = None) -> Precision:
    """The precision for `recipe` on this machine's device.

    Args:
        requested: "auto", or a Keras dtype policy which then wins.
        recipe: Name of the recipe; "mlp" is the dense one.
        device: "cpu" or "gpu"; found out where None.
        capable: Whether the device computes bfloat16 in hardware; found out where None.
    """
    name = device or ""
    if device is None:
        device, name, gpu_capable = find_device()
        if capable is None:
            capable = gpu_capable if device == "gpu" else cpu_has_bfloat16()
    dense = recipe == "mlp"
    jit_compile = dense and device == "cpu"
    if requested != "auto":
        return Precision(requested, jit_compile, name, f"{requested}, as asked")
    if recipe == "sentence":
        return Precision(
            "float32", False, name, "float32: thousands of logits for every word need its digits"
        )
    if device == "gpu":
        policy = "mixed_bfloat16" if capable else "mixed_float16"
        return Precision(policy, jit_compile, name, f"{policy}: the GPU's fast arithmetic")
    if dense:
        return Precision("float32", jit_compile, name, "float32 with XLA: fastest for dense models on a CPU")
    if capable:
        return Precision(
            "mixed_bfloat16", jit_compile, name, "mixed_bfloat16: this CPU has bfloat16 instructions"
        )
    return Precision("float32", jit_compile, name, "float32: this CPU has no bfloat16 instructions")


def without_xla(precision: Precision) -> Precision:
    """The same for several replicas, which could not exchange anything from within XLA's code on a CPU."""
    if not precision.jit_compile:
        return precision
    reason = precision.reason.split(":")[0].replace(" with XLA", "")
    return dataclasses.replace(
        precision, jit_compile=False, reason=f"{reason}: several replicas train without XLA"
    )


def find_device() -> tuple[str, str, bool]:
    """(kind, name, whether it computes bfloat16 in hardware) of the device that TensorFlow will use."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details: dict[str, Any] = tf.config.experimental.get_device_details(gpus[0])
        capability = details.get("compute_capability", (7, 0))
        return "gpu", f"{len(gpus)} × {details.get('device_name', 'GPU')}", tuple(capability) >= (8, 0)
    import os

    return "cpu", f"CPU, {os.cpu_count()} cores", False


def cpu_has_bfloat16() -> bool:
    """Whether /proc/cpuinfo lists AMX or AVX-512 bfloat16 (False on systems without that file)."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags
