"""Pictures without what their files tell: drawn anew from their pixels, and from nothing else.

Places, dates, serial numbers, comments, profiles, thumbnails and whatever hangs behind the picture
stay behind, because only pixels are carried over.
"""

import io
import warnings
from typing import Any

from PIL import Image, ImageOps, ImageSequence

MOST_PIXELS = 40_000_000  # of all frames together; a pixel takes four bytes while it is drawn anew
MOST_FRAMES = 300
MOST_BYTES = 5_242_880  # of what is made, unless somebody says otherwise
MOST_COLOURS = 256  # of a palette
MOST_SIDE = 4_096  # of a still picture: larger ones become so large, as all that telephones show
TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}
QUALITIES = (88, 75, 60, 45)  # of JPEG and WebP: the first that makes a file no larger than it came

FAR_TOO_LARGE = 2  # times
# Of six, for WebP: half the time of the usual four, and a file larger by a few hundredths.
EFFORT = 2


class NotAPicture(Exception):
    """What it is cannot be passed on. The text is a word for the log."""


def drawn_anew(content: bytes, most_bytes: int = MOST_BYTES) -> tuple[str, bytes]:
    """The content type and the bytes of a JPEG, PNG, GIF or WebP picture, drawn anew.

    What it is stands in its bytes, whatever anybody calls it. Raises NotAPicture, also for one that
    would become larger than `most_bytes`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a hostile file makes the library say
            with Image.open(io.BytesIO(content), formats=tuple(TYPES)) as picture:
                kind = kind_of(picture)
                clean = written(picture, kind, len(content))
    except NotAPicture:
        raise
    except Exception as error:  # the library raises whatever a broken file makes it stumble over
        raise NotAPicture(type(error).__name__) from None
    if len(clean) > most_bytes:
        raise NotAPicture("too-large")
    return TYPES[kind], clean


def kind_of(picture: Image.Image) -> str:
    """A telephone's JPEG may have more pictures behind the first (CIPA DC-007, "MPO"): for depth or
    brightness. It is one of the first alone."""
    return "JPEG" if picture.format == "MPO" else str(picture.format)


def written(picture: Image.Image, kind: str, came: int) -> bytes:
    """`came` is how large the file was that it came in: carriers may take no larger ones."""
    frames = getattr(picture, "n_frames", 1) if kind != "JPEG" else 1
    width, height = picture.size
    if frames > MOST_FRAMES or width * height * frames > MOST_PIXELS:
        raise NotAPicture("too-many-pixels")
    if frames > 1:
        return write_moving(picture, kind, came)
    mode = "RGBA" if has_alpha(picture) else "RGB"
    still = bare(ImageOps.exif_transpose(no_larger(picture, mode)), mode)
    return smallest(few_colours(still) if kind == "PNG" else still, kind, came, {})


def no_larger(picture: Image.Image, mode: str) -> Image.Image:
    if max(picture.size) <= MOST_SIDE:
        return picture
    picture.draft("RGB", (MOST_SIDE, MOST_SIDE))  # a JPEG can be read smaller than it is
    plain = picture if picture.mode == mode else picture.convert(mode)
    plain.thumbnail((MOST_SIDE, MOST_SIDE))
    return plain


def write_moving(picture: Image.Image, kind: str, came: int) -> bytes:
    frames, durations = [], []
    for frame in ImageSequence.Iterator(picture):
        frames.append(bare(frame, "RGBA"))
        durations.append(duration_of(frame))
    first, *rest = frames
    choices = {"save_all": True, "append_images": rest, "duration": durations, "loop": 0}
    # What a GIF's frame lets shine through shows the one before, unless that is taken away. Where
    # nothing shines through, each frame is written as what it changes: that takes far less.
    if kind == "GIF" and not all(is_opaque(frame) for frame in frames):
        choices["disposal"] = 2
    return smallest(first, kind, came, choices)


def smallest(picture: Image.Image, kind: str, came: int, choices: dict[str, Any]) -> bytes:
    """The file in the first quality that makes it no larger than it came, else in the last. Where
    it is far too large, those between are passed over: each takes as long as the first."""
    qualities = list(QUALITIES if kind in ("JPEG", "WEBP") else QUALITIES[:1])
    size = came + 1
    while qualities and size > came:
        into = io.BytesIO()
        picture.save(into, kind, quality=qualities.pop(0), method=EFFORT, **choices)
        size = into.tell()
        if size > FAR_TOO_LARGE * came:
            qualities = qualities[-1:]
    return into.getvalue()


def few_colours(picture: Image.Image) -> Image.Image:
    """The same with a palette, made anew, if it has so few colours: a file then takes a third."""
    colours = picture.getcolors(MOST_COLOURS) if picture.mode == "RGB" else None
    return picture.quantize(len(colours), dither=Image.Dither.NONE) if colours else picture


def is_opaque(picture: Image.Image) -> bool:
    return picture.getchannel("A").getextrema() == (255, 255)


def bare(picture: Image.Image, mode: str) -> Image.Image:
    """The pixels alone: a new picture that knows nothing but them."""
    pixels = picture.convert(mode)
    if mode == "RGBA":  # what is wholly transparent has a colour all the same, which nobody sees
        seen = pixels.getchannel("A").point([0] + [255] * 255)
        pixels = Image.composite(pixels, Image.new(mode, pixels.size), seen)
    return Image.frombytes(mode, pixels.size, pixels.tobytes())


def has_alpha(picture: Image.Image) -> bool:
    return picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info


def duration_of(frame: Image.Image) -> int:
    """Milliseconds that a frame is shown, between 20 and 10,000, in steps that tell nothing."""
    given = frame.info.get("duration", 100)
    milliseconds = int(given) if isinstance(given, int | float) else 100
    return min(max(round(milliseconds, -1), 20), 10_000)
