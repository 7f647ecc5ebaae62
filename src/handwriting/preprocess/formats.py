"""Which format a file has, by its first bytes: read in this process, read in one of its own, or refused by name."""

import re

READ_HERE = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")  # Pillow decodes them within limits that are checked first
READ_APART = ("HEIF", "AVIF", "JPEG2000", "PPM", "ICO", "PDF")  # decoded by handwriting.sandbox
WANTED = "PNG, JPEG, WebP, BMP, GIF, TIFF, HEIC, AVIF, JPEG 2000, PNM, ICO or PDF"
COMMON = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")  # how PNG and JPEG begin
START_BYTES = 1024  # a PDF may begin with as many bytes of something else
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
AVIF_BRANDS = {b"avif", b"avis"}
MAX_BRANDS = 32  # compatible brands of a file, each of 4 bytes, that are looked at
PNM = re.compile(rb"P[1-6]\s")
AS_PNG = "export it as PNG or JPEG"
UNPACK = "unpack it, and send its pictures, or a ZIP file of them"
# Start of a file -> its name with an article, and what to do
REFUSED = {
    b"\xff\x0a": ("a JPEG XL picture", AS_PNG),
    b"\x00\x00\x00\x0cJXL ": ("a JPEG XL picture", AS_PNG),
    b"8BPS": ("a Photoshop picture", AS_PNG),
    b"gimp xcf": ("a GIMP picture", AS_PNG),
    b"%!PS": ("a PostScript file", "export it as PDF or PNG"),
    b"\xc5\xd0\xd3\xc6": ("a PostScript file", "export it as PDF or PNG"),
    b"AT&TFORM": ("a DjVu document", "export its pages as PDF or PNG"),
    b"\x76\x2f\x31\x01": ("an OpenEXR picture", AS_PNG),
    b"II\xbc\x01": ("a JPEG XR picture", AS_PNG),
    b"qoif": ("a QOI picture", AS_PNG),
    b"P7\n": ("a PAM picture", AS_PNG),
    b"\xd7\xcd\xc6\x9a": ("a Windows metafile", AS_PNG),
    b"\x00\x00\x02\x00": ("a cursor file", AS_PNG),
    b"PK\x03\x04": ("a ZIP file", "send a ZIP file of pictures as the body, and none inside a ZIP file or a form"),
    b"\x1f\x8b": ("a gzip file", UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", UNPACK),
    b"Rar!": ("a RAR archive", UNPACK),
    b"\xfd7zXZ\x00": ("an xz file", UNPACK),
    b"BZh": ("a bzip2 file", UNPACK),
    b"\xd0\xcf\x11\xe0": ("an Office document", "export its pages as PDF or PNG"),
    b"{\\rtf": ("an RTF document", "export its pages as PDF or PNG"),
    b"\x1aE\xdf\xa3": ("a video", "send one of its frames as PNG or JPEG"),
    b"\x00\x00\x08\x01": ("a file of labels in MNIST's IDX format", "send the file of its pictures"),
    b"\x93NUMPY": ("an npy file", "send it as the body, and not inside a ZIP file or a form"),
    b"\x7fELF": ("a program", "send a picture"),
    b"MZ": ("a program", "send a picture"),
}
DAMAGED = {
    b"\x89PNG": "PNG", b"\xff\xd8": "JPEG", b"GIF8": "GIF", b"BM": "BMP", b"II*\x00": "TIFF", b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF", b"MM\x00+": "TIFF",
}  # fmt: skip
MARKUP = {b"<svg": ("an SVG drawing", AS_PNG), b"<html": ("an HTML page", "send the picture itself"),
          b"<!doctype html": ("an HTML page", "send the picture itself")}  # fmt: skip
DICOM_AT, TAR_AT = 128, 257


def format_apart(content: bytes) -> str:
    """Return which of READ_APART a file is; "" if none."""
    if content.startswith(COMMON):
        return ""
    if content[4:8] == b"ftyp":
        return _of_brands(content)
    if content.startswith((b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")):
        return "JPEG2000"
    if PNM.match(content):
        return "PPM"
    if content.startswith(b"\x00\x00\x01\x00"):
        return "ICO"
    return "PDF" if b"%PDF-" in content[:START_BYTES] else ""


def is_read_apart(content: bytes) -> bool:
    """Tell whether a file is decoded in a process of its own, which takes longer."""
    return bool(format_apart(content))


def describe_unread(content: bytes) -> str:
    """Say what a file is that no decoder recognises, and what to do about it.

    Only a file of no known format is described by its bytes.
    """
    start = bytes(content[:START_BYTES])
    damaged = next((DAMAGED[each] for each in DAMAGED if start.startswith(each)), _of_riff(start))
    if damaged:
        return f"the {damaged} is damaged or truncated: its header cannot be read"
    found = next((REFUSED[each] for each in REFUSED if start.startswith(each)), None) or _by_place(start)
    if found is not None:
        return f"not a picture that can be read: this is {found[0]}; {found[1]}"
    if is_text(start):
        return f"not a picture: this is a text; wanted {WANTED}"
    return f"not a picture (it starts with {start[:8].hex(' ')}); wanted {WANTED}"


def is_text(start: bytes) -> bool:
    """Tell whether bytes are UTF-8 without control characters; the last character may be cut."""
    text = start.decode("utf-8", "ignore")
    return len(text.encode()) >= len(start) - 3 and all(each.isprintable() or each in "\t\r\n\f\ufeff" for each in text)


def _of_brands(content: bytes) -> str:
    length = min(int.from_bytes(content[:4]), 16 + 4 * MAX_BRANDS)
    brands = {bytes(content[8:12]), *(bytes(content[i : i + 4]) for i in range(16, length, 4))}
    if brands & AVIF_BRANDS:
        return "AVIF"
    return "HEIF" if brands & HEIF_BRANDS else ""


def _of_riff(start: bytes) -> str:
    return "WebP" if start[:4] == b"RIFF" and start[8:12] == b"WEBP" else ""


def _by_place(start: bytes) -> tuple[str, str] | None:
    if start[4:8] == b"ftyp" or start[:4] == b"RIFF":
        return "a video or a raw photograph", "send a frame, or export it, as PNG or JPEG"
    if start[DICOM_AT : DICOM_AT + 4] == b"DICM":
        return "a DICOM picture", AS_PNG
    if start[TAR_AT : TAR_AT + 5] == b"ustar":
        return "a tar archive", UNPACK
    lower = start.lower()
    return next(
        (MARKUP[each] for each in MARKUP if each in lower and lower.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"), None
    )
