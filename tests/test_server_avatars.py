from models.images import decode_image
from server.avatars import SHIPPED_DIR, Avatar, AvatarFacts, load_shipped


def test_every_shipped_portrait_is_listed_once_and_decodes() -> None:
    avatars = load_shipped()
    files = sorted(path.read_bytes() for path in SHIPPED_DIR.glob("*.jpg"))
    assert sorted(avatar.image for avatar in avatars) == files
    assert len({avatar.avatar_id for avatar in avatars}) == len(avatars)
    assert decode_image(avatars[0].image).shape == (768, 768, 3)


def test_the_media_type_is_told_by_the_first_bytes() -> None:
    def kind(image: bytes) -> str:
        return Avatar(AvatarFacts("a", "A", False), image).media_type

    assert kind(b"\x89PNG\r\n\x1a\n") == "image/png"
    assert kind(b"RIFF\x00\x00\x00\x00WEBPVP8 ") == "image/webp"
    assert kind(b"\xff\xd8\xff") == "image/jpeg"
