"""The trained models: find, verify, load and save them. Importing this loads no TensorFlow."""

from weights_keras.card import Measure as Measure
from weights_keras.card import ModelCard as ModelCard
from weights_keras.card import read_card as read_card
from weights_keras.fetching import fetch as fetch
from weights_keras.formats import fingerprint as fingerprint
from weights_keras.formats import is_model_folder as is_model_folder
from weights_keras.formats import model_files as model_files
from weights_keras.places import FOLDER as FOLDER
from weights_keras.places import find as find
from weights_keras.places import home as home
from weights_keras.places import own_files as own_files
from weights_keras.places import own_folder as own_folder
from weights_keras.store import ModelFileError as ModelFileError
from weights_keras.store import compiled_loss as compiled_loss
from weights_keras.store import is_card as is_card
from weights_keras.store import load as load
from weights_keras.store import load_file as load_file
from weights_keras.store import load_ood_detector as load_ood_detector
from weights_keras.store import names as names
from weights_keras.store import ood_file as ood_file
from weights_keras.store import save as save
from weights_keras.store import save_card as save_card
from weights_keras.store import save_ood_detector as save_ood_detector
