"""`python -m connect.testing`: serve the stand-in Stripe on this machine until told to stop."""

import argparse
import ipaddress
import signal
import sys
import threading

from connect.testing.stand_in import StandIn


def loopback(text: str) -> str:
    if text != "localhost" and not ipaddress.ip_address(text).is_loopback:
        raise argparse.ArgumentTypeError("the stand-in serves 127.0.0.1 only")
    return text


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m connect.testing", description=__doc__)
    parser.add_argument(
        "--port", type=int, default=12111, help="0 takes any free one (default: %(default)s)"
    )
    parser.add_argument("--host", type=loopback, default="127.0.0.1", help="127.0.0.1 and no other")
    parser.add_argument("--seed", type=int, help="the same ids every time")
    parser.add_argument("--now", type=int, help="freeze the clock at this second since the epoch")
    given = parser.parse_args(arguments)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with StandIn(given.port, seed=given.seed, now=given.now) as stand_in:
        print(f"stand-in Stripe ready on {stand_in.url}", flush=True)
        stopping.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
