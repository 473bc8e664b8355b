"""The remedies: what can be done about a reason. The page and the command read this table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """A step that settles a reason.

    Attributes:
        name: its key in `REMEDIES`.
        english, french: the label of a button.
        command: how to do it with the command; empty where only the page can.
    """

    name: str
    english: str
    french: str
    command: str = ""

    def label(self, language: str = "en") -> str:
        """The label of a button, in "en" or "fr"."""
        return self.french if language == "fr" else self.english


_ALL = (
    Remedy(
        name="hide_region",
        english="Hide the region and predict again",
        french="Masquer la région et prédire à nouveau",
    ),
    Remedy(
        name="another_method",
        english="Try another method",
        french="Essayer une autre méthode",
        command="--method NAME",
    ),
    Remedy(
        name="another_model",
        english="Choose another model",
        french="Choisir un autre modèle",
        command="--model NAME",
    ),
    Remedy(
        name="another_class",
        english="Ask why not the runner-up",
        french="Demander pourquoi pas la deuxième classe",
        command="--contrast CLASS",
    ),
    Remedy(
        name="sample_until_stable",
        english="Sample until the map is stable",
        french="Échantillonner jusqu'à une carte stable",
        command="--until-stable 0.9",
    ),
    Remedy(
        name="score",
        english="Score the map",
        french="Évaluer la carte",
        command="--score all",
    ),
    Remedy(
        name="find_regions",
        english="Find the regions",
        french="Trouver les régions",
        command="--regions",
    ),
    Remedy(
        name="compare_methods",
        english="Compare with other methods",
        french="Comparer à d'autres méthodes",
        command="--method NAME --method NAME",
    ),
    Remedy(
        name="settle_preprocessing",
        english="Settle the preprocessing",
        french="Déterminer le prétraitement",
        command="xai-tf inspect MODEL --try-preprocessing LABELED_FOLDER --save",
    ),
    Remedy(
        name="settle_model",
        english="Settle how the model is read",
        french="Préciser comment le modèle est lu",
        command="xai-tf inspect MODEL",
    ),
    Remedy(
        name="fit_ood_detector",
        english="Fit an out-of-distribution detector",
        french="Ajuster un détecteur hors distribution",
        command="xai-tf fit-ood",
    ),
)
REMEDIES: dict[str, Remedy] = {remedy.name: remedy for remedy in _ALL}
