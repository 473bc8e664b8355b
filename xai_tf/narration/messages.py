"""What can be said of the second voice: each state in words, with the next step."""

from __future__ import annotations

from xai_tf.errors import XaiTfError

STATES = {
    "off": {"en": "", "fr": ""},
    "looking": {"en": "Looking for an Ollama server …", "fr": "Recherche d'un serveur Ollama …"},
    "writing": {
        "en": "{model!r} is writing; the first words can take a minute.",
        "fr": "{model!r} écrit ; les premiers mots peuvent prendre une minute.",
    },
    "told": {"en": "{model!r} has finished.", "fr": "{model!r} a terminé."},
    "stopped": {
        "en": "Stopped: what was unfinished is not shown.",
        "fr": "Arrêté : ce qui n'était pas fini n'est pas montré.",
    },
    "ready": {
        "en": "Ollama is ready at {host}.",
        "fr": "Ollama est prêt sur {host}.",
    },
    "not_running": {
        "en": "No Ollama server answers at {host}. Start it with 'ollama serve', or set "
        "OLLAMA_HOST, then look again.",
        "fr": "Aucun serveur Ollama ne répond sur {host}. Lancez-le avec « ollama serve », ou "
        "réglez OLLAMA_HOST, puis cherchez à nouveau.",
    },
    "no_address": {
        "en": "OLLAMA_HOST={host!r} is no address. Set it to a host and port, such as "
        "127.0.0.1:11434, and start again.",
        "fr": "OLLAMA_HOST={host!r} n'est pas une adresse. Donnez un hôte et un port, comme "
        "127.0.0.1:11434, puis relancez.",
    },
    "not_ollama": {
        "en": "What answers at {host} is no Ollama server. Check OLLAMA_HOST.",
        "fr": "Ce qui répond sur {host} n'est pas un serveur Ollama. Vérifiez OLLAMA_HOST.",
    },
    "no_model": {
        "en": "Ollama runs at {host} but has no model that stays on its machine. Pull one, for "
        "example 'ollama pull llama3.2', then look again.",
        "fr": "Ollama tourne sur {host} mais n'a aucun modèle qui reste sur sa machine. "
        "Installez-en un, par exemple « ollama pull llama3.2 », puis cherchez à nouveau.",
    },
    "not_pulled": {
        "en": "Ollama has no model {model!r}. Pull it with 'ollama pull {model}', or choose "
        "another.",
        "fr": "Ollama n'a pas de modèle {model!r}. Installez-le avec « ollama pull {model} », ou "
        "choisissez-en un autre.",
    },
    "busy": {
        "en": "Ollama is busy: its queue is full. Ask again in a minute.",
        "fr": "Ollama est occupé : sa file d'attente est pleine. Redemandez dans une minute.",
    },
    "interrupted": {
        "en": "The answer broke off: Ollama or its model stopped. Ask again; if it happens again, "
        "take a smaller model or look into Ollama's log.",
        "fr": "La réponse s'est interrompue : Ollama ou son modèle s'est arrêté. Redemandez ; si "
        "cela se répète, prenez un modèle plus petit ou consultez le journal d'Ollama.",
    },
    "too_slow": {
        "en": "{model!r} took too long and was stopped. Ask again once it is loaded, or take a "
        "smaller model.",
        "fr": "{model!r} a mis trop de temps et a été arrêté. Redemandez quand il sera chargé, ou "
        "prenez un modèle plus petit.",
    },
    "refused": {
        "en": "{model!r} runs in the cloud: the facts would leave this machine, so it is not "
        "asked. Choose a local model.",
        "fr": "{model!r} tourne dans le nuage : les faits quitteraient cette machine, il n'est "
        "donc pas interrogé. Choisissez un modèle local.",
    },
    "unusable": {
        "en": "What {model!r} answered cannot be used. Ask again, or choose another model.",
        "fr": "Ce que {model!r} a répondu est inutilisable. Redemandez, ou choisissez un autre "
        "modèle.",
    },
}


def describe_state(state: str, language: str = "en", *, host: str = "", model: str = "") -> str:
    """A state in words, with the next step.

    Args:
        state: a name in `STATES`.
        language: "en" or "fr".
        host: where the server is looked for.
        model: the one asked.
    """
    return STATES[state][language].format(host=host, model=model)


class LanguageModelError(XaiTfError):
    """The second voice has no answer.

    Attributes:
        state: why, a name in `STATES`.
        host: where the server was looked for, where that matters.
    """

    def __init__(self, state: str, *, host: str = "", model: str = "") -> None:
        super().__init__(describe_state(state, host=host, model=model))
        self.state, self.host = state, host
