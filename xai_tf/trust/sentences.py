"""The sentences of a verdict in English and in French; `rule` fills in the names in braces."""

from __future__ import annotations

from collections.abc import Mapping

from xai_tf.classifiers.ood import REASON

Phrase = Mapping[str, str]  # the words in each language

QUOTES: Phrase = {"en": "“{}”", "fr": "« {} »"}
NO_BREAK = "\N{NO-BREAK SPACE}"
SEPARATOR: Phrase = {"en": "; ", "fr": f"{NO_BREAK}; "}
_FRENCH = str.maketrans({",": "\N{NARROW NO-BREAK SPACE}", ".": ",", "%": f"{NO_BREAK}%"})

WORDS: Mapping[str, Phrase] = {
    "not_supported": {"en": "Not supported", "fr": "Non étayée"},
    "partly_supported": {"en": "Partly supported", "fr": "Étayée en partie"},
    "well_supported": {"en": "Well supported", "fr": "Bien étayée"},
}

SEVERITY_WORDS: Mapping[str, Phrase] = {
    "doubtful": {"en": "Against", "fr": "Contre"},
    "caution": {"en": "Doubt", "fr": "Doute"},
    "unchecked": {"en": "Not known", "fr": "Inconnu"},
    "supported": {"en": "In favor", "fr": "Pour"},
}

SUPPORTED: Phrase = {
    "en": "This map is well supported: the file is like the training data, other methods point to "
    "the same place, and it scores better than random maps; the answer may still be wrong.",
    "fr": "Cette carte est bien étayée : le fichier ressemble aux données d'entraînement, d'autres "
    "méthodes désignent le même endroit et la carte fait mieux que le hasard ; la réponse peut "
    "tout de même être fausse.",
}

NOT_CHECKED: Mapping[str, Phrase] = {
    "lead": {
        "en": "No objection found, but little was checked; unknown: {names}.",
        "fr": "Aucune objection trouvée, mais peu a été vérifié ; reste inconnu : {names}.",
    },
    "no_ood_score": {
        "en": "whether the file is like the training data",
        "fr": "si le fichier ressemble aux données d'entraînement",
    },
    "no_regions": {
        "en": "whether the evidence lies where it may",
        "fr": "si les indices sont à leur place",
    },
    "no_other_map": {
        "en": "whether methods of another kind agree",
        "fr": "si des méthodes d'un autre type sont d'accord",
    },
    "no_scores": {
        "en": "whether it scores better than random maps",
        "fr": "si la carte fait mieux que le hasard",
    },
}

# By kind; of reasons of the same severity, the one that stands first here is the strongest.
REASONS: Mapping[str, Phrase] = {
    "nan": {
        "en": "Part of this map is not a number, so it cannot be interpreted.",
        "fr": "Une partie de cette carte n'est pas un nombre, on ne peut pas l'interpréter.",
    },
    "constant": {
        "en": "This map is constant, so it explains nothing.",
        "fr": "Cette carte est constante, elle n'explique donc rien.",
    },
    "out_of_distribution": REASON,
    "randomised": {
        "en": "This map hardly changes when the weights of the network are randomized "
        "(correlation {value}), so it shows the picture rather than the network.",
        "fr": "Cette carte change à peine quand les poids du réseau sont tirés au hasard "
        "(corrélation {value}) : elle montre l'image plutôt que le réseau.",
    },
    "region": {
        "en": "{share} of the evidence is in {region} ({area} of the image), where little is "
        "expected.",
        "fr": "{share} des indices se trouvent dans la région {region} ({area} de l'image), où "
        "l'on en attend peu.",
    },
    "scores_at_chance": {
        "en": "This map is no better than random maps on {count} of {all} fidelity metrics.",
        "fr": "Cette carte ne fait pas mieux que le hasard selon {count} des {all} métriques de "
        "fidélité.",
    },
    "unstable": {
        "en": "Another random seed would give another map (expected rank correlation {value}).",
        "fr": "Une autre graine aléatoire donnerait une autre carte (corrélation de rang attendue "
        "{value}).",
    },
    "saturated": {
        "en": "Much of this map is at its maximum, so it hardly localizes anything.",
        "fr": "Une grande partie de cette carte est à son maximum, elle ne localise donc presque "
        "rien.",
    },
    "border": {
        "en": "Most of this map lies on the border of the image, which is often an artifact of "
        "the network.",
        "fr": "L'essentiel de cette carte se trouve au bord de l'image, ce qui est souvent un "
        "artefact du réseau.",
    },
    "single_spot": {
        "en": "A few pixels hold most of this map, which is rarely a meaningful explanation.",
        "fr": "Quelques pixels portent l'essentiel de cette carte, ce qui est rarement une "
        "explication pertinente.",
    },
    "disagreement": {
        "en": "Its strongest place is among the strongest tenth of no map by a method of another "
        "kind.",
        "fr": "Son endroit le plus fort n'est parmi le dixième le plus fort d'aucune carte d'un "
        "autre type de méthode.",
    },
    "little_agreement": {
        "en": "Its strongest place is among the strongest tenth of only {count} of {all} maps by "
        "methods of another kind.",
        "fr": "Son endroit le plus fort n'est parmi le dixième le plus fort que de {count} des "
        "{all} cartes d'autres types de méthodes.",
    },
    "not_expected": {
        "en": "{region} ({area} of the image) holds {share} of the evidence, no more than by "
        "chance, although evidence is expected there.",
        "fr": "La région {region} ({area} de l'image) porte {share} des indices, pas plus que par "
        "hasard, alors qu'on les attend là.",
    },
    "scores_mixed": {
        "en": "This map is clearly better than random maps on only {count} of {all} fidelity "
        "metrics.",
        "fr": "Cette carte ne fait nettement mieux que le hasard que selon {count} des {all} "
        "métriques de fidélité.",
    },
    "undetermined": {
        "en": "{count} weights of this map are undetermined, because there were too few samples.",
        "fr": "{count} poids de cette carte sont indéterminés, faute d'échantillons suffisants.",
    },
    "poor_fit": {
        "en": "The linear model behind this map fits the network poorly (R2 {value}).",
        "fr": "Le modèle linéaire derrière cette carte imite mal le réseau (R2 {value}).",
    },
    "incomplete": {
        "en": "The values of this map miss {share} of the change of the score.",
        "fr": "Il manque aux valeurs de cette carte {share} du changement du score.",
    },
    "stability_unknown": {
        "en": "It is unknown whether another random seed would give the same map: there were too "
        "few samples.",
        "fr": "On ne sait pas si une autre graine aléatoire donnerait la même carte : il y a trop "
        "peu d'échantillons.",
    },
    "method_warning": {"en": "{text}", "fr": "Avertissement de la méthode, en anglais : {text}"},
    "unsure": {
        "en": "The model is not sure of its answer ({share}).",
        "fr": "Le modèle n'est pas sûr de sa réponse ({share}).",
    },
    "close_call": {
        "en": "The answer is a close call: {first} ({share}) or {second} ({other}).",
        "fr": "La réponse est serrée : {first} ({share}) ou {second} ({other}).",
    },
    "guessed_preprocessing": {
        "en": "The preprocessing of the model is a guess; if it is wrong, so are the answer and "
        "the map.",
        "fr": "Le prétraitement du modèle est deviné ; s'il est faux, la réponse et la carte le "
        "sont aussi.",
    },
    "guessed_size": {
        "en": "The input size of the model is a guess; another one may give another answer and "
        "another map.",
        "fr": "La taille d'entrée du modèle est devinée ; une autre peut donner une autre réponse "
        "et une autre carte.",
    },
    "guessed_outputs": {
        "en": "Whether the outputs of the model are logits or probabilities is a guess.",
        "fr": "On devine si les sorties du modèle sont des logits ou des probabilités.",
    },
    "guessed_classes": {
        "en": "That the one output of the model stands for two classes is a guess; it may be a "
        "quantity.",
        "fr": "On devine que l'unique sortie du modèle représente deux classes ; ce peut être une "
        "quantité.",
    },
    "no_ood_score": {
        "en": "It is unknown whether the file is like the training data: the model has no "
        "out-of-distribution detector that can be used.",
        "fr": "On ne sait pas si le fichier ressemble aux données d'entraînement : le modèle n'a "
        "pas de détecteur hors distribution utilisable.",
    },
    "no_regions": {
        "en": "It was not checked whether the evidence lies where it may.",
        "fr": "On n'a pas vérifié si les indices sont à leur place.",
    },
    "no_other_map": {
        "en": "There is no map by a method of another kind to compare with.",
        "fr": "Il n'y a pas de carte d'une méthode d'un autre type à comparer.",
    },
    "no_scores": {
        "en": "The map was not scored against random maps.",
        "fr": "La carte n'a pas été comparée à des cartes aléatoires.",
    },
    "in_distribution": {
        "en": "The file is like the training data: its distance from them is {ratio} of the limit.",
        "fr": "Le fichier ressemble aux données d'entraînement : sa distance vaut {ratio} de la "
        "limite.",
    },
    "regions_plausible": {
        "en": "No region holds more evidence than expected there.",
        "fr": "Aucune région ne porte plus d'indices qu'on n'en attend là.",
    },
    "agreement": {
        "en": "Its strongest place is among the strongest tenth of {count} of {all} maps by "
        "methods of another kind.",
        "fr": "Son endroit le plus fort est parmi le dixième le plus fort de {count} des {all} "
        "cartes d'autres types de méthodes.",
    },
    "better_than_random": {
        "en": "The map is clearly better than random maps on {count} of {all} fidelity metrics.",
        "fr": "La carte fait nettement mieux que le hasard selon {count} des {all} métriques de "
        "fidélité.",
    },
    "stable": {
        "en": "Another random seed would give nearly the same map.",
        "fr": "Une autre graine aléatoire donnerait presque la même carte.",
    },
}

# The regions of `PARTITIONS` that have a limit or in which evidence is expected.
REGION_NAMES_FR = {
    "corners": "coins",
    "border": "bord",
    "outside the lungs": "hors des poumons",
    "marks": "marques",
    "lungs": "poumons",
    "skull and scalp": "crâne et cuir chevelu",
    "background": "arrière-plan",
    "brain": "cerveau",
    "silence": "silence",
}


def region_name(region: str, language: str) -> str:
    """The name of a region in quotation marks, in "en" or "fr"."""
    name = REGION_NAMES_FR.get(region, region) if language == "fr" else region
    return QUOTES[language].format(name)


def written(number: str, language: str) -> str:
    """A formatted number, such as "1,234.5%", as it is written in "en" or "fr"."""
    return number.translate(_FRENCH) if language == "fr" else number
