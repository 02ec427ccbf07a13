"""The PostgreSQL that laws share when no test hands them one: started with the first, stopped with the process."""

import atexit
import functools
import os
from contextlib import ExitStack

from servers.postgres import QUICK, running_postgres


@functools.cache
def url() -> str:
    """URL of a running server; PINGLIAN_TEST_POSTGRES_URL names one whose user may create databases."""
    if running := os.environ.get("PINGLIAN_TEST_POSTGRES_URL"):
        return running
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(running_postgres(QUICK))
