"""Pictures drawn anew: nothing that their files tell beside the pixels survives."""

import io
import struct
import zlib

import pytest
from PIL import Image, ImageChops, PngImagePlugin

from maskline.sms import pictures
from maskline.sms.pictures import NotAPicture, drawn_anew

MARK = b"SECA_mark"
PLACE = {1: "N", 2: (47.0, 36.0, 22.0), 3: "W", 4: (122.0, 19.0, 55.0)}


def base(mode: str = "RGB", colour: object = (200, 30, 90)) -> Image.Image:
    return Image.new(mode, (40, 24), colour)  # type: ignore[arg-type]


def exif(orientation: int = 6) -> Image.Exif:
    found = Image.Exif()
    found[0x010E] = found[0x010F] = found[0x013B] = found[0x9C9B] = MARK.decode()
    found[0x0112] = orientation
    found.get_ifd(0x8825).update(PLACE)
    found.get_ifd(0x8769)[0xA431] = MARK.decode()  # the serial number of the camera
    return found


XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + MARK + b"</x:xmpmeta>"


def saved(picture: Image.Image, kind: str, **choices: object) -> bytes:
    into = io.BytesIO()
    picture.save(into, kind, **choices)  # type: ignore[arg-type]
    return into.getvalue()


def jpeg() -> bytes:
    content = saved(base(), "JPEG", exif=exif(), comment=MARK, icc_profile=MARK * 20, xmp=XMP)
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x0e\x1c\x02\x78\x00\x09" + MARK
    segment = b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc
    return content[:2] + segment + content[2:] + MARK  # and some behind its end


def png() -> bytes:
    told = PngImagePlugin.PngInfo()
    told.add_text("Author", MARK.decode())
    told.add_text("Comment", MARK.decode(), zip=True)
    told.add_itxt("XML:com.adobe.xmp", XMP.decode())
    told.add(b"prVt", MARK)
    content = saved(
        base("RGBA", (1, 2, 3, 128)), "PNG", pnginfo=told, exif=exif(), icc_profile=MARK * 20
    )
    time = b"tIME" + bytes([7, 234, 11, 25, 8, 0, 0])
    chunk = struct.pack(">I", 7) + time + struct.pack(">I", zlib.crc32(time))
    return content[:33] + chunk + content[33:] + MARK


def gif() -> bytes:
    frames = [base(colour=(0, 0, shade)) for shade in (10, 120, 250)]
    return (
        saved(frames[0], "GIF", save_all=True, append_images=frames[1:], comment=MARK, duration=137)
        + MARK
    )


def webp() -> bytes:
    return saved(base(), "WEBP", exif=exif(), icc_profile=MARK * 20, xmp=XMP) + MARK


MADE = {"image/jpeg": jpeg, "image/png": png, "image/gif": gif, "image/webp": webp}


@pytest.mark.parametrize("kind", MADE)
def test_nothing_but_the_pixels_survives(kind: str) -> None:
    content = MADE[kind]()
    assert MARK in content
    found, clean = drawn_anew(content)
    assert found == kind
    for trace in (MARK, b"Exif", b"8BIM", b"adobe", b"ICC", b"iCCP", b"tEXt", b"iTXt", b"tIME"):
        assert trace not in clean
    with Image.open(io.BytesIO(clean)) as picture:
        known = {"jfif", "jfif_version", "jfif_unit", "jfif_density", "version", "background"}
        known |= {"duration", "loop", "extension", "timestamp", "transparency"}
        assert not picture.getexif()
        assert set(picture.info) <= known


@pytest.mark.parametrize("kind", MADE)
def test_the_picture_still_shows_what_it_showed(kind: str) -> None:
    content = MADE[kind]()
    _, clean = drawn_anew(content)
    with Image.open(io.BytesIO(content)) as before, Image.open(io.BytesIO(clean)) as after:
        turned = kind != "image/gif"  # the others say that they are to be turned
        assert after.size == (before.size[::-1] if turned else before.size)
        assert getattr(after, "n_frames", 1) == getattr(before, "n_frames", 1)
        middle = tuple(part // 2 for part in before.size), tuple(part // 2 for part in after.size)
        old = before.convert("RGBA").getpixel(middle[0])
        new = after.convert("RGBA").getpixel(middle[1])
        assert isinstance(old, tuple)
        assert isinstance(new, tuple)
        assert max(abs(a - b) for a, b in zip(old, new, strict=True)) <= 6


@pytest.mark.parametrize("kind", MADE)
def test_a_large_picture_becomes_smaller(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else somebody's picture takes half a minute of a core."""
    monkeypatch.setattr(pictures, "MOST_SIDE", 20)
    _, clean = drawn_anew(MADE[kind]())
    assert MARK not in clean
    with Image.open(io.BytesIO(clean)) as picture:
        assert picture.size == ((40, 24) if kind == "image/gif" else (12, 20))
        assert not picture.getexif()


def test_of_several_pictures_in_a_jpeg_the_first_passes() -> None:
    behind = Image.new("RGB", (20, 12))
    content = saved(base(), "MPO", save_all=True, append_images=[behind], exif=exif())
    found, clean = drawn_anew(content)
    assert found == "image/jpeg"
    assert MARK not in clean
    with Image.open(io.BytesIO(clean)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (24, 40))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_photograph_becomes_no_larger_file(kind: str) -> None:
    photograph = Image.effect_noise((200, 200), 60).convert("RGB")
    content = saved(photograph, kind, quality=70)
    assert len(drawn_anew(content)[1]) <= len(content)
    fine = saved(photograph, kind, quality=95)
    assert len(content) < len(drawn_anew(fine)[1]) <= len(fine)


def test_a_file_of_the_least_quality_is_tried_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time takes as long, and whoever sends pictures chooses how long."""
    content = saved(Image.effect_noise((200, 200), 60).convert("RGB"), "WEBP", quality=1)
    tried, save = [], Image.Image.save

    def noted(picture: Image.Image, into: io.BytesIO, kind: str, **choices: int) -> None:
        tried.append(choices["quality"])
        save(picture, into, kind, **choices)

    monkeypatch.setattr(Image.Image, "save", noted)
    drawn_anew(content)
    assert tried == [88, 45]


@pytest.mark.parametrize(("mode", "colours"), [("1", 2), ("L", 256), ("P", 256)])
def test_a_drawing_in_few_colours_becomes_no_larger_file(mode: str, colours: int) -> None:
    drawing = Image.effect_noise((200, 200), 90).quantize(colours) if mode == "P" else None
    drawing = drawing or Image.effect_noise((200, 200), 90).convert(mode)
    content = saved(drawing, "PNG")
    _, clean = drawn_anew(content)
    assert len(clean) < len(content) * 1.1
    with Image.open(io.BytesIO(clean)) as after:
        assert after.convert("RGB").tobytes() == drawing.convert("RGB").tobytes()


def test_a_moving_picture_is_written_by_what_moves() -> None:
    """Else some kilobytes become megabytes: each frame of them takes as much as the first."""
    still = Image.effect_noise((200, 200), 90).convert("RGB").quantize(200)
    frames = [still.copy() for _ in range(20)]
    for place, frame in enumerate(frames):
        frame.paste(place, (place, place, place + 9, place + 9))
    content = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    _, clean = drawn_anew(content)
    assert len(clean) < len(content) * 2
    with Image.open(io.BytesIO(clean)) as after:
        for place, frame in enumerate(frames):
            after.seek(place)
            differs = ImageChops.difference(after.convert("RGB"), frame.convert("RGB"))
            assert max(most for _, most in differs.getextrema()) < 20


def test_what_a_frame_lets_shine_through_is_not_the_frame_before() -> None:
    frames = [Image.new("RGBA", (40, 24), (0, 0, 0, 0)) for _ in range(3)]
    for place, frame in enumerate(frames):
        frame.paste((200, 30, 90, 255), (place * 10, 0, place * 10 + 8, 8))
    content = saved(
        frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50, disposal=2
    )
    with Image.open(io.BytesIO(drawn_anew(content)[1])) as after:
        after.seek(2)
        assert after.convert("RGBA").getpixel((2, 2)) == (0, 0, 0, 0)
        assert after.convert("RGBA").getpixel((22, 2)) == (200, 30, 90, 255)


def test_what_would_become_too_large_a_file_does_not_pass() -> None:
    photograph = saved(Image.effect_noise((200, 200), 60).convert("RGB"), "PNG")
    assert drawn_anew(photograph)[0] == "image/png"
    with pytest.raises(NotAPicture, match="too-large"):
        drawn_anew(photograph, 10_000)


@pytest.mark.parametrize(("kind", "moving"), [("PNG", False), ("PNG", True), ("WEBP", False)])
def test_what_nobody_sees_does_not_pass(kind: str, moving: bool) -> None:
    """Who rubs something out of a picture may leave its colours there, wholly transparent."""
    hidden = base("RGBA", (200, 30, 90, 0))
    hidden.paste((9, 9, 9, 1), (0, 0, 8, 8))
    choices = {"save_all": True, "append_images": [base("RGBA", (1, 2, 3, 9))]} if moving else {}
    content = saved(hidden, kind, exact=True, lossless=True, **choices)
    _, clean = drawn_anew(content)
    with Image.open(io.BytesIO(content)) as before, Image.open(io.BytesIO(clean)) as after:
        assert before.convert("RGBA").getpixel((20, 20)) == (200, 30, 90, 0)
        assert after.convert("RGBA").getpixel((20, 20)) == (0, 0, 0, 0)
        seen = after.convert("RGBA").getpixel((2, 2))
        assert isinstance(seen, tuple)
        assert seen[3] == 1


def test_drawing_anew_twice_changes_no_more() -> None:
    _, once = drawn_anew(png())
    assert drawn_anew(once)[1] == once


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"BEGIN:VCARD\r\nFN:Ann Example\r\nEND:VCARD\r\n",
        b"%PDF-1.7\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html><script>alert(1)</script>",
        b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom",
        b"\xff\xd8\xff\xe0" + bytes(100),
        b"\x89PNG\r\n\x1a\n" + bytes(100),
    ],
    ids=["nothing", "vcard", "pdf", "svg", "html", "mp4", "broken-jpeg", "broken-png"],
)
def test_what_is_no_picture_does_not_pass(content: bytes) -> None:
    with pytest.raises(NotAPicture):
        drawn_anew(content)


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "ICO"])
def test_other_kinds_of_pictures_do_not_pass(kind: str) -> None:
    with pytest.raises(NotAPicture):
        drawn_anew(saved(base(), kind))


def test_a_picture_that_unfolds_into_too_much_does_not_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(NotAPicture, match="pixels"):
        drawn_anew(saved(Image.new("1", (8_000, 8_000)), "PNG"))
    monkeypatch.setattr(pictures, "MOST_PIXELS", 40 * 24 * 2)
    with pytest.raises(NotAPicture, match="pixels"):
        drawn_anew(gif())


@pytest.mark.parametrize("kind", MADE)
def test_a_file_cut_off_or_spoiled_anywhere_never_breaks_anything(kind: str) -> None:
    content = MADE[kind]()
    for place in range(0, len(content), max(1, len(content) // 60)):
        for spoiled in (content[:place], content[:place] + b"\xff\x00\xff" + content[place + 3 :]):
            try:
                _, clean = drawn_anew(spoiled)
            except NotAPicture:
                continue
            assert MARK not in clean
