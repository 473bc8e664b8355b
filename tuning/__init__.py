"""Search for the best head on a backbone, and more. Importing this loads no TensorFlow."""

from tuning.settings import ExportSettings as ExportSettings
from tuning.settings import Plan as Plan
from tuning.space import SEEDS as SEEDS
from tuning.space import Parameter as Parameter
from tuning.space import choice as choice
from tuning.space import floats as floats
from tuning.space import ints as ints
from tuning.space import lint as lint
from tuning.space import logs as logs
from tuning.space import read_space as read_space
from tuning.study import Study as Study
from tuning.trials import Search as Search
from tuning.trials import Trial as Trial
from tuning.trials import read_search as read_search
