"""The sentences, in English and in French. A name in braces is filled in by `facts`."""

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
    "unfamiliar": REASON,
    "answer": {
        "en": "The model's answer is {name}, with a probability of {share}.",
        "fr": "La réponse du modèle est {name}, avec une probabilité de {share}.",
    },
    "probability": {
        "en": "The probability of {name} is {share}.",
        "fr": "La probabilité de {name} est de {share}.",
    },
    "margin": {
        "en": "The answer leads the runner-up by {margin} in the model's raw score: the larger "
        "this margin, the clearer the answer.",
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
        "en": "The recording is long and was judged in {count} windows; this is also the answer of "
        "{agreeing} of them taken alone.",
        "fr": "L'enregistrement est long et a été jugé en {count} fenêtres ; c'est aussi la "
        "réponse de {agreeing} d'entre elles prises seules.",
    },
    "rebuilt": {
        "en": "The sound was rebuilt from a picture of its spectrogram, so its seconds are "
        "assumed.",
        "fr": "Le son a été reconstruit à partir d'une image de son spectrogramme : ses secondes "
        "sont donc supposées.",
    },
    "map_signed": {
        "en": "{Map} shows what speaks for {question}, and what speaks against it.",
        "fr": "{Map} montre ce qui parle pour {question}, et ce qui parle contre.",
    },
    "map_unsigned": {
        "en": "{Map} shows where the input matters for {question}.",
        "fr": "{Map} montre les endroits qui comptent pour {question}.",
    },
    "map_of_features": {
        "en": "{Map} shows where the network finds its strongest features, whatever the class.",
        "fr": "{Map} montre où le réseau trouve ses traits les plus marqués, quelle que soit la "
        "classe.",
    },
    "window": {
        "en": "{Map} is of the window from {start} to {end}, which taken alone gives {name} a "
        "probability of {share}.",
        "fr": "{Map} porte sur la fenêtre de {start} à {end}, qui prise seule donne à {name} une "
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
        "en": "Of the strength of {map}, {share} speaks for the class and {rest} against it.",
        "fr": "Dans {map}, {share} de l'intensité parle pour la classe et {rest} contre.",
    },
    "completeness": {
        "en": "The parts of {map} should add up to the change of the score from an empty input; "
        "they miss {gap} of it.",
        "fr": "Les parts de {map} devraient totaliser le changement du score depuis une entrée "
        "vide ; il en manque {gap}.",
    },
    "fit": {
        "en": "The simple model behind {map} fits the network with an R squared of {fit}, where "
        "one would be perfect.",
        "fr": "Le modèle simple derrière {map} imite le réseau avec un R carré de {fit}, où un "
        "serait parfait.",
    },
    "undetermined": {
        "en": "{Map} leaves {count} of its weights undetermined, because it had too few samples.",
        "fr": "{Map} laisse {count} de ses poids indéterminés, faute d'échantillons suffisants.",
    },
    "nan": {
        "en": "{Map} is broken: part of it is no number, so nothing can be read from it.",
        "fr": "{Map} est inutilisable : une partie n'est pas un nombre, on ne peut rien y lire.",
    },
    "constant": {
        "en": "{Map} is the same everywhere: it explains nothing.",
        "fr": "{Map} est la même partout : elle n'explique rien.",
    },
    "saturated": {
        "en": "Warning: much of {map} is at its maximum, so it hardly points anywhere.",
        "fr": "Attention : une grande partie de {map} est à son maximum, elle ne désigne donc "
        "guère d'endroit.",
    },
    "single_spot": {
        "en": "Warning: a few pixels hold most of {map}, which is rarely a reason one can see.",
        "fr": "Attention : quelques pixels portent l'essentiel de {map}, ce qui est rarement une "
        "raison visible.",
    },
    "border": {
        "en": "Warning: most of {map} lies on the border of the picture, which is often an effect "
        "of the network and not of what is shown.",
        "fr": "Attention : l'essentiel de {map} se trouve au bord de l'image, ce qui est souvent "
        "un effet du réseau et non de ce qui est montré.",
    },
    "agreement": {
        "en": "{Map} and {other} agree with a rank correlation of {correlation} (one is the same "
        "order, zero is no relation), and their strongest tenths overlap by {overlap}.",
        "fr": "{Map} et {other} s'accordent avec une corrélation des rangs de {correlation} (un : "
        "même ordre, zéro : aucun rapport), et leurs dixièmes les plus forts se recouvrent à "
        "{overlap}.",
    },
    "medical": {
        "en": "The picture is of a patient: left and right are those of the picture, not of the "
        "patient.",
        "fr": "L'image est celle d'un patient : la gauche et la droite sont celles de l'image, pas "
        "du patient.",
    },
}

LIMITS = {
    "en": "A map shows where this model's score reacts. It does not show why, it proves no cause, "
    "and it cannot tell whether the answer is right. The probabilities are the model's own, and "
    "may be too sure.",
    "fr": "Une carte montre où le score de ce modèle réagit. Elle ne montre pas pourquoi, ne "
    "prouve aucune cause et ne dit pas si la réponse est juste. Les probabilités sont "
    "celles du modèle, et peuvent être trop assurées.",
}
DISCLAIMER = {
    "en": "For research and teaching only.",
    "fr": "Pour la recherche et l'enseignement uniquement.",
}
MEDICAL_DISCLAIMER = {
    "en": "For research and teaching only. This is not a medical device and gives no diagnosis: do "
    "not use it to decide about a patient, and ask a physician.",
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
        "en": ("{} sentence withheld: it rests on no fact.",
               "{} sentences withheld: they rest on no fact."),
        "fr": ("{} phrase retenue : elle ne repose sur aucun fait.",
               "{} phrases retenues : elles ne reposent sur aucun fait."),
    },
    "unfinished": {
        "en": ("{} sentence withheld: it has no end.", "{} sentences withheld: they have no end."),
        "fr": ("{} phrase retenue : elle n'a pas de fin.",
               "{} phrases retenues : elles n'ont pas de fin."),
    },
}  # fmt: skip
MODEL_LABEL = {
    "en": "Written by {model}, a language model, from the numbers above. Only its numbers and the "
    "names of classes were checked against them.",
    "fr": "Écrit par {model}, un modèle de langage, à partir des nombres ci-dessus. Seuls ses "
    "nombres et les noms des classes ont été vérifiés.",
}
LEFT_OUT = {
    "en": "Not offered, because they run in the cloud and the facts would leave this machine: {}.",
    "fr": "Non proposés, car ils tournent dans le nuage et les faits quitteraient cette machine : "
    "{}.",
}
