"""Sentence templates in English and in French; `facts` fills in the names in braces."""

from __future__ import annotations

from xai_tf.classifiers.ood import REASON

LANGUAGES = {"en": "English", "fr": "Français"}

QUOTES = {"en": "“{}”", "fr": "« {} »"}
AND = {"en": " and ", "fr": " et "}
MORE_THAN = {"en": "more than ", "fr": "plus de "}
LESS_THAN = {"en": "less than ", "fr": "moins de "}

PLACES = (
    {"en": "at the upper left", "fr": "en haut à gauche"},
    {"en": "at the top in the middle", "fr": "en haut au milieu"},
    {"en": "at the upper right", "fr": "en haut à droite"},
    {"en": "at mid-height on the left", "fr": "à mi-hauteur à gauche"},
    {"en": "in the centre", "fr": "au centre"},
    {"en": "at mid-height on the right", "fr": "à mi-hauteur à droite"},
    {"en": "at the lower left", "fr": "en bas à gauche"},
    {"en": "at the bottom in the middle", "fr": "en bas au milieu"},
    {"en": "at the lower right", "fr": "en bas à droite"},
)

MAP = {"en": "the {method} map", "fr": "la carte {method}"}
MAP_OF_CLASS = {"en": "the {method} map for {name}", "fr": "la carte {method} pour {name}"}
MAP_AGAIN = {"en": "this map", "fr": "cette carte"}
RATHER_THAN = {"en": "{name} rather than {other}", "fr": "{name} plutôt que {other}"}

SENTENCES = {
    "out_of_distribution": REASON,
    "answer": {
        "en": "The model's answer is {name}, with a probability of {share}.",
        "fr": "La réponse du modèle est {name}, avec une probabilité de {share}.",
    },
    "finding": {
        "en": "The model finds {name}, with a probability of {share}.",
        "fr": "Le modèle trouve {name}, avec une probabilité de {share}.",
    },
    "no_finding": {
        "en": "The model finds none of its {count} labels.",
        "fr": "Le modèle ne trouve aucune de ses {count} étiquettes.",
    },
    "label_threshold": {
        "en": "The threshold of {name} is a probability of {share}.",
        "fr": "Le seuil de {name} est une probabilité de {share}.",
    },
    "probability": {
        "en": "The probability of {name} is {share}.",
        "fr": "La probabilité de {name} est de {share}.",
    },
    "margin": {
        "en": "The answer leads the runner-up by {margin} in the model's raw score: the larger "
        "the margin, the clearer the answer.",
        "fr": "La réponse devance la suivante de {margin} dans le score brut du modèle : plus "
        "cette marge est grande, plus la réponse est nette.",
    },
    "narrow_margin": {
        "en": "The answer leads the runner-up by only {margin} in the model's raw score: it is a "
        "close call.",
        "fr": "La réponse ne devance la suivante que de {margin} dans le score brut du modèle : le "
        "choix est serré.",
    },
    "windows": {
        "en": "The recording is long and was classified in {count} windows; {agreeing} of them "
        "give the same answer on their own.",
        "fr": "L'enregistrement est long et a été classé en {count} fenêtres ; {agreeing} d'entre "
        "elles donnent seules la même réponse.",
    },
    "rebuilt": {
        "en": "The sound was reconstructed from an image of its spectrogram, so its times are "
        "assumed.",
        "fr": "Le son a été reconstruit à partir d'une image de son spectrogramme : ses temps "
        "sont donc supposés.",
    },
    "map_signed": {
        "en": "{Map} shows the evidence for {question} and the evidence against it.",
        "fr": "{Map} montre les indices en faveur de {question} et les indices contraires.",
    },
    "map_unsigned": {
        "en": "{Map} shows where the input matters for {question}.",
        "fr": "{Map} montre les endroits qui comptent pour {question}.",
    },
    "map_of_features": {
        "en": "{Map} shows where the network finds its strongest features, whatever the class.",
        "fr": "{Map} montre où le réseau trouve ses caractéristiques les plus fortes, quelle que "
        "soit la classe.",
    },
    "window": {
        "en": "{Map} explains the window from {start} to {end}, which on its own gives {name} a "
        "probability of {share}.",
        "fr": "{Map} explique la fenêtre de {start} à {end}, qui à elle seule donne à {name} une "
        "probabilité de {share}.",
    },
    "place": {
        "en": "The strongest tenth of the area of {map} holds {held} of its strength and lies "
        "mainly {places}.",
        "fr": "Le dixième le plus fort de la surface de {map} porte {held} de son intensité et se "
        "trouve surtout {places}.",
    },
    "sound_place": {
        "en": "The strongest tenth of the area of {map} holds {held} of its strength; {most} of "
        "this tenth lies between {low} and {high}, and {most} between {start} and {end}.",
        "fr": "Le dixième le plus fort de la surface de {map} porte {held} de son intensité ; "
        "{most} de ce dixième se trouve entre {low} et {high}, et {most} entre {start} et {end}.",
    },
    "sides": {
        "en": "Of the strength of {map}, {share} is evidence for the class and {rest} against it.",
        "fr": "Dans {map}, {share} de l'intensité est en faveur de la classe et {rest} contre.",
    },
    "completeness": {
        "en": "The values of {map} should sum to the change of the score from an empty input; they "
        "miss {gap} of it.",
        "fr": "La somme des valeurs de {map} devrait égaler le changement du score depuis une "
        "entrée vide ; il en manque {gap}.",
    },
    "fit": {
        "en": "The simple model behind {map} fits the network with an R squared of {fit}, where "
        "one would be perfect.",
        "fr": "Le modèle simple derrière {map} imite le réseau avec un R carré de {fit}, où un "
        "serait parfait.",
    },
    "error": {
        "en": "The weights of {map} are estimates; they are expected to be off by {error} of their "
        "size.",
        "fr": "Les poids de {map} sont des estimations ; on s'attend à un écart de {error} de leur "
        "taille.",
    },
    "undetermined": {
        "en": "{Map} leaves {count} of its weights undetermined, because it had too few samples.",
        "fr": "{Map} laisse {count} de ses poids indéterminés, faute d'échantillons suffisants.",
    },
    "nan": {
        "en": "{Map} is invalid: part of it is not a number, so it cannot be interpreted.",
        "fr": "{Map} est invalide : une partie n'est pas un nombre, on ne peut pas l'interpréter.",
    },
    "constant": {
        "en": "{Map} is constant, so it explains nothing.",
        "fr": "{Map} est constante, elle n'explique donc rien.",
    },
    "saturated": {
        "en": "Warning: much of {map} is at its maximum, so it hardly localizes anything.",
        "fr": "Attention : une grande partie de {map} est à son maximum, elle ne localise donc "
        "presque rien.",
    },
    "single_spot": {
        "en": "Warning: a few pixels hold most of {map}, which is rarely a meaningful explanation.",
        "fr": "Attention : quelques pixels portent l'essentiel de {map}, ce qui est rarement une "
        "explication pertinente.",
    },
    "border": {
        "en": "Warning: most of {map} lies on the border of the image, which is often an artifact "
        "of the network and not an effect of the content.",
        "fr": "Attention : l'essentiel de {map} se trouve au bord de l'image, ce qui est souvent "
        "un artefact du réseau et non un effet du contenu.",
    },
    "agreement": {
        "en": "{Map} and {other} have a rank correlation of {correlation} (one is the same order, "
        "zero is no relation), and their strongest tenths overlap by {overlap}.",
        "fr": "{Map} et {other} ont une corrélation de rang de {correlation} (un : même ordre, "
        "zéro : aucun rapport), et leurs dixièmes les plus forts se recouvrent à {overlap}.",
    },
    "medical": {
        "en": "The image shows a patient: left and right are those of the image, not of the "
        "patient.",
        "fr": "L'image est celle d'un patient : la gauche et la droite sont celles de l'image, pas "
        "du patient.",
    },
}

LIMITS = {
    "en": "A map shows where the score of this model is sensitive. It does not show why, does not "
    "prove a cause, and does not show whether the answer is right. The probabilities are the "
    "model's own and may be overconfident.",
    "fr": "Une carte montre où le score de ce modèle est sensible. Elle ne montre pas pourquoi, ne "
    "prouve aucune cause et ne dit pas si la réponse est juste. Les probabilités sont celles du "
    "modèle et peuvent être trop confiantes.",
}
DISCLAIMER = {
    "en": "For research and teaching only.",
    "fr": "Pour la recherche et l'enseignement uniquement.",
}
MEDICAL_DISCLAIMER = {
    "en": "For research and teaching only. This is not a medical device and gives no diagnosis: do "
    "not use it to make decisions about a patient, and ask a physician.",
    "fr": "Pour la recherche et l'enseignement uniquement. Ceci n'est pas un dispositif médical et "
    "ne donne aucun diagnostic : ne vous en servez pas pour décider du sort d'un patient, et "
    "consultez un médecin.",
}

WITHHELD = {
    "number": {
        "en": ("{} sentence withheld: a number did not match.",
               "{} sentences withheld: a number did not match."),
        "fr": ("{} phrase retenue : un nombre ne concordait pas.",
               "{} phrases retenues : un nombre ne concordait pas."),
    },
    "name": {
        "en": ("{} sentence withheld: a class did not match.",
               "{} sentences withheld: a class did not match."),
        "fr": ("{} phrase retenue : une classe ne concordait pas.",
               "{} phrases retenues : une classe ne concordait pas."),
    },
    "citation": {
        "en": ("{} sentence withheld: it cites no valid fact.",
               "{} sentences withheld: they cite no valid fact."),
        "fr": ("{} phrase retenue : elle ne cite aucun fait valable.",
               "{} phrases retenues : elles ne citent aucun fait valable."),
    },
    "unfinished": {
        "en": ("{} sentence withheld: it is incomplete.",
               "{} sentences withheld: they are incomplete."),
        "fr": ("{} phrase retenue : elle est incomplète.",
               "{} phrases retenues : elles sont incomplètes."),
    },
}  # fmt: skip
MODEL_LABEL = {
    "en": "Written by {model}, a language model, from the numbers above. Only the numbers and the "
    "class names were checked against them.",
    "fr": "Écrit par {model}, un modèle de langage, à partir des nombres ci-dessus. Seuls ses "
    "nombres et les noms des classes ont été vérifiés.",
}
LEFT_OUT = {
    "en": "Not offered, because they run in the cloud and the facts would leave this machine: {}.",
    "fr": "Non proposés, car ils s'exécutent dans le cloud et les faits quitteraient cette "
    "machine : {}.",
}
