"""``python -m liveportrait.check --cuda --out DIR``."""

import sys

from liveportrait.check.command import main

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
