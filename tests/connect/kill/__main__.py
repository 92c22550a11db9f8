"""`python -m tests.connect.kill [EVENTS] [SEED] [RESTARTS]`: run, and print the figures as one line of JSON."""

import json
import signal
import sys
import time

from tests.connect.kill.run import Wrong, run

EVENTS = 25_000
EVENTS_A_RESTART = 2_500


def main() -> None:
    # Ended politely, it leaves nothing behind either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    numbers = [int(argument) for argument in sys.argv[1:]]
    events, seed, restarts = (*numbers, *(EVENTS, time.time_ns(), 0)[len(numbers) :])
    try:
        figures = run(events, seed, restarts or max(2, events // EVENTS_A_RESTART))
    except Wrong as wrong:
        sys.exit(f"Seed {seed}: {wrong}")
    print(json.dumps(figures | {"seed": seed}), flush=True)


if __name__ == "__main__":
    main()
