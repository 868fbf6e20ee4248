"""The files of a generation that anybody made, any day: what is there already is not fetched again.

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
        sys.exit(f"no generation of this account is called {request_id}")
    except StillRunning as running:
        sys.exit(f"it is still {running.status}: wait for it with clipia.generation(request_id).wait()")
    except GenerationFailed as failed:
        sys.exit(f"it made nothing, and cost nothing: {failed.message}")
