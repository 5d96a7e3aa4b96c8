"""`cli.py serve`, with every file that Python opens from then on written down, one path a line as JSON.

python -m tests.reliability.audited LOG serve FOLDER …
"""

import json
import os
import sys

WATCHED = {"open": 0, "os.listdir": 0, "os.scandir": 0, "os.mkdir": 0, "os.remove": 0, "os.rename": 0, "os.chmod": 0,
           "subprocess.Popen": 0, "os.system": 0, "os.exec": 0, "os.posix_spawn": 0}  # fmt: skip


def main() -> int:
    # Written with system calls alone: `open` would be watched as well.
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event in WATCHED:
            path = arguments[WATCHED[event]]
            if not isinstance(path, int):
                os.write(log, json.dumps([event, os.fsdecode(path) if path else "."]).encode() + b"\n")

    sys.addaudithook(watch)
    import cli

    return int(cli.main(sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
