"""``python -m llull`` is ``llull``."""

import sys

from llull.cli import main

sys.exit(main())
