"""A model in one function: a picture of the colour that the prompt names."""

from PIL import Image

from clipia_queue.worker import Job, serve


def make(job: Job) -> Image.Image:
    return Image.new("RGB", (512, 512), job.input["prompt"])


serve(make)
