"""`python -m deploy.container.predict`, in the server's container: a prediction of each recogniser, made now."""

import os
import sys

from deploy.local.__main__ import report_predictions
from deploy.local.settings import read_settings
from inkserve.command import run

if __name__ == "__main__":
    sys.exit(run("predict", lambda: report_predictions(read_settings(os.environ))))
