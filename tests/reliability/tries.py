"""How often the harnesses attack: as often as a promise names, times VAE_TF_TRIES."""

import os


def tries(count: int) -> int:
    """`count`, or the share or multiple of it that VAE_TF_TRIES asks for; at least one."""
    return max(1, round(count * float(os.environ.get("VAE_TF_TRIES", "1"))))
