"""Posters: the prompt in large letters on a gradient of two colours, or on the picture of `image_url`.

By hand:

    pip install clipia-queue pillow
    python poster.py --prompt "Fresh figs" --colours '["indigo", "orange"]' --out posters

Behind the queue it is an executor of `models.toml`:

    [[executor]]
    name = "poster"
    command = ["/srv/models/venv/bin/python", "/srv/models/poster.py"]
    warm = true
"""

import random
import textwrap

from PIL import Image, ImageDraw, ImageFont, ImageOps

from clipia_queue.worker import Job, serve

SIZE = (512, 640)
COLOURS = ["crimson", "darkgreen", "goldenrod", "indigo", "navy", "orange", "teal"]
FONT = ImageFont.load_default(64)


def background(job: Job) -> Image.Image:
    if job.paths("image_url"):
        return ImageOps.fit(Image.open(job.path("image_url")).convert("RGB"), SIZE)
    top, bottom = job.input.get("colours") or random.Random(job.seed).sample(COLOURS, 2)
    downwards = Image.linear_gradient("L").resize(SIZE)
    return Image.composite(Image.new("RGB", SIZE, bottom), Image.new("RGB", SIZE, top), downwards)


def make(job: Job) -> Image.Image:
    words = textwrap.fill(job.input["prompt"], width=12)
    if words.count("\n") > 7:
        job.fail("the prompt is too long for a poster of eight lines", code="prompt_too_long")
    poster = background(job)
    job.progress(50)
    draw = ImageDraw.Draw(poster)
    centre = (SIZE[0] / 2, SIZE[1] / 2)
    draw.multiline_text(centre, words, fill="white", font=FONT, anchor="mm", align="center")
    return poster


serve(make)
