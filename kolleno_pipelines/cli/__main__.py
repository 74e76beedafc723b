"""`python -m kolleno_pipelines.cli` is the `kolleno` command. Nothing else belongs here."""

import sys

from kolleno_pipelines.cli.app import main

sys.exit(main())
