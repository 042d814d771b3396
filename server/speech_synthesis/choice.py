"""The voice that the settings ask for."""

from server.config.settings import Settings
from server.speech_synthesis.embedded import EmbeddedSynthesiser
from server.speech_synthesis.openai_service import OpenAiSynthesiser
from server.speech_synthesis.synthesiser import SpeechSynthesiser


def make_synthesiser(settings: Settings) -> SpeechSynthesiser | None:
    """None where texts are not spoken."""
    match settings.text_to_speech:
        case "off":
            return None
        case "embedded":
            return EmbeddedSynthesiser()
        case "openai":
            return OpenAiSynthesiser(settings.speech)
