"""The files of any generation of the account. Files that exist already are not fetched again.

CLIPIA_KEY=clipia_live_… python download.py 0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de out
"""

import sys

from clipia_queue import Clipia, GenerationFailed, NotFound, StillRunning

request_id, directory = sys.argv[1:]

with Clipia() as clipia:
    try:
        for path in clipia.generation(request_id).download(directory):
            print(path, path.stat().st_size, "bytes")
    except NotFound:
        sys.exit(f"the account has no generation {request_id}")
    except StillRunning as running:
        sys.exit(f"it is still {running.generation_status}: wait with clipia.generation(request_id).wait()")
    except GenerationFailed as failed:
        sys.exit(f"it has no output, and its credits were returned: {failed.message}")
