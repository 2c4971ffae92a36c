"""What kind of model each one is, in GoModel's words. Pure."""

from __future__ import annotations

from msgspec import UNSET

from schemas.models import Model

EVERY = "all"
TEXT = "text_generation"
# By name, as people read them.
CATEGORIES = {
    EVERY: "All",
    TEXT: "Text Generation",
    "embedding": "Embeddings",
    "image": "Image",
    "audio": "Audio",
    "video": "Video",
    "utility": "Utility",
}
# What a model does, and the category that it belongs to by that.
_OF_MODE = {
    **dict.fromkeys(("chat", "completion", "responses"), TEXT),
    **dict.fromkeys(("embedding", "embeddings"), "embedding"),
    **dict.fromkeys(("image_generation", "image_edit"), "image"),
    **dict.fromkeys(("audio_transcription", "audio_speech", "realtime"), "audio"),
    "video_generation": "video",
    **dict.fromkeys(("rerank", "moderation", "ocr", "search"), "utility"),
}


def categories_of(model: Model) -> frozenset[str]:
    """Those that it says, else those of what it does. One of which nothing is known is taken for a model that
    writes text, as nearly all are."""
    said: frozenset[str] = frozenset()
    if (known := model.metadata) is not UNSET:
        said = frozenset(known.categories) & CATEGORIES.keys()
        said = said or frozenset(_OF_MODE[each] for each in known.modes if each in _OF_MODE)
    return (said or frozenset({TEXT})) | {EVERY}
