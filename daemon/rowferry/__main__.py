"""`python -m rowferry`."""

import sys

from rowferry.cli import main

sys.exit(main())
