"""States of the language model, each as a message with the next step."""

from __future__ import annotations

from xai_tf.errors import XaiTfError

STATES = {
    "off": {"en": "", "fr": ""},
    "looking": {"en": "Looking for an Ollama server …", "fr": "Recherche d'un serveur Ollama …"},
    "writing": {
        "en": "{model!r} is writing. The first words may take a minute.",
        "fr": "{model!r} écrit ; les premiers mots peuvent prendre une minute.",
    },
    "finished": {"en": "{model!r} has finished.", "fr": "{model!r} a terminé."},
    "stopped": {
        "en": "Stopped. Unfinished sentences are not shown.",
        "fr": "Arrêté. Les phrases inachevées ne sont pas affichées.",
    },
    "ready": {
        "en": "Ollama is ready at {host}.",
        "fr": "Ollama est prêt sur {host}.",
    },
    "not_running": {
        "en": "No Ollama server answers at {host}. Start it with 'ollama serve', or set "
        "OLLAMA_HOST, then try again.",
        "fr": "Aucun serveur Ollama ne répond sur {host}. Lancez-le avec « ollama serve », ou "
        "réglez OLLAMA_HOST, puis réessayez.",
    },
    "not_installed": {
        "en": "A language model needs further packages. Run: pip install 'xai-tf[llm]', then start "
        "again.",
        "fr": "Un modèle de langue demande d'autres paquets. Lancez : pip install 'xai-tf[llm]', "
        "puis redémarrez.",
    },
    "no_address": {
        "en": "Invalid value for OLLAMA_HOST: {host!r}. Expected a host and port, such as "
        "127.0.0.1:11434. Set it and start again.",
        "fr": "Valeur invalide pour OLLAMA_HOST : {host!r}. Indiquez un hôte et un port, comme "
        "127.0.0.1:11434, puis relancez.",
    },
    "not_ollama": {
        "en": "The server at {host} is not an Ollama server. Check OLLAMA_HOST.",
        "fr": "Le serveur sur {host} n'est pas un serveur Ollama. Vérifiez OLLAMA_HOST.",
    },
    "no_model": {
        "en": "Ollama runs at {host} but has no local model. Pull one, for example with 'ollama "
        "pull llama3.2', then try again.",
        "fr": "Ollama tourne sur {host} mais n'a aucun modèle local. Installez-en un, par exemple "
        "avec « ollama pull llama3.2 », puis réessayez.",
    },
    "not_pulled": {
        "en": "Ollama has no model {model!r}. Pull it with 'ollama pull {model}', or choose "
        "another one.",
        "fr": "Ollama n'a pas de modèle {model!r}. Installez-le avec « ollama pull {model} », ou "
        "choisissez-en un autre.",
    },
    "busy": {
        "en": "Ollama is busy: its queue is full. Try again in a minute.",
        "fr": "Ollama est occupé : sa file d'attente est pleine. Réessayez dans une minute.",
    },
    "interrupted": {
        "en": "The answer was interrupted: Ollama or its model stopped. Try again. If this "
        "happens repeatedly, choose a smaller model or check Ollama's log.",
        "fr": "La réponse a été interrompue : Ollama ou son modèle s'est arrêté. Réessayez. Si "
        "cela se répète, choisissez un modèle plus petit ou consultez le journal d'Ollama.",
    },
    "too_slow": {
        "en": "{model!r} took too long and was stopped. Try again once it is loaded, or choose a "
        "smaller model.",
        "fr": "{model!r} a mis trop de temps et a été arrêté. Réessayez quand il sera chargé, ou "
        "choisissez un modèle plus petit.",
    },
    "refused": {
        "en": "{model!r} runs in the cloud: the facts would leave this machine, so it is not "
        "used. Choose a local model.",
        "fr": "{model!r} s'exécute dans le cloud : les faits quitteraient cette machine, il n'est "
        "donc pas utilisé. Choisissez un modèle local.",
    },
    "unusable": {
        "en": "The answer of {model!r} cannot be used. Try again, or choose another model.",
        "fr": "La réponse de {model!r} est inutilisable. Réessayez, ou choisissez un autre modèle.",
    },
}


def describe_state(state: str, language: str = "en", *, host: str = "", model: str = "") -> str:
    """A state as a message, with the next step.

    Args:
        state: a key of `STATES`.
        language: "en" or "fr".
        host: name and port of the server.
        model: the name of the model.
    """
    return STATES[state][language].format(host=host, model=model)


class LanguageModelError(XaiTfError):
    """There is no answer of the language model.

    Attributes:
        state: the reason, a key of `STATES`.
        host: name and port of the server, where that matters.
    """

    def __init__(self, state: str, *, host: str = "", model: str = "") -> None:
        super().__init__(describe_state(state, host=host, model=model))
        self.state, self.host = state, host
