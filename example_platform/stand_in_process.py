"""`python -m example_platform.stand_in_process`: the stand-in, for as long as its standard input is open.

The first line of the input is what it is to remember (`stand_in.Memory`, as JSON). However the process at the
other end ends, the kernel closes the input, and nothing is left running.
"""

import json
import signal
import sys
from typing import Any

from connect.testing import StandIn
from connect.testing.store import PLATFORM


def main() -> None:
    # Ctrl-C is for the process at the other end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    memory: dict[str, Any] = json.loads(sys.stdin.readline())
    with StandIn() as stand_in:
        world = stand_in.world
        if memory["platform"]:
            world.platform_account = memory["platform"]
        with world.transaction():
            for account in memory["accounts"]:
                world.store.put(PLATFORM, account)
        print(stand_in.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
