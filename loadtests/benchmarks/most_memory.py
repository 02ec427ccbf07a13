"""Run a command to its end; behind what it prints, in a line of its own, the most memory it ever had resident (bytes).

A program's high-water mark begins with that of the process that started it, so it is started by one that holds nothing.
"""

import resource
import subprocess
import sys

if __name__ == "__main__":
    ended = subprocess.run(sys.argv[1:], check=False)
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, flush=True)
    sys.exit(ended.returncode)
