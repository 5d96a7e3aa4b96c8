"""What lies where in a run."""

SCHEMA_VERSION = 2
# What makes a folder a finished stage; a run's own files, the one that makes it a run first; and of a training's state
# what must be as new as the file before the last.
RECORD = "stage.json"
FILES = ("run.json", "report.json")
CHECKPOINTS = ("checkpoints/best.npz", "metrics.jsonl", "checkpoints/last.npz")
