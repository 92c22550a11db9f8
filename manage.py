#!/usr/bin/env python
"""Django's command line for the example platform."""

import sys

from example_platform.environment import run

if __name__ == "__main__":
    run(sys.argv)
