"""Sound files: which are read, how they are decoded, and what is refused with one sentence."""

EXTENSIONS: tuple[str, ...] = (
    ".wav",
    ".flac",
    ".mp3",
    ".ogg",
    ".oga",
    ".opus",
    ".m4a",
    ".mp4",
    ".aac",
    ".webm",
    ".3gp",
    ".amr",
    ".wma",
    ".aif",
    ".aiff",
    ".caf",
    ".mka",
)  # offered by file dialogs; the content decides
FORMATS = "WAV, FLAC, MP3, Ogg, M4A, WebM, 3GP, AMR, WMA or AIFF"
