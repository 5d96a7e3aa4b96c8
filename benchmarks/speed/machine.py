"""What a figure was measured on."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory (GB) and the versions of what was compared."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    flags = ""
    if info.exists():
        lines = info.read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
        flags = next((line for line in lines if line.startswith("flags")), "")
    packages = {}
    for name in ("tensorflow", "keras", "torch", "pythae", "numpy", "opentsne", "umap-learn"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        # What computes in bfloat16, without which it is emulated.
        "bfloat16": "AMX" if "amx_bf16" in flags else "AVX-512" if "avx512_bf16" in flags else "",
        "memory_gb": round(memory),
        "python": platform.python_version(),
        "packages": packages,
        "load": os.getloadavg()[0],
    }
