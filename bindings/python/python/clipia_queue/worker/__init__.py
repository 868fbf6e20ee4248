"""A function as a program behind the queue: it makes the outputs of jobs.

    from PIL import Image

    from clipia_queue.worker import Job, serve


    def make(job: Job) -> Image.Image:
        return Image.new("RGB", (512, 512), job.input["colour"])


    serve(make)

The server runs such a file as an `[[executor]]` of `models.toml`, once for all jobs (`warm = true`) or once
for each. By hand, `python colour.py --colour teal --out pictures` runs the same file.

`make` returns pictures, paths, bytes or a dict, or writes files to `job.out`. stdout and stderr are logs.
"""

from clipia_queue.worker._control import Canceled
from clipia_queue.worker._job import Job
from clipia_queue.worker._serve import serve

__all__ = ["Canceled", "Job", "serve"]
